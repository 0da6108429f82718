package egress

import "time"

// LateStart is from when on a start is so late that Temporal may have been restored from a backup in
// between: then the start was already made, and LiveKit lists it by now.
const LateStart = time.Minute

// StartOptions says what to record, and under which key.
type StartOptions struct {
	ID          string        // request ID, the caller's idempotency key; default: a new one
	Made        bool          // the ID was made just now: nobody has used it before
	Request     Request       // what to record
	MaxDuration time.Duration // when set, the egress is stopped after that long
	Recover     *int          // as Input.Recover; default: the worker's setting
	Storage     string        // storage profile that its media goes to; default: the worker's default profile, where an output has no storage
	Preflight   bool          // its storage is tried before the start, however lately it was; default: the worker's setting
	Pipeline    string        // name of the pipeline that is run at its end; default: the worker's
	Again       bool          // LiveKit is looked at first, since an earlier start of the ID may have gone past Temporal
	Unlisted    bool          // one has, without an answer: LiveKit may not list it yet
	StartBy     time.Time     // as Input.StartBy; zero: none
	AskedBy     *Asker        // who asks, for reports; default: as the recordings client is set up
}
