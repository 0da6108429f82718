package activities_test

import (
	"context"
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
