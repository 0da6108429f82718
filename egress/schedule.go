package egress

import "time"

// ScheduleState is how one of our schedules stands.
type ScheduleState struct {
	Made   time.Time
	Acted  time.Time // when it last began a workflow, or was made
	Every  time.Duration
	Paused bool
	Off    bool // paused by a worker, whose setting is off, and not by a person
}
