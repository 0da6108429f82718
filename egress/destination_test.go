package egress_test

import (
	"fmt"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func destinations(t *testing.T, k egress.Kind, body string) []egress.Destination {
	t.Helper()
	r, err := egress.ParseRequest(k, []byte(body))
	require.NoError(t, err)
	return egress.Destinations(r)
}

// Each of so many takes constant time; otherwise they would take a minute in all.
func TestMassesOfOutputsAreCounted(t *testing.T) {
	t.Parallel()
	files := make([]*livekit.EncodedFileOutput, 200_000)
	all := egress.Destinations(&livekit.WebEgressRequest{FileOutputs: files, ImageOutputs: []*livekit.ImageOutput{{}}})
	require.Len(t, all, len(files)+1)
	require.Equal(t, len(files)-1, all[len(files)-1].Nth)
	require.Zero(t, all[len(files)].Nth, "the first of its kind")
}

func TestEachOutputThatWritesIsADestinationWithTheFieldOfItsStore(t *testing.T) {
	t.Parallel()
	const lists = `{"file_outputs":[{"filepath":"a.mp4","s3":{"bucket":"b"}}],
		"segment_outputs":[{"filename_prefix":"seg/x","playlist_name":"seg/x.m3u8","segment_duration":6,"gcp":{"bucket":"b"}}],
		"image_outputs":[{"filename_prefix":"img/x","azure":{"container_name":"b"}},{"filename_prefix":"img/y","aliOSS":{"bucket":"b"}}],
		"stream_outputs":[{"urls":["rtmp://a/b"]}]}`
	fromLists := []string{
		"file_outputs[0].s3 s3 file 0 a.mp4 - 0", "segment_outputs[0].gcp gcp segments 0 seg/x seg/x.m3u8 6",
		"image_outputs[0].azure azure images 0 img/x - 0", "image_outputs[1].aliOSS aliOSS images 1 img/y - 0",
	}
	for name, tc := range map[string]struct {
		kind egress.Kind
		body string
		want []string
	}{
		"room composite":  {egress.KindRoomComposite, lists, fromLists},
		"web":             {egress.KindWeb, lists, fromLists},
		"participant":     {egress.KindParticipant, lists, fromLists},
		"track composite": {egress.KindTrackComposite, lists, fromLists},
		"track":           {egress.KindTrack, `{"file":{"filepath":"t","s3":{"bucket":"b"}}}`, []string{"file.s3 s3 file 0 t - 0"}},
		"track's socket":  {egress.KindTrack, `{"websocket_url":"wss://a/b"}`, nil},
		"a file of old":   {egress.KindWeb, `{"file":{"filepath":"a.mp4","gcp":{}}}`, []string{"file.gcp gcp file 0 a.mp4 - 0"}},
		"segments of old": {egress.KindRoomComposite, `{"segments":{"filename_prefix":"s"}}`, []string{"segments local segments 0 s - 0"}},
		"a list goes before the one of old": {egress.KindRoomComposite, `{"file_outputs":[{"filepath":"new"}],"file":{"filepath":"old"}}`,
			[]string{"file_outputs[0] local file 0 new - 0"}},
		"a list of another kind does not": {egress.KindRoomComposite, `{"image_outputs":[{"filename_prefix":"i"}],"file":{"filepath":"old"}}`,
			[]string{"file local file 0 old - 0", "image_outputs[0] local images 0 i - 0"}},
		"a list of segments does too": {egress.KindWeb, `{"segment_outputs":[{"filename_prefix":"new"}],"segments":{"filename_prefix":"old"}}`,
			[]string{"segment_outputs[0] local segments 0 new - 0"}},
		"a participant's images": {egress.KindParticipant, `{"image_outputs":[{"filename_prefix":"i"}]}`, []string{"image_outputs[0] local images 0 i - 0"}},
		"a stream alone":         {egress.KindRoomComposite, `{"stream":{"urls":["rtmp://a/b"]}}`, nil},
		"unified": {egress.KindEgress, `{"storage":{"s3":{"bucket":"r"}},"outputs":[
			{"file":{"filepath":"a"}},{"file":{"filepath":"b"},"storage":{"gcp":{"bucket":"o"}}},
			{"stream":{"urls":["rtmp://a/b"]}},{"segments":{"filename_prefix":"s","azure":{}}},{"images":{"filename_prefix":"i"},"storage":{}}]}`,
			[]string{"storage.s3 s3 file 0 a - 0", "outputs[1].storage.gcp gcp file 1 b - 0", "storage.s3 s3 segments 0 s - 0", "outputs[4] local images 0 i - 0"}},
		"unified without a storage": {egress.KindEgress, `{"outputs":[{"file":{"filepath":"a"}},{"segments":{"playlist_name":"p","s3":{}}},{"images":{"aliOSS":{}}}]}`,
			[]string{"outputs[0] local file 0 a - 0", "outputs[1].segments.s3 s3 segments 0  p 0", "outputs[2].images.aliOSS aliOSS images 0  - 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range destinations(t, tc.kind, tc.body) {
				playlist := d.Playlist
				if playlist == "" {
					playlist = "-"
				}
				got = append(got, fmt.Sprintf("%s %s %s %d %s %s %d", d.Field, d.Upload.Store(), d.Kind, d.Nth, d.Path, playlist, d.Segment))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestThePathsAreThoseThatLiveKitShows(t *testing.T) {
	t.Parallel()
	const asked = `{"file_outputs":[{"filepath":"a.mp4","s3":{"bucket":"b"}},{"filepath":"b.mp4"}],"segment_outputs":[{"filename_prefix":"s/x","playlist_name":"s/x.m3u8"}]}`
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{
		FileOutputs:    []*livekit.EncodedFileOutput{{Filepath: "a-part2.mp4"}},
		SegmentOutputs: []*livekit.SegmentedFileOutput{{FilenamePrefix: "s/x-part2", PlaylistName: "s/x-part2.m3u8"}},
	}}})
	require.NoError(t, err)
	want := destinations(t, egress.KindWeb, asked)
	want[0].Path, want[2].Path, want[2].Playlist = "a-part2.mp4", "s/x-part2", "s/x-part2.m3u8"

	require.Equal(t, want, i.Written(destinations(t, egress.KindWeb, asked)))
}
