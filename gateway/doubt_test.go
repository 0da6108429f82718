package gateway_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// unheard is a start that a worker has accepted, and of which Temporal says no more.
func unheard(context.Context, egress.StartOptions) (gateway.Pending, error) {
	return pending(func(context.Context) (egress.Info, error) {
		return egress.Info{}, &egress.Error{Reason: egress.Ambiguous, Err: fmt.Errorf("%w: no such update", egress.ErrTemporal)}
	}), nil
}

// Temporal may have lost it, with what LiveKit had been asked for.
func TestADurableStartOfWhichNothingWasHeardIsLookedForBeforeItIsMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		<-time.After(time.Minute) // until no earlier door matters
		well := b.recordings.begin
		b.recordings.begin = unheard
		w := b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")
		require.Equal(t, "deadline_exceeded", refusalIn(t, w).Code)
		b.recordings.begin = well
		again := func(key, body string) bool {
			infoIn(t, b.call(t, "StartRoomCompositeEgress", body, "Idempotency-Key", key))
			begun := b.recordings.begun()
			return begun[len(begun)-1].Again
		}
		require.True(t, again("call-7", start))
		require.True(t, again("call-7", `{"room_name":"standup"}`), "if the first one was refused, the key is free")
		require.False(t, again("call-8", start), "it was not asked for")
		<-time.After(time.Hour)
		require.False(t, again("call-7", start))
		require.Empty(t, b.liveKit.started())
	})
}

// Which start LiveKit was asked for must not be forgotten.
func TestADoubtLeavesWhatIsKnownOfAStartPastTemporal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		ask := func(body string) string {
			w := b.call(t, "StartRoomCompositeEgress", body, "Idempotency-Key", "call-7")
			if w.Code == 200 {
				return infoIn(t, w).GetEgressId()
			}
			return refusalIn(t, w).Code
		}
		b.recordings.begin = gone
		require.Equal(t, "EG_direct", ask(start))
		b.recordings.begin = unheard
		require.Equal(t, "deadline_exceeded", ask(start))
		require.Equal(t, "already_exists", ask(`{"room_name":"standup"}`))
	})
}
