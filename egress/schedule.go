package egress

import "time"

// ScheduleState is the state of one of our schedules.
type ScheduleState struct {
	Made   time.Time
	Acted  time.Time // when it last started a workflow, or was created
	Every  time.Duration
	Paused bool
	Off    bool // paused by a worker whose setting is off, not by a person
	Others bool // created by workers whose secrets are not ours
	// Ignored says why the time from which a person wanted ends announced does not count. Empty: it
	// does, or nobody named one.
	Ignored string
}

// Polls says when workers last polled a task queue for new work. Zero: none has within some
// minutes.
type Polls struct {
	Workflows  time.Time
	Activities time.Time
	// Idle is a worker version that polls although it is not the current one, while no other polls:
	// new work does not reach it.
	Idle string
}
