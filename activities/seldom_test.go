package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAnEgressIsAskedForSeldomWhileTheReconcilerIsWell(t *testing.T) {
	t.Parallel()
	usual := egress.DefaultPolicy().Wait(egress.OutlookActive, 0, egress.Spread(egressID))
	watched, _ := egress.DefaultPolicy().Watched(egress.Duration(time.Minute), 1, egress.Spread(egressID))
	require.Greater(t, watched, 2*usual)
	uploading := func(in *activities.PollRequest) {
		have(ending, egress.OutlookEnding)(in)
		in.Policy.LookEnding = in.Policy.LookEnding[2:] // as if it had already been looked at that often
	}
	for name, tc := range map[string]struct {
		well  bool
		every time.Duration
		api   *api
		in    func(*activities.PollRequest)
		want  time.Duration
	}{
		"it is well":                 {true, time.Minute, &api{onGet: is(active), live: true}, web, watched},
		"it is not":                  {false, time.Minute, &api{onGet: is(active), live: true}, web, usual},
		"its rounds are seldom":      {true, time.Hour, &api{onGet: is(active), live: true}, web, usual},
		"it is off":                  {true, 0, &api{onGet: is(active), live: true}, web, usual},
		"an end is expected":         {true, time.Minute, &api{onGet: is(active), live: true}, have(active, egress.OutlookEnding), 40 * time.Second},
		"it starts":                  {true, time.Minute, &api{onGet: is(starting), live: true}, have(starting, egress.OutlookStarting), 30 * time.Second},
		"it has begun to upload":     {true, time.Minute, &api{onGet: is(ending)}, have(ending, egress.OutlookEnding), 40 * time.Second},
		"it uploads for long":        {true, time.Minute, &api{onGet: is(ending)}, uploading, usual},
		"… listed as active":         {true, time.Minute, &api{onGet: is(active)}, uploading, usual},
		"… and it is not well":       {false, time.Minute, &api{onGet: is(ending)}, uploading, time.Minute},
		"its room is gone":           {true, time.Minute, &api{onGet: is(active)}, func(*activities.PollRequest) {}, 20 * time.Second},
		"LiveKit does not know it":   {true, time.Minute, &api{onGet: gets(because(egress.NotFound))}, web, usual},
		"LiveKit could not be asked": {true, time.Minute, &api{onGet: gets(because(egress.Ambiguous))}, web, usual},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				env := newEnv(tc.api)
				act := activitiesOf(t, tc.api, func(c *activities.Config) {
					c.ReconcileEvery, c.Reconciling = egress.Duration(tc.every), func(context.Context) bool { return tc.well }
				})
				env.RegisterActivity(act.Poll)
				_, err := env.ExecuteActivity(act.Poll, question(tc.in))
				require.InDelta(t, tc.want, stillGoing(t, err), float64(10*time.Nanosecond))
			})
		})
	}
}
