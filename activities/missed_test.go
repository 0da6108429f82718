package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// endpoint returns what is known of our webhook endpoint.
type endpoint func(ctx context.Context, from, to time.Time) (egress.Reported, error)

func (e endpoint) Minutes(ctx context.Context, from, to time.Time) (egress.Reported, error) {
	return e(ctx, from, to)
}

// well returns an endpoint that was up for an hour, and refused so many webhooks in its last
// minutes.
func well(refused int) endpoint {
	return func(_ context.Context, _, _ time.Time) (egress.Reported, error) {
		first := time.Now().Add(-time.Hour)
		m := egress.Minute{From: first, Until: time.Now(), Every: egress.Duration(time.Minute), Refused: refused}
		return egress.Reported{Minutes: []egress.Minute{m}, First: first, Last: m.Until, Every: m.Every}, nil
	}
}

// endedAgo returns an egress that ended that long ago.
func endedAgo(d time.Duration) func(int) (*lk.EgressInfo, error) {
	return func(int) (*lk.EgressInfo, error) {
		m := status(complete)
		m.EndedAt = time.Now().Add(-d).UnixNano()
		return m, nil
	}
}

func TestThePollThatSeesAnEndSaysWhyItsWebhookWasMissed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		endpoint endpoint
		told     bool
		want     egress.Missed
		because  string
	}{
		"it was well":    {well(0), true, egress.MissedUntried, "others of this egress came"},
		"none ever came": {well(0), false, egress.MissedUntried, "none of this egress came"},
		"it refused":     {well(3), true, egress.MissedRefused, "refused 3 of 3 webhooks"},
		"it has never reported": {func(context.Context, time.Time, time.Time) (egress.Reported, error) {
			return egress.Reported{}, because(egress.NotFound)
		}, true, egress.MissedUnclassified, "the endpoint has never reported"},
		"nobody can be asked": {func(context.Context, time.Time, time.Time) (egress.Reported, error) {
			return egress.Reported{}, errors.New("no worker")
		}, true, egress.MissedUnclassified, "it could not be found out how the endpoint was: no worker"},
		"nobody answers": {func(ctx context.Context, _, _ time.Time) (egress.Reported, error) {
			<-ctx.Done()
			return egress.Reported{}, ctx.Err()
		}, true, egress.MissedUnclassified, "it could not be found out how the endpoint was"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onGet: endedAgo(time.Minute)}
				look, err := pollOf(t, a, question(func(in *activities.PollRequest) { in.WebhookSeen = tc.told }), tc.endpoint)
				require.NoError(t, err)
				require.Equal(t, tc.want, look.Missed)
				require.Contains(t, look.MissedBecause, tc.because)
				require.LessOrEqual(t, time.Since(a.began), 5*time.Second)
			})
		})
	}
}

func TestTheEndpointIsAskedOfTheTimeInWhichLiveKitTries(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		now := time.Now()
		_, err := pollOf(t, &api{onGet: endedAgo(5 * time.Minute)}, question(), func(_ context.Context, from, to time.Time) (egress.Reported, error) {
			require.True(t, from.Equal(now.Add(-5*time.Minute)))
			require.Equal(t, 70*time.Second, to.Sub(from))
			return egress.Reported{}, nil
		})
		require.NoError(t, err)
	})
}

func TestAPollThatSeesNoEndAsksNobodyAboutIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		look, err := pollOf(t, &api{onGet: is(active)}, question(have(starting, egress.OutlookStarting)), func(context.Context, time.Time, time.Time) (egress.Reported, error) {
			t.Error("the endpoint was asked")
			return egress.Reported{}, nil
		})
		require.NoError(t, err)
		require.Empty(t, look.Missed)
		require.Empty(t, look.MissedBecause)
	})
}

func TestARoundAsksTheEndpointOnceForAllEnds(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		now := time.Now()
		asked := 0
		minute := func(from time.Duration, m egress.Minute) egress.Minute {
			m.From, m.Every = now.Add(-from), egress.Duration(time.Minute)
			m.Until, m.Due = m.From.Add(time.Minute), m.Every
			return m
		}
		b := &told{both: &both{}, missed: map[string]egress.Missed{}}
		for id, ended := range map[string]time.Duration{"EG_1": 10 * time.Minute, "EG_2": 5 * time.Minute, "EG_3": 2 * time.Minute} {
			m := over(id)
			m.EndedAt = now.Add(-ended).UnixNano()
			b.items, b.running = append(b.items, m), append(b.running, workflowOf("r-"+id, id))
		}
		r, _ := roundAhead(t, activities.NewReconciler(activities.ReconcilerConfig{
			Grace: egress.Duration(time.Minute),
			Endpoint: endpoint(func(_ context.Context, from, to time.Time) (egress.Reported, error) {
				asked++
				ring := egress.Ring{Minutes: []egress.Minute{
					minute(10*time.Minute, egress.Minute{Refused: 1}), minute(9*time.Minute, egress.Minute{}),
					minute(5*time.Minute, egress.Minute{Unavailable: 1}), minute(4*time.Minute, egress.Minute{}),
					minute(2*time.Minute, egress.Minute{Accepted: 1}), minute(time.Minute, egress.Minute{}),
				}}
				return ring.Between(from, to), nil
			}),
		}, b, b, keys(t)), true)
		require.Equal(t, 3, r.Nudged)
		require.Equal(t, map[string]egress.Missed{"EG_1": egress.MissedRefused, "EG_2": egress.MissedDown, "EG_3": egress.MissedUntried}, b.missed)
		require.Equal(t, 1, asked)
	})
}

// told remembers of which class the missed webhooks were that workflows were told of.
type told struct {
	*both
	missed map[string]egress.Missed
}

func (b *told) Tell(ctx context.Context, requestID string, e egress.Event) (bool, error) {
	var said struct{ Missed egress.Missed }
	if err := json.Unmarshal(e.Raw(), &said); err != nil {
		return false, err
	}
	b.mu.Lock()
	b.missed[e.Proto().GetEgressInfo().GetEgressId()] = said.Missed
	b.mu.Unlock()
	return b.both.Tell(ctx, requestID, e)
}

// pollOf makes one attempt of a poll, with an endpoint.
func pollOf(t *testing.T, a *api, in activities.PollRequest, e endpoint) (l egress.Look, err error) {
	t.Helper()
	env := newEnv(a)
	act := activitiesOf(t, a, func(c *activities.Config) { c.Endpoint = e })
	env.RegisterActivity(act.Poll)
	v, err := env.ExecuteActivity(act.Poll, in)
	require.NoError(t, err)
	return l, v.Get(&l)
}
