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

// It waits for somebody who publishes, in a network from which it reaches LiveKit and not Temporal,
// which has given the start to another worker.
func TestAStartThatWaitedForLongLooksForThatOfAnotherWorker(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		quiet  int // looks at the room that find nobody
		listed []*lk.EgressInfo
		want   []string
	}{
		"another began it": {6, []*lk.EgressInfo{withToken(t, "EG_other", requestID, 2)}, []string{"35s list " + room}},
		"no other did":     {6, nil, []string{"35s list " + room, "35s start"}},
		"it was short":     {5, []*lk.EgressInfo{withToken(t, "EG_other", requestID, 2)}, []string{"25s start"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{live: true, publishers: 1, quiet: tc.quiet, onStart: accepts, onList: lists(tc.listed...)}
				in := plain(roomRequest())
				in.Part, in.RoomID, in.Published = 2, "RM_1", true
				var s activities.Started
				require.NoError(t, newAttempts(a).run(activitiesOf(t, a).Start, in, &s))
				require.Equal(t, tc.want, a.log[tc.quiet+1:])
			})
		})
	}
}
