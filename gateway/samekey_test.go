package gateway_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Temporal knows nothing of a start that went past it, even once it is back.
func TestAKeyThatWentPastTemporalIsTakenByWhatItAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first  func(r egress.Request) (*livekit.EgressInfo, error)
		method string
		body   string
		back   bool
		after  time.Duration
		want   int
	}{
		"another room":                         {nil, "StartRoomCompositeEgress", `{"room_name":"weekly"}`, false, time.Minute, http.StatusConflict},
		"another layout, and Temporal is back": {nil, "StartRoomCompositeEgress", `{"room_name":"daily","layout":"grid"}`, true, time.Minute, http.StatusConflict},
		"another kind":                         {nil, "StartTrackCompositeEgress", `{"room_name":"daily"}`, true, time.Minute, http.StatusConflict},
		"the same":                             {nil, "StartRoomCompositeEgress", `{"room_name":"daily"}`, true, time.Minute, http.StatusOK},
		"long after":                           {nil, "StartRoomCompositeEgress", `{"room_name":"weekly"}`, true, time.Hour, http.StatusOK},
		"LiveKit has refused the first": {func(egress.Request) (*livekit.EgressInfo, error) {
			return nil, egress.Invalidf("layout", "is unknown")
		}, "StartRoomCompositeEgress", `{"room_name":"daily","layout":"grid"}`, true, time.Minute, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				there := b.recordings.begin
				b.recordings.begin = gone
				b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
					if tc.first != nil {
						return tc.first(r)
					}
					return echo(r, "EG_direct"), nil
				}
				b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily"}`, "Idempotency-Key", "call-7")
				<-time.After(tc.after)
				if tc.back {
					b.recordings.begin = there
				}
				require.Equal(t, tc.want, b.call(t, tc.method, tc.body, "Idempotency-Key", "call-7").Code)
				require.Len(t, b.liveKit.started(), 1)
			})
		})
	}
}

// Both arrived before LiveKit was called for either, and the first has its answer when it is the second's
// turn.
func TestOfTwoStartsOfAKeyThatWaitForAWorkerTheSecondIsNotGivenTheFirstsEgress(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]string{
		"another layout, and LiveKit lists the first": `{"room_name":"daily","layout":"grid"}`,
		"another room, and LiveKit lists none there":  `{"room_name":"weekly"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.recordings.begin = gone
				var both sync.WaitGroup
				both.Go(func() { b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily"}`, "Idempotency-Key", "call-7") })
				<-time.After(time.Second)
				w := b.call(t, "StartRoomCompositeEgress", other, "Idempotency-Key", "call-7")
				both.Wait()
				require.Equal(t, "already_exists", refusalIn(t, w).Code, w.Body.String())
				require.Len(t, b.liveKit.started(), 1)
			})
		})
	}
}

// LiveKit has been called for neither yet, and both look for an earlier start of their key.
func TestAForwardedStartAndAnotherOfItsKeyAtOnceAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		b.liveKit.list = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		began := time.Now()
		first := request(t.Context(), t, "StartRoomCompositeEgress", `{"room_name":"daily"}`)
		first.Header.Set("Idempotency-Key", "call-7")
		go b.do(first)
		<-time.After(4 * time.Second) // it waits for a worker for 3 s
		w := b.call(t, "StartRoomCompositeEgress", newStart, "Idempotency-Key", "call-7")
		require.Equal(t, "already_exists", refusalIn(t, w).Code, w.Body.String())
		require.Equal(t, 9*time.Second, time.Since(began), "as soon as the other has its answer")
	})
}
