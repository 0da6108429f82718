package gateway_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Nobody waits for LiveKit's answer any more, and a slow start is not listed yet.
func TestAStartPastTemporalWithoutAnAnswerIsSearchedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"its caller went away":      {context.DeadlineExceeded, true},
		"LiveKit's reply was lost":  {&egress.Error{Reason: egress.Ambiguous, Message: "EOF"}, true},
		"LiveKit refused it":        {&egress.Error{Reason: egress.Refused, Message: "no such room"}, false},
		"LiveKit could not be sent": {&egress.Error{Reason: egress.Unreachable, Message: "connection refused"}, false},
		"LiveKit has answered":      {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.recordings.begin = gone
				b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
					return echo(r, "EG_direct"), tc.err
				}
				unlisted := func(key string) bool {
					b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", key)
					begun := b.recordings.begun()
					return begun[len(begun)-1].Unlisted
				}
				require.False(t, unlisted("call-7"))
				b.recordings.begin = nil
				require.Equal(t, tc.want, unlisted("call-7"))
				require.Equal(t, tc.want, b.recordings.begun()[1].StartBy.IsZero(), "the search takes longer than Temporal is given")
				require.False(t, unlisted("call-8"))
				<-time.After(30 * time.Second)
				require.False(t, unlisted("call-7"))
			})
		})
	}
}

// Otherwise a caller with its key would wait for an answer that never comes, until the door ends.
func TestAStartPastTemporalThatPanickedIsSearchedForAsOneWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		answer := b.liveKit.start
		b.liveKit.start = func(context.Context, egress.Request) (*livekit.EgressInfo, error) { panic("a bug") }
		ask := func() *httptest.ResponseRecorder {
			return b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")
		}
		require.Equal(t, "internal", refusalIn(t, ask()).Code)
		b.liveKit.start = answer
		require.Equal(t, "deadline_exceeded", refusalIn(t, ask()).Code)
		require.True(t, b.recordings.begun()[1].Unlisted)
		<-time.After(30 * time.Second)
		require.Equal(t, "EG_direct", infoIn(t, ask()).GetEgressId())
	})
}

func TestAStartPastTemporalWithoutAnAnswerIsNotMadeTwiceWhileLiveKitMayNotListIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		answer := b.liveKit.start
		b.liveKit.start = func(context.Context, egress.Request) (*livekit.EgressInfo, error) {
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "EOF"}
		}
		ask := func() *httptest.ResponseRecorder {
			return b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")
		}
		for range 2 {
			refused := refusalIn(t, ask())
			require.Equal(t, "deadline_exceeded", refused.Code)
			require.Contains(t, refused.Msg, "ask again with the header Idempotency-Key: call-7")
		}
		require.Len(t, b.liveKit.started(), 1)

		<-time.After(30 * time.Second)
		b.liveKit.start = answer
		require.Equal(t, "EG_direct", infoIn(t, ask()).GetEgressId(), "it was never taken")
		require.Len(t, b.liveKit.started(), 2)
	})
}

// Temporal hangs, and the caller must hear of what LiveKit has begun meanwhile.
func TestAStartPastTemporalWithoutAnAnswerIsJoinedInTimeWhereTemporalHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = silent
		b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
			b.liveKit.add(echo(r, "EG_direct"))
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "EOF"}
		}
		ask := func() *httptest.ResponseRecorder {
			return b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")
		}
		require.Equal(t, "deadline_exceeded", refusalIn(t, ask()).Code)
		began := time.Now()
		require.Equal(t, "EG_direct", infoIn(t, ask()).GetEgressId())
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}

// Temporal may have accepted the second start all the same, and that start has no moment after
// which its worker stops asking.
func TestAStartThatIsSearchedForIsLeftToItsWorkerAlsoOnceLiveKitWouldListTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		b.liveKit.start = func(context.Context, egress.Request) (*livekit.EgressInfo, error) {
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "EOF"}
		}
		ask := func() string {
			return refusalIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")).Code
		}
		require.Equal(t, "deadline_exceeded", ask())
		b.recordings.begin = silent
		<-time.After(egress.Unlisted + 4*time.Second) // LiveKit would list the first 2 s later, and Temporal takes 3 s
		require.Equal(t, "deadline_exceeded", ask())
		require.True(t, b.recordings.begun()[1].Unlisted)
		require.Len(t, b.liveKit.started(), 1)
	})
}

// A caller that got no answer to a start may ask again under another key.
func TestWhatIsAskedForSoonAfterAnOutageIsSearchedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		back := b.recordings.begin
		<-time.After(time.Hour) // no earlier door matters
		again := func(key string) bool {
			b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", key)
			begun := b.recordings.begun()
			return begun[len(begun)-1].Again
		}
		require.False(t, again("call-7"))
		b.recordings.begin = gone
		require.False(t, again("call-8"))
		b.recordings.begin = back
		require.True(t, again("call-9"))
		<-time.After(time.Minute)
		require.False(t, again("call-9"))
	})
}
