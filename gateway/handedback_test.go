package gateway_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// The worker was late: no other worker will call LiveKit, but looks for what the door begins.
func TestAStartThatIsHandedBackGoesStraightToLiveKit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		<-time.After(time.Minute) // until no earlier door matters
		began := time.Now()
		b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
			return pending(func(context.Context) (egress.Info, error) {
				<-time.After(time.Until(began.Add(4 * time.Second)))
				return egress.Info{}, &egress.Error{Reason: egress.HandedBack, Message: "not started before noon"}
			}), nil
		}
		ask := func(key string) *livekit.EgressInfo {
			return infoIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", key))
		}
		require.Equal(t, "EG_direct", ask("call-7").GetEgressId())
		require.Equal(t, 4*time.Second, time.Since(began), "at once")
		require.Equal(t, []string{"daily"}, b.liveKit.looked())
		require.Len(t, b.liveKit.started(), 1)
		require.True(t, proto.Equal(ours("call-7"), b.liveKit.started()[0].GetWebhooks()[0]))
		require.Equal(t, map[string]int64{"StartRoomCompositeEgress failed_open": 1}, b.counts(t))
		line := b.line(t)
		require.Equal(t, "failed_open", line["outcome"])
		require.Contains(t, line["error"], "not started before noon")

		ask("call-8")
		require.False(t, b.recordings.begun()[1].Again, "its workflow has the key, and no other need be looked for")
	})
}

// LiveKit may have it, and may not list it yet.
func TestAStartThatIsHandedBackAfterAnotherCallHasAskedInVainIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = func(ctx context.Context, s egress.StartOptions) (gateway.Pending, error) {
			if len(b.recordings.begun()) > 1 {
				return silent(ctx, s)
			}
			return pending(func(context.Context) (egress.Info, error) {
				<-time.After(5 * time.Second)
				return egress.Info{}, &egress.Error{Reason: egress.HandedBack, Message: "late"}
			}), nil
		}
		b.liveKit.start = func(context.Context, egress.Request) (*livekit.EgressInfo, error) {
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "EOF"}
		}
		var both sync.WaitGroup
		for n := range 2 {
			both.Go(func() {
				<-time.After(time.Duration(n) * 500 * time.Millisecond)
				w := b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")
				require.Equal(t, "deadline_exceeded", refusalIn(t, w).Code)
			})
		}
		both.Wait()
		require.Len(t, b.liveKit.started(), 1)
	})
}

// The door has another secret than the workers, or is newer: they cannot read what it seals.
func TestAStartThatNoWorkerCanReadGoesStraightToLiveKit(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]int{2 * time.Second: 1, 0: 0} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil, func(c *gateway.Config) { c.FailOpenAfter = after })
			b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
				return pending(func(context.Context) (egress.Info, error) {
					return egress.Info{}, &egress.Error{Reason: egress.Sealed, Message: "the worker lacks the secret"}
				}), nil
			}
			began := time.Now()
			w := b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")
			require.Len(t, b.liveKit.started(), want)
			require.Zero(t, time.Since(began))
			if want == 0 {
				require.Equal(t, "internal", refusalIn(t, w).Code, "it never fails open")
				return
			}
			require.Equal(t, "EG_direct", infoIn(t, w).GetEgressId())
			require.Equal(t, map[string]int64{"StartRoomCompositeEgress failed_open": 1}, b.counts(t))
		})
	}
}
