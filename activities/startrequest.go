package activities

import (
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// StartRequest is the argument of Start.
type StartRequest struct {
	RequestID string       `json:"request_id"`
	Part      int          `json:"part"`
	Input     egress.Input `json:"input"`
	// RoomID is the room that the previous part recorded: another room with the same name must not
	// be recorded. Empty: any room with the name.
	RoomID string `json:"room_id,omitempty"`
	// Published waits until somebody publishes in the room: the previous part is complete, and
	// another part that waits in vain would end the recording as aborted.
	Published bool `json:"published,omitempty"`
	// NotAfter is when the recording's longest duration is over, or a stop was asked for, so that no
	// part is to begin any more. Zero: never.
	NotAfter time.Time `json:"not_after,omitzero"`
	// OnlyLook says that the start is searched for, and not made: an earlier activity handed it
	// back to its caller, or a stop was asked for.
	OnlyLook bool `json:"only_look,omitempty"`
	// RunID is the run that asked for it. After a reset, another run sends it again.
	RunID string `json:"run_id,omitempty"`
	// Since is when the previous part began, for the first one when that run did, unless an earlier
	// run may have asked for the same. What has ended and began before is of another recording, under
	// the same ID.
	Since time.Time `json:"since,omitzero"`
	// Parts are the egress IDs of the previous parts. None is this one, whatever its token says: what
	// a terminated run or a restored database has left is numbered anew.
	Parts []string `json:"parts,omitempty"`
	// Began is when that run began.
	Began time.Time `json:"began,omitzero"`
}

// maybeSent reports whether an earlier attempt or a front door may just have asked LiveKit for
// this start, so that LiveKit may not list the egress yet.
func (r StartRequest) maybeSent(i activity.Info) bool {
	return r.OnlyLook || r.Input.Unlisted || i.Attempt > 1 || r.reset(i)
}

// reset reports whether the run that asked for the start was reset while it awaited the answer.
func (r StartRequest) reset(i activity.Info) bool {
	return r.RunID != "" && r.RunID != i.WorkflowExecution.RunID
}

// outlived reports whether an earlier run may have asked for the first part so long ago that
// LiveKit no longer lists what it recorded.
func (r StartRequest) outlived(i activity.Info) bool {
	return r.reset(i) && r.Part == 1 && !r.Began.IsZero() && i.StartedTime.Sub(r.Began) > egress.Remembered
}

// maybePutBack reports whether the start has waited for a worker for so long (egress.LateStart)
// that Temporal may have been restored from a backup in between. One with a StartBy is too late
// by then, or else glanced at (maybeForgotten).
func (r StartRequest) maybePutBack(i activity.Info) bool {
	return r.Input.StartBy == nil && i.StartedTime.Sub(i.ScheduledTime) > egress.LateStart
}

// candidates returns the egresses without those of an earlier run and the previous parts.
func (r StartRequest) candidates(items []*livekit.EgressInfo) []*livekit.EgressInfo {
	return slices.DeleteFunc(egress.NotBefore(items, r.Since), func(m *livekit.EgressInfo) bool {
		return slices.Contains(r.Parts, m.GetEgressId())
	})
}
