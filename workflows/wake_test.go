package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// waiting is a poll as the activity does it: it waits until its first look is due, and is
// then repeated until there is news, or an answer is wanted.
func (l *life) waiting(look func(in activities.PollRequest) egress.Look) func(activities.PollRequest) (egress.Look, error) {
	missing := map[time.Time]time.Time{} // by poll: since when, as its heartbeats keep it
	return func(in activities.PollRequest) (egress.Look, error) {
		now := l.Now()
		if now.Before(in.From) {
			return egress.Look{}, later(in.From.Sub(now))
		}
		seen := look(in)
		news := seen.Info.Known() && egress.Ahead(seen.Info.Proto().GetStatus(), in.Have)
		if !seen.Info.Known() {
			for _, since := range []time.Time{in.MissingSince, now} {
				if missing[in.From].IsZero() {
					missing[in.From] = since
				}
			}
			seen.MissingSince = missing[in.From]
			news = now.Sub(seen.MissingSince) >= in.Policy.LostAfter.D()
		}
		if news || !in.Until.IsZero() && !now.Before(in.Until) {
			return seen, nil
		}
		wait := 40 * time.Second
		if !in.Until.IsZero() {
			wait = min(wait, in.Until.Sub(now))
		}
		return egress.Look{}, later(wait)
	}
}

// later is what a poll says that is to be repeated after that long.
func later(d time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("no news", string(egress.StillGoing), temporal.ApplicationErrorOptions{NextRetryDelay: max(d, time.Millisecond)})
}

// No webhook comes. LiveKit lost its redis, and the caller's stop is the first to hear.
func TestWhatLiveKitDoesNotKnowIsLostSoonAlsoWhereNobodyTells(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	gone := l.began.Add(time.Minute)
	l.poll = l.waiting(func(activities.PollRequest) egress.Look {
		if l.Now().Before(gone) {
			return egress.Look{Info: info(t, active)}
		}
		return egress.Look{}
	})
	l.stop = func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.NotFound, "egress does not exist")
	}
	l.at(2*time.Minute, func() { l.askStop("stop", nil) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, "LiveKit no longer knows the egress", v.Because)
	require.Less(t, l.took(), 5*time.Minute)
}

// No webhook comes, so that a poll does the waiting.
func TestWhatIsDueAtAMomentIsDoneThen(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	var stopped time.Duration
	l.stop = func(string) (egress.Info, error) {
		stopped = l.Now().Sub(l.began)
		return info(t, ending), nil
	}
	l.poll = l.waiting(func(activities.PollRequest) egress.Look {
		if stopped > 0 {
			return egress.Look{Info: info(t, complete)}
		}
		return egress.Look{Info: info(t, active)}
	})
	in := plainInput(t)
	in.MaxDuration = egress.Duration(3 * time.Minute)

	v := l.mustRun(in)

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, 3*time.Minute, stopped.Round(time.Second))
}

// The rate of all polls is bounded, so that its poll is not repeated when the recording is to stop.
func TestALimitDoesNotWaitForThePollsTurn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		does   func(*life)
		want   time.Duration
		timers int // each is an event
	}{
		"of which little is heard": {func(l *life) { l.webhook(time.Minute, egress.EventUpdated, message(egressID, active)) }, time.Hour, 1},
		"that began before its start was answered": {func(l *life) {
			l.slowStart(30 * time.Second)
			before, m := message(egressID, lk.EgressStatus_EGRESS_STARTING), message(egressID, active)
			before.StartedAt, m.StartedAt = 0, l.began.Add(10*time.Second).UnixNano()
			l.start = func(context.Context) (activities.Started, error) {
				return activities.Started{Info: infoOf(t, before), Terms: terms()}, nil
			}
			l.webhook(10*time.Minute, egress.EventUpdated, m)
		}, time.Hour + 10*time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if turn := in.Until.Add(8 * time.Minute); l.Now().Before(turn) {
					return egress.Look{}, later(turn.Sub(l.Now()))
				}
				return egress.Look{Info: info(t, active)}, nil
			}
			var stopped time.Duration
			l.stop = func(string) (egress.Info, error) {
				stopped = l.took()
				return info(t, complete), nil
			}
			tc.does(l)
			timers := 0
			l.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
				if d > 30*time.Minute { // not for a look
					timers++
				}
			})
			in := plainInput(t)
			in.MaxDuration = egress.Duration(time.Hour)

			v := l.mustRun(in)

			require.Equal(t, egress.StopMaxDuration, v.Stopped)
			require.Equal(t, tc.want, stopped.Round(time.Second))
			require.Equal(t, tc.timers, timers)
		})
	}
}

// A worker whose clock is ahead would answer at once, again and again.
func TestAnEndThatIsHeldIsNotLookedAtBeforeItsTime(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.Policy.HoldFor = egress.Duration(30 * time.Second)
		return activities.Started{Info: info(t, lk.EgressStatus_EGRESS_STARTING), Terms: terms}, nil
	}
	var asked []time.Duration
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.Have == failed {
			asked = append(asked, l.Now().Sub(in.From))
		}
		return egress.Look{Info: info(t, failed)}, nil
	}

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	require.Len(t, asked, 1)
	require.GreaterOrEqual(t, asked[0], time.Duration(0))
}

// Another has begun it: what was asked for is a length of the recording.
func TestAMaximumCountsFromWhenTheRecordingBegan(t *testing.T) {
	t.Parallel()
	limit := egress.Duration(time.Hour)
	ours, again := plainInput(t), plainInput(t)
	ours.MaxDuration, again.MaxDuration, again.Again = limit, limit, true
	for name, tc := range map[string]struct {
		in   egress.Input
		want time.Duration
	}{
		"which an earlier run began":  {again, 20 * time.Minute},
		"which this run began":        {ours, time.Hour},
		"that Temporal had forgotten": {egress.Adoption(info(t, active), egress.Extras{MaxDuration: limit}), 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			m := message(egressID, active)
			m.StartedAt = l.began.Add(-40 * time.Minute).UnixNano()
			l.start = func(context.Context) (activities.Started, error) {
				return activities.Started{Info: infoOf(t, m), Terms: terms()}, nil
			}
			if tc.in.Adopted {
				l.webhook(0, egress.EventUpdated, m)
			}
			l.stop = func(string) (egress.Info, error) { return info(t, complete), nil }

			v := l.mustRun(tc.in)

			require.Equal(t, egress.StopMaxDuration, v.Stopped)
			require.InDelta(t, tc.want.Seconds(), l.took().Seconds(), 90)
		})
	}
}
