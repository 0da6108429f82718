package egress

import "time"

// LateStart is how late a start must be to suspect that Temporal was restored from a backup in
// between: the start then was made before, and LiveKit lists it by now.
const LateStart = time.Minute

// FailOpenMargin separates the last moment at which a worker may ask LiveKit for a start from the
// first at which the front door does: their clocks may differ by that much.
const FailOpenMargin = time.Second

// StartOptions says what to record, and under which key.
type StartOptions struct {
	RequestID   string        // the caller's idempotency key; default: a new one
	Made        bool          // the ID was generated just now: nobody has used it before
	Request     Request       // what to record
	MaxDuration time.Duration // when set, the egress is stopped after that long
	Recover     *int          // as Input.Recover; default: the worker's setting
	Storage     string        // storage profile for the media; default: the worker's default profile, if an output has no storage
	Preflight   bool          // whether the storage is probed before the start, however recently that was done; default: the worker's setting
	Pipeline    string        // name of the pipeline that runs at its end; default: the worker's
	Again       bool          // LiveKit is searched first, since an earlier start with the ID may have gone past Temporal
	Unlisted    bool          // such a start did, without an answer: LiveKit may not list it yet
	StartBy     time.Time     // as Input.StartBy; zero: none
	AskedBy     *Asker        // who asks, for reports; default: as the recordings client is configured
}
