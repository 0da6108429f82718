package activities_test

import (
	"slices"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/activities"
)

// Temporal heard no heartbeat meanwhile, so another attempt may have asked LiveKit.
func TestAStartWhoseWorkerStoodStillIsSearchedForBeforeItIsSent(t *testing.T) {
	t.Parallel()
	const patience = 30 * time.Second // of Temporal, for a heartbeat
	other := []*lk.EgressInfo{ours(t, "EG_other")}
	for name, tc := range map[string]struct {
		waited time.Duration // for its worker
		starts []error       // LiveKit's first answers
		looks  []error
		stood  time.Duration // as it waited to ask again
		listed []*lk.EgressInfo
		want   []string
	}{
		"shortly":                      {0, []error{unreachable}, nil, patience, other, []string{"0s start", "1s start"}},
		"for longer":                   {0, []error{unreachable}, nil, patience + 1, other, []string{"0s start", "1s list " + room}},
		"for longer, and no other did": {0, []error{unreachable}, nil, patience + 1, nil, slices.Concat([]string{"0s start"}, searched(time.Second), []string{"1m31s start"})},
		"before it was sent": {
			20 * time.Second, nil, []error{unreachable}, patience + 1, nil,
			slices.Concat([]string{"0s list " + room, "1s list " + room}, searched(time.Second), []string{"1m31s start"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				stood := time.Duration(0)
				a := &api{onStart: fails(tc.starts...), onList: func(n int) ([]*lk.EgressInfo, error) {
					return tc.listed, slices.Concat(tc.looks, make([]error, n))[n-1]
				}}
				once := newAttempts(a)
				once.options.HeartbeatTimeout = patience
				once.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&waited{d: tc.waited}}})
				act := activitiesOf(t, a, func(c *activities.Config) {
					c.Wall = func() time.Time {
						defer func() { stood = tc.stood }()
						return time.Now().Add(stood)
					}
				})
				var s activities.Started
				require.NoError(t, once.run(act.Start, plain(roomRequest()), &s))
				require.Equal(t, tc.want, a.log)
			})
		})
	}
}
