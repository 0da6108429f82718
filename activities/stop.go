package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Stop tells LiveKit to end an egress and returns it as it then is. Stopping twice is harmless:
// LiveKit answers a second stop with the ending egress, and an ended one is looked up. With ask set,
// it is stopped only if its worker does not answer: see probe.
func (a *LiveKit) Stop(ctx context.Context, egressID string, ask bool) (info egress.Info, err error) {
	if ask {
		info, err = a.probe(ctx, egressID)
	} else {
		info, err = a.stop(ctx, egressID)
	}
	return info, toTemporal(err)
}

// probe asks an egress's worker whether it lives, and stops the egress only if it does not answer.
// If it answers, the egress is returned as LiveKit lists it. Of an error, the reason Unanswered,
// Ambiguous or Internal leaves open whether this or an earlier attempt stopped the egress.
func (a *LiveKit) probe(ctx context.Context, egressID string) (egress.Info, error) {
	told := activity.HasHeartbeatDetails(ctx) // to stop, by an earlier attempt
	info, err := a.spare(ctx, egressID)
	if egress.ReasonOf(err) == egress.Unanswered {
		activity.RecordHeartbeat(ctx, "stop") // for the next attempt
		info, err = a.stop(ctx, egressID)
	}
	said := egress.ReasonOf(err)
	if told && said != egress.Unanswered && said != egress.NotFound && !egress.Ahead(info.Proto().GetStatus(), livekit.EgressStatus_EGRESS_ACTIVE) {
		err = &egress.Error{Reason: egress.Ambiguous, Message: fmt.Sprintf("egress %s may have been told to stop: %v", egressID, cmp.Or(err, errAnswers))}
	}
	return info, err
}

// errAnswers says that a worker lives that may have been told to stop.
var errAnswers = errors.New("its worker answers")

// spare returns an egress whose worker answers as LiveKit lists it. The error has reason Unanswered
// only if no worker answers.
func (a *LiveKit) spare(ctx context.Context, egressID string) (egress.Info, error) {
	err := a.ask(ctx, egressID)
	if egress.ReasonOf(err) == egress.AlreadyOver {
		err = nil
	}
	var m *livekit.EgressInfo
	if err == nil {
		m, err = a.api.Get(ctx, egressID)
	}
	if e, ok := errors.AsType[*egress.Error](err); ok && e.Reason == egress.Ambiguous {
		e.Reason = egress.Unavailable // neither call changes anything
	}
	if err != nil {
		return egress.Info{}, fmt.Errorf("ask the worker of egress %s: %w", egressID, err)
	}
	return egress.NewInfo(m)
}

// ask asks an egress's worker whether it lives. One silence does not mean a dead worker, so only a
// second one a second later is its answer.
func (a *LiveKit) ask(ctx context.Context, egressID string) error {
	err := a.api.Answers(ctx, egressID)
	if egress.ReasonOf(err) == egress.Unanswered && sleep(ctx, time.Second) {
		err = a.api.Answers(ctx, egressID)
	}
	return err
}

// stop stops an egress. One at its limit says LIMIT_REACHED before it uploads, and only to a stop:
// until the upload has succeeded or failed, LiveKit lists it as active. So it is ENDING here.
func (a *LiveKit) stop(ctx context.Context, egressID string) (egress.Info, error) {
	m, err := a.api.Stop(ctx, egressID)
	limited := m.GetStatus() == livekit.EgressStatus_EGRESS_LIMIT_REACHED
	if limited || egress.ReasonOf(err) == egress.AlreadyOver {
		m, err = a.api.Get(ctx, egressID)
	}
	if err != nil {
		return egress.Info{}, fmt.Errorf("stop egress %s: %w", egressID, err)
	}
	if limited && !egress.Ended(m.GetStatus()) {
		m.Status = livekit.EgressStatus_EGRESS_ENDING
	}
	return egress.NewInfo(m)
}

// TwinRequest names an egress that records beside the one bound to its request.
type TwinRequest struct {
	Twin string `json:"twin"` // egress ID
	// After is the bound part, if a later one of ours may have begun: that is no twin.
	After AfterPart `json:"after,omitzero"`
	Over  bool      `json:"over,omitempty"`  // the twin has ended by itself
	Bound string    `json:"bound,omitempty"` // egress ID that LiveKit must know. Default: any
	Room  string    `json:"room,omitempty"`  // room in which the recorder of the bound egress must be. Default: any
	Seen  bool      `json:"seen,omitempty"`  // that recorder has been there
}

// AfterPart names a part by its number and by when its egress began, as egress.Began. Zero: none.
type AfterPart struct {
	Part  int   `json:"part"`
	Began int64 `json:"began,omitempty"`
}

// TwinAnswer says what was done about a twin.
type TwinAnswer struct {
	// BoundMissing says that LiveKit does not know the bound egress, so the twin was left alone. So
	// it is if BoundFailed is set: the bound egress, which failed or was aborted.
	BoundMissing bool        `json:"bound_missing,omitempty"`
	BoundFailed  egress.Info `json:"bound_failed,omitzero"`
	// BoundAbsent says that the recorder of the bound egress is not in its room, so the twin was
	// left alone.
	BoundAbsent bool `json:"bound_absent,omitempty"`
	// Later says that the other egress is a later part of the recording, so it was left alone. It may
	// have ended.
	Later bool `json:"later,omitempty"`
	// Ended is the twin, if it had ended by itself before it was told to.
	Ended egress.Info `json:"ended,omitzero"`
}

// StopTwin tells LiveKit to end a twin, unless LiveKit no longer knows the bound egress, reports
// that it failed, or does not see its recorder in the room though it is active: the twin may then
// be the only recording. If LiveKit does not say, nothing is stopped. Running it twice is as
// harmless as Stop.
func (a *LiveKit) StopTwin(ctx context.Context, in TwinRequest) (TwinAnswer, error) {
	present, sid := false, "" // whether its participant should be there, and in which room
	over := in.Bound == ""    // it has ended
	if in.Bound != "" {
		m, err := a.api.Get(ctx, in.Bound)
		if egress.ReasonOf(err) == egress.NotFound {
			return TwinAnswer{BoundMissing: true}, nil
		}
		if err != nil {
			return TwinAnswer{}, toTemporal(fmt.Errorf("look for egress %s: %w", in.Bound, err))
		}
		if egress.Failed(m.GetStatus()) {
			info, err := egress.NewInfo(m)
			return TwinAnswer{BoundFailed: info}, toTemporal(err)
		}
		over = egress.Ended(m.GetStatus())
		present = !in.Over && in.Room != "" && m.GetStatus() == livekit.EgressStatus_EGRESS_ACTIVE && (in.Seen || a.cfg.Shown.Tells(m))
		sid = m.GetRoomId()
	}
	if present { // what LiveKit calls active may be dead
		here, _, err := recorderIn(ctx, a.api, in.Room, sid, in.Bound)
		if err != nil || !here {
			return TwinAnswer{BoundAbsent: err == nil}, toTemporal(err)
		}
	}
	if later, err := a.isLater(ctx, in, over); err != nil || later || in.Over {
		return TwinAnswer{Later: later}, toTemporal(err)
	}
	twin, err := a.stop(ctx, in.Twin)
	if err == nil && egress.Ended(twin.Proto().GetStatus()) {
		return TwinAnswer{Ended: twin}, nil
	}
	return TwinAnswer{}, toTemporal(err)
}

// isLater reports whether LiveKit shows that a twin is a later part of ours: it began after the given
// one, under the token of a later part. It records, or the bound one is over as well.
func (a *LiveKit) isLater(ctx context.Context, in TwinRequest, over bool) (bool, error) {
	if in.After.Part == 0 || in.Over && !over {
		return false, nil
	}
	m, err := a.api.Get(ctx, in.Twin)
	if err != nil {
		return false, fmt.Errorf("look for egress %s: %w", in.Twin, err)
	}
	t, _ := egress.OurToken(m, a.opener.Verify)
	began := m.GetStartedAt()
	return t.Part > in.After.Part && (began == 0 || began > in.After.Began) && (over || !egress.Ended(m.GetStatus())), nil
}
