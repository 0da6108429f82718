package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Its workflow has stopped it, but had no time left to report that.
func TestAStopWhoseWorkflowAnswersTooLateIsAnsweredWithWhatWasStopped(t *testing.T) {
	t.Parallel()
	for status, want := range map[livekit.EgressStatus]int{
		livekit.EgressStatus_EGRESS_COMPLETE:      http.StatusOK,
		livekit.EgressStatus_EGRESS_LIMIT_REACHED: http.StatusRequestTimeout, // it may go on as the next part
		livekit.EgressStatus_EGRESS_FAILED:        http.StatusRequestTimeout,
		livekit.EgressStatus_EGRESS_ACTIVE:        http.StatusPreconditionFailed, // from an outdated list
	} {
		t.Run(status.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.liveKit.add(running("EG_1", "call-1", theirs()))
				b.recordings.stop = func(ctx context.Context, _, _ string) (egress.Info, error) {
					<-ctx.Done()
					m := proto.CloneOf(b.liveKit.items[0])
					m.Status = status
					b.liveKit.items[0] = m
					return egress.Info{}, ctx.Err()
				}
				b.liveKit.stop = func(context.Context, string) (*livekit.EgressInfo, error) {
					return nil, &egress.Error{Reason: egress.AlreadyOver, Code: "failed_precondition", Message: "cannot be stopped"}
				}
				w := b.call(t, "StopEgress", `{"egress_id":"EG_1"}`)
				require.Equal(t, want, w.Code, w.Body.String())
				require.Equal(t, want == http.StatusPreconditionFailed, strings.Contains(w.Body.String(), "cannot be stopped"))
				require.NotContains(t, w.Body.String(), "/webhooks/livekit/", "ours")
			})
		})
	}
}

func TestAStopThatLiveKitHasNotAnsweredMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  *egress.Error
		want refusal
	}{
		"the time was up":   {&egress.Error{Reason: egress.Ambiguous, Code: "internal", Message: "failed to do request: context deadline exceeded"}, refusal{"deadline_exceeded", "no answer in time; it may have been stopped all the same: ask again"}},
		"it was never sent": {&egress.Error{Reason: egress.Unreachable, Code: "internal", Message: "failed to do request: connection refused"}, refusal{"unavailable", "LiveKit not reached"}},
		"LiveKit says so":   {&egress.Error{Reason: egress.Unanswered, Code: "deadline_exceeded", Message: "request timed out"}, refusal{"deadline_exceeded", "request timed out"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.liveKit.add(running("EG_1", ""))
			b.liveKit.stop = func(context.Context, string) (*livekit.EgressInfo, error) { return nil, tc.err }
			require.Equal(t, tc.want, refusalIn(t, b.call(t, "StopEgress", `{"egress_id":"EG_1"}`)))
		})
	}
}
