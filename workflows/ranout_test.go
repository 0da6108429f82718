package workflows_test

import (
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// ranOut is how an activity fails whose time is over before an attempt answered: no worker may have
// run meanwhile.
func ranOut() error { return temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil) }

func TestWhatNoWorkerCouldTellInItsTimeIsToldByTheNextOne(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	h := l.hook(true)
	l.lived()
	answers := []error{down(time.Second), ranOut(), down(time.Second), nil}
	l.announce = func(egress.Event) error { return answers[len(l.asked)-1] }

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{egress.StepAnnounce}, v.Delivered)
	require.Len(t, l.asked, 4)
	require.Empty(t, h.begun, "no person is needed")
}

func TestWhatNoWorkerCouldLookAtInItsTimeIsLookedAtByTheNextOne(t *testing.T) {
	t.Parallel()
	behind := 0
	l := looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		if !in.Behind {
			return activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, nil
		}
		if behind++; behind == 1 {
			return activities.Verified{}, ranOut()
		}
		return found(egress.MediaPresent, ""), nil
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.MediaPresent, v.Media)
	require.Equal(t, 2, behind)
}

func TestANoticeThatNoWorkerCouldSendInItsTimeIsSentByTheNextOne(t *testing.T) {
	t.Parallel()
	answers := []error{ranOut(), nil}
	_, err := notice(t, func(int) error {
		next := answers[0]
		answers = answers[1:]
		return next
	})
	require.NoError(t, err)
	require.Empty(t, answers)
}
