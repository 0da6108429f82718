package activities

import (
	"context"
	"errors"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// CallsPerPoll is how many calls of LiveKit's API one look may take: the egress,
// and its room.
const CallsPerPoll = 2

// PollRequest is the argument of Poll.
type PollRequest struct {
	EgressID string               `json:"egress_id"`
	Room     string               `json:"room,omitempty"` // empty for a web egress
	Have     livekit.EgressStatus `json:"have"`           // anything further along is news
	Outlook  egress.Outlook       `json:"outlook"`
	Policy   egress.Policy        `json:"policy"`
	From     time.Time            `json:"from"`  // not before; zero: at once
	Until    time.Time            `json:"until"` // answer then, news or none; zero: never
}

// Poll asks LiveKit until there is news. Between its looks nothing runs and nothing
// is recorded: each look without news is a failed attempt that Temporal's server
// repeats after the delay that the policy names. It only reads, so any number of
// attempts is harmless.
func (a *LiveKit) Poll(ctx context.Context, in PollRequest) (egress.Look, error) {
	now := time.Now()
	if now.Before(in.From) {
		return egress.Look{}, retryIn(stillGoing("first look is not due"), in.From.Sub(now))
	}
	look, why := a.look(ctx, in, now)
	done := why == "" || !in.Until.IsZero() && !time.Now().Before(in.Until)
	if done {
		return look, nil
	}
	n := int(activity.GetInfo(ctx).Attempt)
	if in.From.After(activity.GetInfo(ctx).ScheduledTime) {
		n-- // the first attempt only waited
	}
	delay := in.Policy.Wait(in.Outlook, n, egress.Spread(in.EgressID))
	if !in.Until.IsZero() {
		delay = min(delay, max(time.Until(in.Until), time.Millisecond))
	}
	return egress.Look{}, retryIn(stillGoing(why), delay)
}

// look asks once. why is empty when there is news, else what was seen: it is shown
// among the workflow's pending activities.
func (a *LiveKit) look(ctx context.Context, in PollRequest, now time.Time) (_ egress.Look, why string) {
	m, err := a.api.Get(ctx, in.EgressID)
	var e *egress.Error
	switch {
	case errors.As(err, &e) && e.Reason == egress.NotFound:
		return missing(ctx, in, now)
	case err != nil:
		return egress.Look{}, "LiveKit could not be asked: " + err.Error()
	}
	if activity.HasHeartbeatDetails(ctx) {
		activity.RecordHeartbeat(ctx, time.Time{}) // known again: what missing remembers no longer stands
	}
	info, err := egress.NewInfo(m)
	if err != nil {
		return egress.Look{}, err.Error()
	}
	l := egress.Look{Info: info}
	if egress.Ahead(m.GetStatus(), in.Have) {
		return l, ""
	}
	if in.Room != "" && in.Outlook != egress.OutlookEnding {
		if live, err := a.api.RoomLive(ctx, in.Room); err == nil && !live {
			l.RoomGone = true
			return l, ""
		}
	}
	return l, "still " + m.GetStatus().String()
}

// missing remembers in the heartbeat details since when LiveKit has not known the
// egress, and makes it news once that has stood long enough.
func missing(ctx context.Context, in PollRequest, now time.Time) (egress.Look, string) {
	since := now
	if activity.HasHeartbeatDetails(ctx) {
		var earlier time.Time
		if err := activity.GetHeartbeatDetails(ctx, &earlier); err == nil && !earlier.IsZero() {
			since = earlier
		}
	}
	activity.RecordHeartbeat(ctx, since)
	l := egress.Look{MissingSince: since}
	if now.Sub(since) >= in.Policy.LostAfter.D() {
		return l, ""
	}
	return l, "LiveKit does not know it"
}

func stillGoing(why string) error { return &egress.Error{Reason: egress.StillGoing, Message: why} }
