package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestEachKindIsTheKindOfItsRequest(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range egress.Kinds() {
		r := egress.NewRequest(k)
		require.Equal(t, k, egress.KindOf(r))
		seen[string(r.ProtoReflect().Descriptor().Name())] = true
	}
	require.Len(t, seen, 6)
	require.Nil(t, egress.NewRequest("replay"))
	require.Empty(t, egress.KindOf(nil))
}

func TestARequestIsReadUnderItsKind(t *testing.T) {
	t.Parallel()
	r, err := egress.ParseRequest(egress.KindTrack, []byte(`{"room_name":"daily","trackId":"TR_1"}`))
	require.NoError(t, err)
	require.True(t, proto.Equal(&livekit.TrackEgressRequest{RoomName: "daily", TrackId: "TR_1"}, r))

	_, err = egress.ParseRequest("replay", []byte("{}"))
	requireInvalid(t, err, "replay: is not a kind of egress; want one of "+kinds)
	_, err = egress.ParseRequest(egress.KindWeb, []byte(`{"newField":1}`))
	requireInvalid(t, err, `web: (line 1:2): unknown field "newField"`)
}

func TestAValueOfTheWrongTypeIsNotShown(t *testing.T) {
	t.Parallel()
	s3 := func(v string) string { return `{"fileOutputs":[{"s3":` + v + `}]}` }
	for text, want := range map[string]string{
		s3(`{"secret":12345678}`):             "web: (line 1:33): invalid value for string field secret",
		s3(`{"forcePathStyle":"hunter2"}`):    "web: (line 1:41): invalid value for bool field forcePathStyle",
		s3(`{"metadata":{"a":12345678}}`):     "web: (line 1:40): invalid value for string field value",
		s3(`"hunter2"`):                       "web: (line 1:23): want an object or a list",
		s3(`12345678`):                        "web: (line 1:23): want an object or a list",
		s3(`[{"secret":"hunter2"}]`):          "web: (line 1:23): want an object",
		`{"streamOutputs":[{"urls":"rtmp"}]}`: "web: (line 1:27): want an object or a list",
		`{"fileOutputs":{"filepath":"x"}}`:    "web: (line 1:16): want a list",
		`null`:                                "web: (line 1:1): want an object or a list",
	} {
		_, err := egress.ParseRequest(egress.KindWeb, []byte(text))
		requireInvalid(t, err, want)
	}
}

func TestARequestFileHoldsOneRequestAndNothingElse(t *testing.T) {
	t.Parallel()
	r, err := egress.ParseRequestFile([]byte(`{"web":{"url":"https://example.com"}}`))
	require.NoError(t, err)
	require.True(t, proto.Equal(&livekit.WebEgressRequest{Url: "https://example.com"}, r))
	for file, want := range map[string]string{
		`{}`:                                  "request: want one of " + kinds + " at the top level",
		`null`:                                "request: is not a JSON object",
		`{"max_duration":"3h"}`:               "max_duration: is not part of a request; remove it, and give the flag --max-duration",
		`{"web":{},"summary":{"kind":"web"}}`: "summary: is not a kind of egress; want one of " + kinds,
		`{"web":{},"web":{}}`:                 "web: is set twice",
		`{"web":{},"sealed":"eA=="}`:          "sealed: is not a kind of egress; want one of " + kinds,
		`{"web":{},"carried":{}}`:             "carried: is not a kind of egress; want one of " + kinds,
		`{"web":{},"storage":"main"}`:         "storage: is not part of a request; remove it, and give the flag --storage",
		`{"web":{},"preflight":true}`:         "preflight: is not part of a request; remove it, and give the flag --preflight",
		`{"web":{},"max_duration":"3h"}`:      "max_duration: is not part of a request; remove it, and give the flag --max-duration",
		`{"web":{},"pipeline":"archive"}`:     "pipeline: is not part of a request; remove it, and give the flag --pipeline",
		`{"recover":2,"web":{}}`:              "recover: is not part of a request; remove it, and give the flag --recover",
		`{"url":"https://example.com"}`:       "url: is not a kind of egress; want one of " + kinds,
		`{`:                                   "request: is not a JSON object",
	} {
		_, err := egress.ParseRequestFile([]byte(file))
		requireInvalid(t, err, want)
	}
}

func TestAWrongFieldIsNamedWithTheLineOfTheFile(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"{\n  \"web\": {\n    \"url\": \"x\",\n    \"fileOutputs\": [\n      {\"s3\": {\"akey\": \"AK\"}}]}}": `web: (line 5:15): unknown field "akey"`,
		"{\"web\":\n\n\r\n {\n\"url\":5}}":             "web: (line 5:7): invalid value for string field url",
		`{"web": {"file_outputs": {"filepath": "x"}}}`: "web: (line 1:26): want a list",
		`{"track": 1, "web": 1}`:                       "track: (line 1:11): want an object or a list",
		"\n{\"web\" :\n null }":                        "web: (line 3:2): want an object or a list",
		`{"web": {"url": "ü"}, "track": 5}`:            "track: (line 1:32): want an object or a list",
	} {
		_, err := egress.ParseRequestFile([]byte(file))
		requireInvalid(t, err, want)
	}
}

func TestTheSummaryShowsWhereARecordingGoesAndNothingElse(t *testing.T) {
	t.Parallel()
	file := &livekit.EncodedFileOutput{Filepath: "x.mp4", Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Secret: "s", Bucket: "b"}}}
	list := &livekit.SegmentedFileOutput{FilenamePrefix: "seg", PlaylistName: "p.m3u8"}
	noList := &livekit.SegmentedFileOutput{FilenamePrefix: "seg"}
	images := &livekit.ImageOutput{FilenamePrefix: "img"}
	all := []string{"x.mp4", "p.m3u8", "img"}
	for name, tc := range map[string]struct {
		request egress.Request
		want    egress.Summary
	}{
		"room composite": {&livekit.RoomCompositeEgressRequest{RoomName: "r", Layout: "grid", FileOutputs: []*livekit.EncodedFileOutput{file},
			SegmentOutputs: []*livekit.SegmentedFileOutput{list}, ImageOutputs: []*livekit.ImageOutput{images}},
			egress.Summary{Kind: egress.KindRoomComposite, Room: "r", Layout: "grid", Paths: all}},
		"room composite of old, a file": {&livekit.RoomCompositeEgressRequest{RoomName: "r", Output: &livekit.RoomCompositeEgressRequest_File{File: file}},
			egress.Summary{Kind: egress.KindRoomComposite, Room: "r", Paths: []string{"x.mp4"}}},
		"room composite of old, segments": {&livekit.RoomCompositeEgressRequest{RoomName: "r", Output: &livekit.RoomCompositeEgressRequest_Segments{Segments: noList}},
			egress.Summary{Kind: egress.KindRoomComposite, Room: "r", Paths: []string{"seg"}}},
		"web": {&livekit.WebEgressRequest{Url: "https://example.com/?token=x", FileOutputs: []*livekit.EncodedFileOutput{file}},
			egress.Summary{Kind: egress.KindWeb, Paths: []string{"x.mp4"}}},
		"participant": {&livekit.ParticipantEgressRequest{RoomName: "r", Identity: "alice", SegmentOutputs: []*livekit.SegmentedFileOutput{noList}},
			egress.Summary{Kind: egress.KindParticipant, Room: "r", Paths: []string{"seg"}}},
		"track composite": {&livekit.TrackCompositeEgressRequest{RoomName: "r", ImageOutputs: []*livekit.ImageOutput{images}},
			egress.Summary{Kind: egress.KindTrackComposite, Room: "r", Paths: []string{"img"}}},
		"track": {&livekit.TrackEgressRequest{RoomName: "r", Output: &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{Filepath: "x.ogg"}}},
			egress.Summary{Kind: egress.KindTrack, Room: "r", Paths: []string{"x.ogg"}}},
		"a track's websocket": {&livekit.TrackEgressRequest{RoomName: "r", Output: &livekit.TrackEgressRequest_WebsocketUrl{WebsocketUrl: "wss://x"}},
			egress.Summary{Kind: egress.KindTrack, Room: "r"}},
		"unified": {&livekit.StartEgressRequest{RoomName: "r", Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{Layout: "grid"}}, Outputs: []*livekit.Output{
			{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: "x.mp4"}}},
			{Config: &livekit.Output_Segments{Segments: list}},
			{Config: &livekit.Output_Images{Images: images}},
			{Config: &livekit.Output_Stream{Stream: &livekit.StreamOutput{Urls: []string{"rtmp://x/key"}}}}}},
			egress.Summary{Kind: egress.KindEgress, Room: "r", Layout: "grid", Paths: all}},
		"unified, of a page": {&livekit.StartEgressRequest{RoomName: "r", Source: &livekit.StartEgressRequest_Web{Web: &livekit.WebSource{Url: "https://example.com"}}},
			egress.Summary{Kind: egress.KindEgress}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.Summarize(tc.request))
		})
	}
}

func TestATitleSaysWhatIsRecordedAndWhereTo(t *testing.T) {
	t.Parallel()
	require.Equal(t, "web", egress.Summary{Kind: egress.KindWeb}.Title())
	require.Equal(t, "track of room r", egress.Summary{Kind: egress.KindTrack, Room: "r"}.Title())
	require.Equal(t, "web to a.mp4", egress.Summary{Kind: egress.KindWeb, Paths: []string{"a.mp4"}}.Title())
	require.Equal(t, "web to a, b", egress.Summary{Kind: egress.KindWeb, Paths: []string{"a", "b"}}.Title())
	markup := egress.Summary{Kind: egress.KindTrack, Room: "[x](https://e) <b>", Paths: []string{"a|b", "`c`"}}
	require.Equal(t, "track of room \\[x\\](https://e) &lt;b&gt; to a&#124;b, \\`c\\`", markup.Title(), "other people choose these names")
}
