package gateway_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// The worker was late: no other will ask, and looks for what the door begins.
func TestAStartThatIsHandedBackGoesStraightToLiveKit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		<-time.After(time.Minute) // a door before it has asked for nothing that matters
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
