package activities_test

import (
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// lostSince returns the request to verify a lost room composite of a file and images, which LiveKit
// last saw at work.
func lostSince(t *testing.T, began time.Time) activities.VerifyRequest {
	t.Helper()
	in := verifying(t, egress.Lost, 0)
	request := &livekit.RoomCompositeEgressRequest{
		FileOutputs:  []*livekit.EncodedFileOutput{{Filepath: "a.mp4"}},
		ImageOutputs: []*livekit.ImageOutput{{FilenamePrefix: "i/img"}},
	}
	info, err := egress.NewInfo(&livekit.EgressInfo{
		EgressId: "EG_1", Status: livekit.EgressStatus_EGRESS_ACTIVE, StartedAt: began.UnixNano(),
		Request:      &livekit.EgressInfo_RoomComposite{RoomComposite: request},
		FileResults:  []*livekit.FileInfo{{Filename: "a.mp4"}},
		ImageResults: []*livekit.ImagesInfo{{FilenamePrefix: "i/img"}},
	})
	require.NoError(t, err)
	in.Info, in.Input.Plain = info, request
	return in
}

func TestWhatALostEgressLeftIsFound(t *testing.T) {
	t.Parallel()
	before, plays := written.Add(-time.Second), egress.Duration(50*time.Second)
	file := egress.MediaFile{Kind: egress.OutputFile, Path: "a.mp4", Size: 5, Media: egress.MediaPresent}
	played := file
	played.Length = plays
	torn := file
	torn.Media = egress.MediaTruncated
	for name, tc := range map[string]struct {
		change func(*objects)
		began  time.Time
		player activities.Player
		says   string
		files  []egress.MediaFile
	}{
		"its file":                       {func(*objects) {}, before, nil, "file found at a.mp4, of 1970-01-01T00:01:40Z; no images found at i/img", []egress.MediaFile{file}},
		"… which plays":                  {func(*objects) {}, before, player{length: plays}, "file found at a.mp4, of 1970-01-01T00:01:40Z; no images found at i/img", []egress.MediaFile{played}},
		"… which does not":               {func(*objects) {}, before, player{err: &egress.Error{Reason: egress.Invalid, Message: "no moov"}}, "file a.mp4 cannot be played: no moov; no images found at i/img", []egress.MediaFile{torn}},
		"the file of a recording before": {func(*objects) {}, written.Add(time.Second), nil, "file a.mp4 is not there, but an older one of 1970-01-01T00:01:40Z; no images found at i/img", nil},
		"nothing":                        {func(o *objects) { o.at = nil }, before, nil, "file a.mp4 is not there; no images found at i/img", nil},
		"the store says no": {
			func(o *objects) { o.err = &egress.Error{Reason: egress.Denied, Message: "403"} }, before, nil,
			"file a.mp4 could not be looked at: 403; images i/img could not be looked at: 403", nil,
		},
		"images": {
			func(o *objects) {
				o.at = map[string][]byte{"i/img_00000.jpeg": []byte("x"), "i/img_00001.jpeg": []byte("y")}
			}, before, nil,
			"file a.mp4 is not there; images found at i/img", []egress.MediaFile{{Kind: egress.OutputImages, Path: "i/img", Count: 2, Size: 2, Media: egress.MediaPresent}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &objects{at: whole()}
			tc.change(store)
			got, err := verify(t, store, tc.player, lostSince(t, tc.began))
			require.NoError(t, err)
			require.Equal(t, egress.MediaReport{Media: egress.MediaUnchecked, Because: "it ended as LOST, so that no media is expected; " + tc.says, Files: tc.files}, got.MediaReport)
		})
	}
}

// A look that had no time to play what it found is made again while there is time.
func TestWhatALostEgressLeftIsPlayedByTheNextLook(t *testing.T) {
	t.Parallel()
	in := lostSince(t, written.Add(-time.Second))
	in.For = egress.Duration(time.Minute)
	_, err := verify(t, &objects{at: whole()}, player{err: errOutOfTime}, in)
	require.ErrorContains(t, err, "file a.mp4 is there, but whether it plays could not be checked in time")
}

func TestAFailedEgressLeavesNoFile(t *testing.T) {
	t.Parallel()
	in := lostSince(t, written.Add(-time.Second))
	in.Status = "EGRESS_FAILED"
	got, err := verify(t, &objects{at: whole()}, nil, in)
	require.NoError(t, err)
	require.Empty(t, got.Files, "LiveKit says so itself")
}
