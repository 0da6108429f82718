package egress

import "time"

// ScheduleState is how one of our schedules stands.
type ScheduleState struct {
	Made   time.Time
	Acted  time.Time // when it last began a workflow, or was made
	Every  time.Duration
	Paused bool
	Off    bool // paused by a worker, whose setting is off, and not by a person
	Others bool // made by workers whose secrets are not ours
}

// Polls is when workers last asked a task queue for what begins now. Zero: within some minutes
// none has.
type Polls struct {
	Workflows  time.Time
	Activities time.Time
	// Idle is a version of workers that polls, where it is not the current one and nobody else
	// polls: nothing that begins now goes to it.
	Idle string
}
