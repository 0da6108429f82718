package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// leaves is a life that is lost, and whose nth look at the store finds that.
func leaves(t *testing.T, looks *int, finds func(nth int) activities.Verified) *life {
	t.Helper()
	l := looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		*looks++
		return finds(*looks), nil
	})
	start := l.start
	l.start = func(ctx context.Context) (activities.Started, error) {
		s, err := start(ctx)
		s.Terms.Policy.CorrectFor = egress.Duration(24 * time.Hour)
		return s, err
	}
	l.lostForGood()
	return l
}

func left(files ...string) activities.Verified {
	v := activities.Verified{MediaReport: egress.Unchecked("it ended as LOST")}
	for _, f := range files {
		v.Files = append(v.Files, egress.MediaFile{Kind: egress.OutputFile, Path: f, Media: egress.MediaPresent})
	}
	return v
}

func TestWhatALostEgressLeftIsLookedForAgainInTheEnd(t *testing.T) {
	t.Parallel()
	unreached := left("none")
	unreached.Again = true
	for name, tc := range map[string]struct {
		finds []activities.Verified
		want  []egress.MediaFile
	}{
		"it came late":                      {[]activities.Verified{left(), left("a.mp4")}, left("a.mp4").Files},
		"it is there, as it was":            {[]activities.Verified{left("a.mp4"), left("a.mp4")}, left("a.mp4").Files},
		"the store does not answer by then": {[]activities.Verified{left("a.mp4"), unreached}, left("a.mp4").Files},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			l := leaves(t, &looks, func(nth int) activities.Verified { return tc.finds[nth-1] })

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.Lost, v.Status)
			require.Equal(t, tc.want, v.Files)
			require.Equal(t, 2, looks)
			require.Equal(t, []lk.EgressStatus{failed}, l.toldOf(), "nobody is told of it")
			require.Greater(t, l.took(), 24*time.Hour)
		})
	}
}

func TestALostEgressThatEndsDuringTheLastLookIsCorrected(t *testing.T) {
	t.Parallel()
	looks := 0
	l := leaves(t, &looks, nil)
	l.OnActivity("Verify", mock.Anything, mock.Anything).Return(left(), nil).Once()
	l.OnActivity("Verify", mock.Anything, mock.Anything).After(30*time.Minute).Return(left("a.mp4"), nil).Once()
	l.OnActivity("Verify", mock.Anything, mock.Anything).Return(found(egress.MediaPresent, ""), nil)
	l.webhook(24*time.Hour+15*time.Minute, egress.EventEnded, stored(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.Lost, v.Corrects)
	require.Equal(t, egress.MediaPresent, v.Media)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
}

func TestACancelledWorkflowLooksNoMoreForWhatItsEgressLeft(t *testing.T) {
	t.Parallel()
	looks := 0
	l := leaves(t, &looks, func(int) activities.Verified { return left() })
	l.at(10*time.Hour, l.CancelWorkflow)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, 1, looks)
}
