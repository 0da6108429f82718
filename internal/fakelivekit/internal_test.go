package fakelivekit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"
)

func TestFaultsStrikeAtTheirRate(t *testing.T) {
	t.Parallel()
	const subjects = 20000
	for _, rate := range []float64{0, 0.01, 0.3, 0.9, 1} {
		d := newDice(42, map[Fault]float64{WebhookLost: rate})
		struck := 0
		for i := range uint64(subjects) {
			if d.strikes(WebhookLost, i/5, i%5) {
				struck++
			}
		}
		require.InDelta(t, rate, float64(struck)/subjects, 0.015)
	}
}

func TestFaultsAreIndependentOfEachOtherAndOfOrder(t *testing.T) {
	t.Parallel()
	d := newDice(42, map[Fault]float64{Zombie: 0.5, Failed: 0.5})
	both, first := 0, map[uint64]bool{}
	for i := range uint64(4000) {
		first[i] = d.strikes(Zombie, i)
		if first[i] && d.strikes(Failed, i) {
			both++
		}
	}
	require.InDelta(t, 1000, both, 100)
	for i := uint64(3999); i > 0; i-- {
		require.Equal(t, first[i], d.strikes(Zombie, i), "egress %d was decided anew", i)
	}
}

func TestTheAgendaIsInOrderOfTimeThenOfPlanning(t *testing.T) {
	t.Parallel()
	a, e := newAgenda(), &egress{}
	base := time.Unix(1000, 0)
	for i, offset := range []int{5, 1, 3, 1, 4} {
		a.add(e, step{At: base.Add(time.Duration(offset) * time.Second), Kind: stepKind('a' + rune(i))})
	}
	var order string
	for {
		next, _, ok := a.due(base.Add(time.Minute))
		if !ok {
			break
		}
		order += string(next.Kind)
	}
	require.Equal(t, "bdcea", order)
	require.Empty(t, e.Steps)
}

func TestACancelledStepNeverComes(t *testing.T) {
	t.Parallel()
	a, e := newAgenda(), &egress{}
	now := time.Unix(1000, 0)
	a.add(e, step{At: now, Kind: stepActive})
	a.add(e, step{At: now, Kind: stepExpire})
	e.clear()
	next, _, ok := a.due(now)
	require.True(t, ok)
	require.Equal(t, stepExpire, next.Kind)
	_, wait, ok := a.due(now)
	require.False(t, ok, "something else is due")
	require.Positive(t, wait)
	a.add(e, step{At: now.Add(time.Minute), Kind: stepExpire})
	_, wait, ok = a.due(now)
	require.False(t, ok)
	require.Equal(t, time.Minute, wait)
}

func TestFileNamesAndPlaces(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 15, 57, 43, 0, time.UTC)
	info := &livekit.EgressInfo{EgressId: "EG_1", RoomName: "daily", RoomId: "RM_1"}
	s3 := &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Bucket: "b"}}
	minio := &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Bucket: "b", Endpoint: "http://minio:9000/"}}
	gcp := &livekit.EncodedFileOutput_Gcp{Gcp: &livekit.GCPUpload{Bucket: "b"}}
	azure := &livekit.EncodedFileOutput_Azure{Azure: &livekit.AzureBlobUpload{AccountName: "a", ContainerName: "c"}}
	ali := &livekit.EncodedFileOutput_AliOSS{AliOSS: &livekit.AliOSSUpload{Bucket: "b", Endpoint: "oss"}}
	for _, c := range []struct {
		out            *livekit.EncodedFileOutput
		ext            string
		name, location string
	}{
		{&livekit.EncodedFileOutput{Filepath: "/out/{room_name}-{time}.mp4"}, ".mp4", "/out/daily-2026-11-23T155743.mp4", "/out/daily-2026-11-23T155743.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "rec/{room_id}"}, ".mp4", "rec/RM_1.mp4", "rec/RM_1.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "rec/"}, ".ogg", "rec/daily-2026-11-23T155743.ogg", "rec/daily-2026-11-23T155743.ogg"},
		{&livekit.EncodedFileOutput{FileType: livekit.EncodedFileType_OGG, Filepath: "a"}, ".mp4", "a.ogg", "a.ogg"},
		{&livekit.EncodedFileOutput{FileType: livekit.EncodedFileType_MP4, Filepath: "{utc}"}, ".ogg", "20261123155743.mp4", "20261123155743.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "{publisher_identity}.mp4"}, ".mp4", "{publisher_identity}.mp4", "{publisher_identity}.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "a.mp4", Output: s3}, ".mp4", "a.mp4", "https://b.s3.amazonaws.com/a.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "a.mp4", Output: minio}, ".mp4", "a.mp4", "http://minio:9000/b/a.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "a.mp4", Output: gcp}, ".mp4", "a.mp4", "https://b.storage.googleapis.com/a.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "a.mp4", Output: azure}, ".mp4", "a.mp4", "https://a.blob.core.windows.net/c/a.mp4"},
		{&livekit.EncodedFileOutput{Filepath: "a.mp4", Output: ali}, ".mp4", "a.mp4", "https://b.oss/a.mp4"},
	} {
		f := encodedFile(c.out, c.ext)
		name := resolve(f.name(""), info, at, "")
		assert.Equal(t, c.name, name)
		assert.Equal(t, c.location, f.location(name))
	}
}

func TestOnlyASingleResultIsRepeatedInTheDeprecatedField(t *testing.T) {
	t.Parallel()
	file, segments := &livekit.FileInfo{Filename: "a"}, &livekit.SegmentsInfo{PlaylistName: "b"}
	stream := &livekit.StreamInfo{Url: "c"}
	for name, c := range map[string]struct {
		info *livekit.EgressInfo
		want string
	}{
		"a file":              {&livekit.EgressInfo{FileResults: []*livekit.FileInfo{file}}, "a"},
		"segments":            {&livekit.EgressInfo{SegmentResults: []*livekit.SegmentsInfo{segments}}, "b"},
		"streams":             {&livekit.EgressInfo{StreamResults: []*livekit.StreamInfo{stream, stream}}, "c"},
		"a file and segments": {&livekit.EgressInfo{FileResults: []*livekit.FileInfo{file}, SegmentResults: []*livekit.SegmentsInfo{segments}}, ""},
		"images":              {&livekit.EgressInfo{ImageResults: []*livekit.ImagesInfo{{}}}, ""},
		"two files":           {&livekit.EgressInfo{FileResults: []*livekit.FileInfo{file, file}}, ""},
	} {
		setLegacyResult(c.info)
		got := c.info.GetFile().GetFilename() + c.info.GetSegments().GetPlaylistName()
		for _, s := range c.info.GetStream().GetInfo()[:min(1, len(c.info.GetStream().GetInfo()))] {
			got += s.Url
		}
		assert.Equal(t, c.want, got, name)
	}
}

func TestOldFashionedOutputsAreUnderstood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		req  *livekit.RoomCompositeEgressRequest
		want outputs
	}{
		"a file": {&livekit.RoomCompositeEgressRequest{Output: &livekit.RoomCompositeEgressRequest_File{
			File: &livekit.EncodedFileOutput{Filepath: "a"}}}, outputs{files: make([]fileOutput, 1)}},
		"a stream": {&livekit.RoomCompositeEgressRequest{Output: &livekit.RoomCompositeEgressRequest_Stream{
			Stream: &livekit.StreamOutput{Urls: []string{"rtmp://x/y/z"}}}}, outputs{streams: make([]string, 1)}},
		"segments": {&livekit.RoomCompositeEgressRequest{Output: &livekit.RoomCompositeEgressRequest_Segments{
			Segments: &livekit.SegmentedFileOutput{PlaylistName: "a"}}}, outputs{segments: make([]segmentOutput, 1)}},
		"images": {&livekit.RoomCompositeEgressRequest{ImageOutputs: []*livekit.ImageOutput{{}}}, outputs{images: make([]imageOutput, 1)}},
		"none":   {&livekit.RoomCompositeEgressRequest{}, outputs{}},
	} {
		got := encodedOutputs(c.req, ".mp4")
		assert.Len(t, got.files, len(c.want.files), name)
		assert.Len(t, got.streams, len(c.want.streams), name)
		assert.Len(t, got.segments, len(c.want.segments), name)
		assert.Len(t, got.images, len(c.want.images), name)
		assert.Equal(t, name == "none", got.none(), name)
	}
}

func TestATracksFileIsNamedAfterItsCodec(t *testing.T) {
	t.Parallel()
	for track, want := range map[string]string{"TR_AM1": ".ogg", "TR_VC1": ".webm"} {
		info := &livekit.EgressInfo{Request: &livekit.EgressInfo_Track{Track: &livekit.TrackEgressRequest{
			TrackId: track, Output: &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{Filepath: "{track_id}"}},
		}}}
		f := outputsOf(info).files[0]
		require.Equal(t, track+want, resolve(f.name(f.trackType(info)), info, time.Time{}, ""))
	}
	socket := &livekit.TrackEgressRequest{Output: &livekit.TrackEgressRequest_WebsocketUrl{WebsocketUrl: "wss://x"}}
	require.Len(t, directOutputs(socket).streams, 1)
}
