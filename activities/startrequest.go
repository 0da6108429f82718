package activities

import (
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// StartRequest is the argument of Start.
type StartRequest struct {
	RequestID string       `json:"request_id"`
	Part      int          `json:"part"`
	Input     egress.Input `json:"input"`
	// RoomID is the room that the part before recorded: another one that has its name is not
	// to be recorded. Empty: any room of the name.
	RoomID string `json:"room_id,omitempty"`
	// Published waits for somebody who publishes there: the part before is whole, and another one
	// that waits in vain would end the recording as aborted.
	Published bool `json:"published,omitempty"`
	// HandedBack is a start that an activity before this one has handed back: it is looked for,
	// and not made.
	HandedBack bool `json:"handed_back,omitempty"`
	// RunID is the run that asked for it. A reset has another run send it anew.
	RunID string `json:"run_id,omitempty"`
}

// maybeSent reports whether LiveKit may have been asked for this start just now, by an attempt
// before this one or by a door, and may not list yet what it begins.
func (r StartRequest) maybeSent(i activity.Info) bool {
	reset := r.RunID != "" && r.RunID != i.WorkflowExecution.RunID
	return r.HandedBack || r.Input.Unlisted || i.Attempt > 1 || reset
}

// maybePutBack reports whether it has waited for a worker for so long (egress.LateStart) that
// Temporal may have been restored from a backup in between. With a StartBy it is too late then.
func (r StartRequest) maybePutBack(i activity.Info) bool {
	return r.Input.StartBy == nil && i.StartedTime.Sub(i.ScheduledTime) > egress.LateStart
}
