package activities

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// again repeats the meaning of the reasons: a change of either list must be deliberate.
var again = map[egress.Reason]bool{
	egress.Refused: false, egress.Denied: false, egress.NotFound: false, egress.AlreadyOver: false, egress.NoEcho: false,
	egress.TooLate: false, egress.HandedBack: false, egress.Invalid: false, egress.Conflict: false, egress.Sealed: false,
	egress.Unanswered: true, egress.Unreachable: true, egress.RateLimited: true, egress.Unavailable: true,
	egress.Ambiguous: true, egress.StillGoing: true, egress.ConsumerFailed: true, egress.HeldBack: true, egress.Internal: true,
}

func TestAStartThatIsTooLateSaysWhatTheClocksSay(t *testing.T) {
	t.Parallel()
	by := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const late = "not started before 2026-03-04T05:06:07Z"
	for want, s := range map[string]*starting{
		late: {by: by, ahead: 400 * time.Millisecond},
		late + "; by this worker's clock the attempt came 2.5 s after Temporal had sent it":  {by: by, ahead: 2500 * time.Millisecond},
		late + "; by this worker's clock the attempt came -1.0 s after Temporal had sent it": {by: by, ahead: -time.Second, onlyLook: true},
	} {
		require.Equal(t, want, s.missed())
		require.Equal(t, want+"; no earlier start found", s.tooLate())
	}
	require.Equal(t, "LiveKit lists no earlier start, and none is made", (&starting{onlyLook: true, ahead: time.Hour}).tooLate())
}

func TestEveryReasonIsARetryDecision(t *testing.T) {
	t.Parallel()
	require.Len(t, retriable, len(egress.Reasons()))
	require.Len(t, again, len(egress.Reasons()))
	for _, reason := range egress.Reasons() {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			require.Contains(t, retriable, reason)
			cause := &egress.Error{Reason: reason, Code: "a_code", Message: "what LiveKit said", Field: "a_field"}
			a := application(t, toTemporal(fmt.Errorf("start egress: %w", cause)))
			require.Equal(t, string(reason), a.Type())
			require.Equal(t, !again[reason], a.NonRetryable())
			require.Zero(t, a.NextRetryDelay())
			var told egress.Error
			require.NoError(t, a.Details(&told))
			require.Equal(t, egress.Error{Reason: reason, Code: "a_code", Message: "what LiveKit said", Field: "a_field"}, told)
		})
	}
}

func TestALookWithoutNewsAndAWaitAreNoFailuresToLogOrCount(t *testing.T) {
	t.Parallel()
	for _, reason := range egress.Reasons() {
		want := map[bool]temporal.ApplicationErrorCategory{
			true: temporal.ApplicationErrorCategoryBenign, false: temporal.ApplicationErrorCategoryUnspecified,
		}[reason == egress.StillGoing || reason == egress.HeldBack || reason == egress.HandedBack]
		require.Equal(t, want, application(t, toTemporal(&egress.Error{Reason: reason})).Category(), reason)
	}
}

func TestAnErrorOfNoReasonIsOursAndTriedAgain(t *testing.T) {
	t.Parallel()
	a := application(t, toTemporal(errors.New("a fault")))
	require.Equal(t, string(egress.Internal), a.Type())
	require.False(t, a.NonRetryable())
	require.Equal(t, "a fault", a.Message())
}

func TestNoErrorStaysNone(t *testing.T) {
	t.Parallel()
	require.NoError(t, toTemporal(nil))
	require.NoError(t, retryIn(nil, time.Second))
}

func TestADelayIsPassedOn(t *testing.T) {
	t.Parallel()
	require.Equal(t, time.Minute, application(t, retryIn(stillGoing("still EGRESS_ACTIVE"), time.Minute)).NextRetryDelay())
}

func TestAStartThatItsWorkerCouldNotFinishIsLeftToAnotherOne(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s := &starting{LiveKit: NewLiveKit(Config{}, nil, nil)}
	a := application(t, toTemporal(s.gaveUp(ctx, errors.New("cut"))))
	require.Equal(t, string(egress.Ambiguous), a.Type())
	require.False(t, a.NonRetryable())
}

func application(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var a *temporal.ApplicationError
	require.ErrorAs(t, err, &a)
	return a
}
