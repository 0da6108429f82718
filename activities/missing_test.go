package activities_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// seen is what an earlier attempt has left in its heartbeat details.
type seen struct {
	MissingSince time.Time `json:"missing_since"`
	IdleSince    time.Time `json:"idle_since,omitzero"`
}

var notFound = because(egress.NotFound)

func TestAnEgressIsMissingOnceLiveKitHasNotKnownItForLongEnough(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		since time.Duration
		news  bool
	}{
		"almost":      {time.Minute - 1, false},
		"long enough": {time.Minute, true},
		"for hours":   {3 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				since := time.Now().Add(-tc.since)
				look, err := poll(t, &api{onGet: gets(notFound)}, question(), seen{MissingSince: since})
				require.Equal(t, tc.news, err == nil)
				require.Equal(t, tc.news, look.MissingSince.Equal(since))
				require.False(t, look.Info.Known())
			})
		})
	}
}

// answered returns LiveKit's answers to the looks of one poll, in turn.
func answered(of ...func(int) (*lk.EgressInfo, error)) func(int) (*lk.EgressInfo, error) {
	return func(n int) (*lk.EgressInfo, error) { return of[min(n, len(of))-1](n) }
}

// pollUntilNews repeats a poll as Temporal does, on the bubble's clock.
func pollUntilNews(t *testing.T, a *api, in activities.PollRequest) (look egress.Look) {
	t.Helper()
	act := activitiesOf(t, a)
	env := newAttempts(a)
	env.options.HeartbeatTimeout = 0
	env.options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1}
	err := env.run(func(ctx context.Context, in activities.PollRequest) (egress.Look, error) {
		l, err := act.Poll(ctx, in)
		if err == nil {
			look = l
			return l, nil
		}
		pass(stillGoing(t, err))
		return l, errors.New("the server's to repeat")
	}, in, nil)
	require.NoError(t, err)
	return look
}

func TestMissingIsRememberedOverAttempts(t *testing.T) {
	down, unknown, known := gets(because(egress.Ambiguous)), gets(notFound), is(active)
	t.Parallel()
	for name, tc := range map[string]struct {
		looks []func(int) (*lk.EgressInfo, error)
		since time.Duration // from the first look; looks come after 40 s, then 60 s
		until time.Duration
	}{
		"from the first not_found on":                    {looks(unknown), 0, 100 * time.Second},
		"and LiveKit being down between tells nothing":   {looks(unknown, down, unknown), 0, 100 * time.Second},
		"but being down is not missing":                  {looks(down, down, down, unknown), 160 * time.Second, 220 * time.Second},
		"and an egress that is known again begins anew":  {looks(unknown, known, unknown), 100 * time.Second, 160 * time.Second},
		"also when it was known again after a long time": {looks(unknown, known, known, known, known, unknown), 280 * time.Second, 340 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				began := time.Now()
				look := pollUntilNews(t, &api{onGet: answered(tc.looks...)}, question(web, have(active, egress.OutlookEnding)))
				require.Equal(t, tc.since, look.MissingSince.Sub(began))
				require.Equal(t, tc.until, time.Since(began))
			})
		})
	}
}

// An earlier poll, or a stop, was told that LiveKit does not know it.
func TestAPollGoesOnFromWhenItsEgressWasMissed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := question(web, until(time.Minute))
		in.MissingSince = time.Now().Add(-egress.DefaultPolicy().LostAfter.D())
		look, err := poll(t, &api{onGet: gets(notFound)}, in)
		require.NoError(t, err, "it has been missing for long enough")
		require.Equal(t, in.MissingSince, look.MissingSince.Local())

		_, err = poll(t, &api{onGet: is(active)}, in)
		stillGoing(t, err)
		in.Until = time.Now()
		look, err = poll(t, &api{onGet: is(active)}, in)
		require.NoError(t, err)
		require.Zero(t, look.MissingSince, "LiveKit knows it again")
	})
}

func looks(of ...func(int) (*lk.EgressInfo, error)) []func(int) (*lk.EgressInfo, error) { return of }

func TestLiveKitBeingDownNeverMakesAnEgressMissing(t *testing.T) {
	t.Parallel()
	others := slices.DeleteFunc(egress.Reasons(), func(r egress.Reason) bool { return r == egress.NotFound })
	for _, reason := range others {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				_, err := poll(t, &api{onGet: gets(because(reason))}, question(), seen{MissingSince: time.Now().Add(-24 * time.Hour)})
				stillGoing(t, err)
			})
		})
	}
}
