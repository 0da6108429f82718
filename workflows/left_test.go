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
	"github.com/reelkeeper/reelkeeper/workflows"
)

// leaves is a life that is lost, whose last news is that, and whose nth look at the store finds that.
func leaves(t *testing.T, news *lk.EgressInfo, looks *int, finds func(nth int) activities.Verified) *life {
	t.Helper()
	l := looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		*looks++
		return finds(*looks), nil
	})
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.VerifyFor, terms.Policy.CorrectFor = egress.Duration(time.Minute), egress.Duration(24*time.Hour)
		return activities.Started{Info: infoOf(t, news), Terms: terms}, nil
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
		"more came":                         {[]activities.Verified{left("a.mp4"), left("b.mp4", "a.mp4")}, left("b.mp4", "a.mp4").Files},
		"it was fetched meanwhile":          {[]activities.Verified{left("a.mp4"), left()}, left("a.mp4").Files},
		"another was fetched meanwhile":     {[]activities.Verified{left("a.mp4"), left("b.mp4")}, left("a.mp4").Files},
		"the store does not answer by then": {[]activities.Verified{left("a.mp4"), unreached}, left("a.mp4").Files},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			l := leaves(t, stored(egressID, active), &looks, func(nth int) activities.Verified { return tc.finds[nth-1] })

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.Lost, v.Status)
			require.Equal(t, tc.want, v.Files)
			require.Equal(t, 2, looks)
			require.Equal(t, []lk.EgressStatus{failed}, l.toldOf(), "nobody is told of it")
			require.Greater(t, l.took(), 24*time.Hour)
		})
	}
}

// A store that is down holds nobody up, since no media is expected; but segments need a playlist.
func TestAStoreThatIsDownIsNotAskedOnForTheFilesOfALostEgress(t *testing.T) {
	t.Parallel()
	down := left()
	down.Again = true
	file := stored(egressID, active)
	file.Request = &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
		FileOutputs: []*lk.EncodedFileOutput{{Output: &lk.EncodedFileOutput_S3{S3: &lk.S3Upload{Bucket: "b"}}}},
	}}
	for name, tc := range map[string]struct {
		news  *lk.EgressInfo
		looks int
	}{
		"a file":   {file, 2},
		"segments": {stored(egressID, active), 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			l := leaves(t, tc.news, &looks, func(nth int) activities.Verified {
				if nth == 1 {
					return down
				}
				return left("a.mp4")
			})

			v := l.mustRun(plainInput(t))

			require.Equal(t, left("a.mp4").Files, v.Files)
			require.Equal(t, tc.looks, looks)
		})
	}
}

func TestWhatALostEgressLeftInLiveKitsBackupStorageIsCountedOnce(t *testing.T) {
	t.Parallel()
	looks, news := 0, stored(egressID, active)
	news.BackupStorageUsed = true
	l := leaves(t, news, &looks, func(nth int) activities.Verified { return left([]string{"a.mp4", "b.mp4"}[:nth]...) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.MediaMissing, v.Media)
	require.Len(t, v.Files, 2)
	require.Len(t, l.counted.of(workflows.MetricMedia), 1)
}

func TestALostEgressThatEndsDuringTheLastLookIsCorrected(t *testing.T) {
	t.Parallel()
	looks := 0
	l := leaves(t, stored(egressID, active), &looks, nil)
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
	l := leaves(t, stored(egressID, active), &looks, func(int) activities.Verified { return left() })
	l.at(10*time.Hour, l.CancelWorkflow)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, 1, looks)
}
