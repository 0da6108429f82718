package egress_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
)

// resultOf returns an EgressInfo as LiveKit sends it.
func resultOf(t *testing.T, body string) egress.Info {
	t.Helper()
	m := &livekit.EgressInfo{}
	require.NoError(t, protojson.Unmarshal([]byte(body), m))
	i, err := egress.NewInfo(m)
	require.NoError(t, err)
	return i
}

// everyOutput is the result of the recorded StartEgress with all kinds of outputs.
const everyOutput = `{"egressId":"EG_x","roomName":"standup","status":"EGRESS_COMPLETE",
	"egress":{"outputs":[{"file":{"filepath":"out/{room_name}-{time}.mp4"}},
		{"segments":{"filenamePrefix":"out/seg","playlistName":"out/seg.m3u8","livePlaylistName":"out/live.m3u8","segmentDuration":2}},
		{"images":{"filenamePrefix":"out/img"}}],"storage":{"s3":{"bucket":"b"}}},
	"fileResults":[{"filename":"out/standup-1.mp4","startedAt":"1000000000","endedAt":"8000000000","duration":"7020000001","size":"271114","location":"https://b/out/standup-1.mp4?sig=1"}],
	"segmentResults":[{"playlistName":"out/seg.m3u8","livePlaylistName":"out/live.m3u8","duration":"7000000000","size":"360772","playlistLocation":"out/seg.m3u8","segmentCount":"4"}],
	"imageResults":[{"filenamePrefix":"out/img","imageCount":"5"}],
	"manifestLocation":"https://b/out/EG_x.json"}`

func TestEachThingOfAResultIsWanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"every output": {everyOutput, []string{
			"file out/standup-1.mp4 at https://b/out/standup-1.mp4 271114 bytes 0 many 7s storage.s3",
			"playlist out/seg.m3u8 at out/seg.m3u8 0 bytes 0 many 0s storage.s3",
			"playlist out/live.m3u8 at  0 bytes 0 many 0s storage.s3",
			"segments out/seg at  360772 bytes 4 many 7s storage.s3",
			"images out/img at  0 bytes 5 many 0s storage.s3",
			"manifest out/EG_x.json at https://b/out/EG_x.json 0 bytes 0 many 0s storage.s3",
		}},
		"a file of old": {`{"roomComposite":{"file":{"filepath":"a.mp4"}},"file":{"filename":"a.mp4","size":"5"}}`, []string{"file a.mp4 at  5 bytes 0 many 0s file"}},
		"segments of old": {`{"roomComposite":{"segments":{"playlistName":"d/p.m3u8"}},"segments":{"playlistName":"d/p.m3u8","segmentCount":"2"}}`,
			[]string{"playlist d/p.m3u8 at  0 bytes 0 many 0s segments", "segments d/p at  0 bytes 2 many 0s segments"}},
		"the list goes before the one of old": {`{"roomComposite":{"file":{}},"file":{"filename":"old"},"fileResults":[{"filename":"a"}]}`, []string{"file a at  0 bytes 0 many 0s file"}},
		"and so does that of segments":        {`{"segments":{"playlistName":"old"},"segmentResults":[{"playlistName":"p"}]}`, []string{"playlist p at  0 bytes 0 many 0s ", "segments  at  0 bytes 0 many 0s "}},
		"a manifest elsewhere":                {`{"roomComposite":{"file":{}},"fileResults":[{"filename":"d/a"}],"manifestLocation":"https://b/other.json"}`, []string{"file d/a at  0 bytes 0 many 0s file"}},
		"an end before the start":             {`{"roomComposite":{"file":{}},"fileResults":[{"filename":"a","startedAt":"9","endedAt":"8","duration":"-1"}]}`, []string{"file a at  0 bytes 0 many 0s file"}},
		"each where its own output writes": {`{"roomId":"RM_1","roomComposite":{"fileOutputs":[{"filepath":"a","s3":{}},{"filepath":"b","gcp":{}}],
			"segmentOutputs":[{"filenamePrefix":"s/{room_id}-{time}/x"},{"filenamePrefix":"t","azure":{}}],"imageOutputs":[{},{"aliOSS":{}}]},
			"fileResults":[{"filename":"a"},{"filename":"b","location":"out/b?c"}],"segmentResults":[{"playlistName":"s/p.m3u8","duration":"3"},{"playlistName":"t.m3u8","livePlaylistName":"l.m3u8","livePlaylistLocation":"https://b/l.m3u8?sig=1","startedAt":"1","endedAt":"9"}],
			"imageResults":[{"filenamePrefix":"i"},{"filenamePrefix":"j"}]}`, []string{
			"file a at  0 bytes 0 many 0s file_outputs[0].s3", "file b at out/b?c 0 bytes 0 many 0s file_outputs[1].gcp",
			"playlist s/p.m3u8 at  0 bytes 0 many 0s segment_outputs[0]", "segments s/RM_1- at  0 bytes 0 many 3ns segment_outputs[0]",
			"playlist t.m3u8 at  0 bytes 0 many 0s segment_outputs[1].azure", "playlist l.m3u8 at https://b/l.m3u8 0 bytes 0 many 0s segment_outputs[1].azure",
			"segments t at  0 bytes 0 many 8ns segment_outputs[1].azure",
			"images i at  0 bytes 0 many 0s image_outputs[0]", "images j at  0 bytes 0 many 0s image_outputs[1].aliOSS",
		}},
		"more than was asked for":     {`{"roomComposite":{"fileOutputs":[{"filepath":"a"}]},"fileResults":[{"filename":"a"},{"filename":"b"}]}`, []string{"file a at  0 bytes 0 many 0s file_outputs[0]", "file b at  0 bytes 0 many 0s "}},
		"a manifest beside no name":   {`{"egressId":"EG_x","roomComposite":{"file":{}},"fileResults":[{}],"manifestLocation":"https://b/EG_x.json"}`, []string{"file  at  0 bytes 0 many 0s file"}},
		"a manifest that is not told": {`{"egressId":"EG_x","roomComposite":{"file":{}},"fileResults":[{"filename":"a"}]}`, []string{"file a at  0 bytes 0 many 0s file"}},
		"streams":                     {`{"roomComposite":{"stream":{"urls":["rtmp://a/b"]}},"streamResults":[{"url":"rtmp://a/b"}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := resultOf(t, tc.body)
			var got []string
			for _, w := range egress.Wants(info, info.Destinations()) {
				got = append(got, fmt.Sprintf("%s %s at %s %d bytes %d many %s %s", w.File.Kind, w.File.Path, w.File.Location, w.File.Want, w.File.Count, w.Length, w.To.Field))
			}
			require.Equal(t, tc.want, got)
		})
	}
	for _, w := range egress.Wants(resultOf(t, everyOutput), nil) {
		want := ""
		if w.File.Kind == egress.OutputSegments {
			want = "out/seg.m3u8"
		}
		require.Equal(t, want, w.Playlist, w.File.Kind)
	}
}

func TestHowLongMediaMustPlay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ measured, started, ended, over, want int64 }{
		"both say the same":        {7, 1, 8, 0, 7},
		"it measured less":         {6, 1, 8, 0, 6},
		"it measured more":         {9, 1, 8, 0, 7},
		"it measured nothing":      {0, 1, 8, 0, 7},
		"it measured less yet":     {-1, 1, 8, 0, 7},
		"it never started":         {7, 0, 3, 3, 7},
		"it measured the least":    {1, 1, 8, 0, 1},
		"it ended at once":         {7, 2, 3, 0, 1},
		"it ended as it began":     {7, 3, 3, 0, 7},
		"it ended before":          {7, 8, 3, 0, 7},
		"nobody knows anything":    {-1, 0, 0, 0, 0},
		"a track joined late":      {10, 1, 11, 8, 7},
		"the egress ended later":   {7, 1, 8, 9, 7},
		"an egress that never was": {7, 2, 9, 2, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := resultOf(t, fmt.Sprintf(`{"endedAt":"%d","fileResults":[{"duration":"%d","startedAt":"%[3]d","endedAt":"%[4]d"}],"segmentResults":[{"duration":"%[2]d","startedAt":"%[3]d","endedAt":"%[4]d"}]}`,
				tc.over, tc.measured, tc.started, tc.ended))
			wants := egress.Wants(info, nil)
			require.Equal(t, egress.Duration(tc.want), wants[0].Length)
			require.Equal(t, egress.Duration(tc.want), wants[len(wants)-1].Length, "of segments")
		})
	}
}

// LiveKit's egress service may have a prefix configured, which only its locations show.
func TestALocationSaysWhatStandsBeforeThePath(t *testing.T) {
	t.Parallel()
	for location, want := range map[string][]string{
		"":          nil,
		"out/a.mp4": nil,
		"https://b.s3.amazonaws.com/out/a.mp4?sig=": nil,
		"https://b.s3.amazonaws.com/x-out/a.mp4":    nil,
		"https://b.s3.amazonaws.com/prod/out/a.mp4": {"prod/"},
		"https://minio:9000/b/prod/out/a.mp4":       {"b/prod/", "prod/"},
		"https://minio:9000/b/prod/out//./a.mp4":    {"b/prod/", "prod/"},
		"/var/egress/out/a.mp4":                     {"/var/egress/"},
		"file:///var/egress/out/a.mp4":              {"/var/egress/"},
		"/out/a.mp4":                                {"/"},
		"https://b.s3.amazonaws.com/another.mp4":    nil,
	} {
		info := resultOf(t, fmt.Sprintf(`{"fileResults":[{"filename":"out/a.mp4","location":%q}],"segmentResults":[{"playlistName":"/out//a.mp4","playlistLocation":%q}]}`, location, location))
		for _, w := range egress.Wants(info, nil) {
			require.Equal(t, want, w.Under, location)
		}
	}
}

func TestOfImagesThatAreOverwrittenThereIsOne(t *testing.T) {
	t.Parallel()
	for suffix, want := range map[livekit.ImageFileSuffix]int{
		livekit.ImageFileSuffix_IMAGE_SUFFIX_INDEX: 7, livekit.ImageFileSuffix_IMAGE_SUFFIX_TIMESTAMP: 7, livekit.ImageFileSuffix_IMAGE_SUFFIX_NONE_OVERWRITE: 1,
	} {
		for _, r := range []egress.Request{
			&livekit.WebEgressRequest{ImageOutputs: []*livekit.ImageOutput{{FilenamePrefix: "img", FilenameSuffix: suffix}}},
			&livekit.StartEgressRequest{Outputs: []*livekit.Output{{Config: &livekit.Output_Images{Images: &livekit.ImageOutput{FilenamePrefix: "img", FilenameSuffix: suffix}}}}},
		} {
			w := egress.Wants(resultOf(t, `{"imageResults":[{"filenamePrefix":"img","imageCount":"7"}]}`), egress.Destinations(r))
			require.Equal(t, want, w[0].File.Count, suffix)
		}
	}
	none := egress.Wants(resultOf(t, `{"imageResults":[{"filenamePrefix":"img"}]}`), []egress.Destination{{Kind: egress.OutputImages, Overwritten: true}})
	require.Zero(t, none[0].File.Count)
	listed := []egress.Object{{Path: "img_00001.jpeg"}, {Path: "img.jpeg"}, {Path: "img2.jpeg"}}
	require.Equal(t, listed[:1], egress.Images("img", false, listed))
	require.Equal(t, listed[1:2], egress.Images("img", true, listed))
}

func TestWhatIsFoundIsHeldAgainstWhatIsWanted(t *testing.T) {
	t.Parallel()
	file := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputFile, Path: "a", Want: 100}, Length: egress.Duration(200 * time.Second)}
	loud := file
	loud.Silence = []egress.Sound{egress.SoundSilent, egress.SoundAbsent}
	set := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputSegments, Path: "s", Want: 100, Count: 4}, Playlist: "s.m3u8"}
	list := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputPlaylist, Path: "p"}}
	images := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputImages, Path: "i", Count: 2}}
	some := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputSegments, Path: "s"}, Playlist: "s.m3u8"}
	none := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputImages, Path: "i"}}
	seconds := func(n float64) egress.Duration { return egress.Duration(n * float64(time.Second)) }
	for name, tc := range map[string]struct {
		w    egress.Wanted
		f    egress.Found
		want egress.Media
		why  string
	}{
		"as LiveKit says":            {file, egress.Found{There: true, Size: 100, Length: seconds(200)}, egress.MediaPresent, ""},
		"larger":                     {file, egress.Found{There: true, Size: 101}, egress.MediaPresent, ""},
		"nobody could look":          {file, egress.Found{Unseen: "is locked"}, egress.MediaUnchecked, "file a is locked"},
		"not there":                  {file, egress.Found{}, egress.MediaMissing, "file a is not there"},
		"nothing in it":              {file, egress.Found{There: true}, egress.MediaEmpty, "file a holds nothing"},
		"a byte short":               {file, egress.Found{There: true, Size: 99}, egress.MediaTruncated, "file a has 99 of 100 bytes"},
		"not playable":               {file, egress.Found{There: true, Size: 100, Unplayable: "no index"}, egress.MediaTruncated, "file a cannot be played: no index"},
		"a little short":             {file, egress.Found{There: true, Size: 100, Length: seconds(185)}, egress.MediaPresent, ""},
		"too short":                  {file, egress.Found{There: true, Size: 100, Length: seconds(184.9)}, egress.MediaTruncated, "file a plays for 3m4.9s of 3m20s"},
		"a sound":                    {loud, egress.Found{There: true, Size: 100, Sound: egress.SoundHeard}, egress.MediaPresent, ""},
		"nobody could hear":          {loud, egress.Found{There: true, Size: 100}, egress.MediaPresent, ""},
		"silence":                    {loud, egress.Found{There: true, Size: 100, Sound: egress.SoundSilent}, egress.MediaPresent, "file a is silent where samples were taken"},
		"no audio":                   {loud, egress.Found{There: true, Size: 100, Sound: egress.SoundAbsent}, egress.MediaPresent, "file a is silent: it has no audio"},
		"no sound is wanted":         {file, egress.Found{There: true, Size: 100, Sound: egress.SoundAbsent}, egress.MediaPresent, ""},
		"no time to play":            {loud, egress.Found{There: true, Size: 100, Unplayed: true}, egress.MediaPresent, "file a is there, but whether it plays could not be checked in time"},
		"no memory to play":          {loud, egress.Found{There: true, Size: 100, Heavy: true}, egress.MediaPresent, "file a is there, but whether it plays could not be checked: that takes too much memory"},
		"no time to listen":          {loud, egress.Found{There: true, Size: 100, Length: seconds(200), Unheard: true}, egress.MediaPresent, "file a is there, but could not be listened to in time"},
		"truncated before unplayed":  {loud, egress.Found{There: true, Size: 99, Unplayed: true}, egress.MediaTruncated, "file a has 99 of 100 bytes"},
		"too short before unheard":   {loud, egress.Found{There: true, Size: 100, Length: seconds(9), Unheard: true}, egress.MediaTruncated, "file a plays for 9s of 3m20s"},
		"truncated before silent":    {loud, egress.Found{There: true, Size: 99, Sound: egress.SoundSilent}, egress.MediaTruncated, "file a has 99 of 100 bytes"},
		"without its end":            {list, egress.Found{There: true, Size: 9, Unfinished: true}, egress.MediaPresent, "playlist p is there, but without #EXT-X-ENDLIST: players take it for a live one"},
		"nothing before no end":      {list, egress.Found{There: true, Unfinished: true}, egress.MediaEmpty, "playlist p holds nothing"},
		"all segments":               {set, egress.Found{There: true, Size: 100, Count: 4}, egress.MediaPresent, ""},
		"one segment missing":        {set, egress.Found{There: true, Size: 100, Count: 3}, egress.MediaMissing, "segments s are 3 of 4"},
		"missing before empty":       {set, egress.Found{There: true, Size: 100, Count: 3, Hollow: 1}, egress.MediaMissing, "segments s are 3 of 4"},
		"an empty segment":           {set, egress.Found{There: true, Size: 99, Count: 4, Hollow: 1}, egress.MediaEmpty, "segments s are 4 of which 1 hold nothing"},
		"segments short of bytes":    {set, egress.Found{There: true, Size: 99, Count: 4}, egress.MediaTruncated, "segments s has 99 of 100 bytes"},
		"segments without a count":   {some, egress.Found{}, egress.MediaMissing, "segments s are 0 of 0"},
		"one segment without one":    {some, egress.Found{There: true, Count: 1}, egress.MediaPresent, ""},
		"images":                     {images, egress.Found{There: true, Count: 2, Size: 9}, egress.MediaPresent, ""},
		"an image missing":           {images, egress.Found{There: true, Count: 1, Size: 9}, egress.MediaMissing, "images i are 1 of 2"},
		"no images, and none wanted": {none, egress.Found{}, egress.MediaPresent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, why := tc.w.Judge(tc.f)
			require.Equal(t, tc.want, got.Media)
			require.Equal(t, tc.why, why)
			require.Equal(t, tc.f.Size, got.Size)
			require.Equal(t, tc.f.Length, got.Length)
			require.Equal(t, tc.f.Count, got.Count, "of a set, how many are there, and not how many there should be")
			require.Equal(t, strings.Contains(tc.why, "silent"), got.Silent)
			require.Equal(t, strings.Contains(tc.why, "without"), got.Unfinished)
		})
	}
}

func TestAReportIsAsBadAsItsWorstFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		files []egress.Media
		want  egress.Media
	}{
		{[]egress.Media{egress.MediaPresent, egress.MediaPresent}, egress.MediaPresent},
		{[]egress.Media{egress.MediaPresent, egress.MediaUnchecked}, egress.MediaUnchecked},
		{[]egress.Media{egress.MediaUnchecked, egress.MediaTruncated}, egress.MediaTruncated},
		{[]egress.Media{egress.MediaEmpty, egress.MediaTruncated}, egress.MediaEmpty},
		{[]egress.Media{egress.MediaTruncated, egress.MediaEmpty}, egress.MediaEmpty},
		{[]egress.Media{egress.MediaTruncated, egress.MediaUnchecked, egress.MediaPresent}, egress.MediaTruncated},
		{[]egress.Media{egress.MediaEmpty, egress.MediaMissing, egress.MediaPresent}, egress.MediaMissing},
	} {
		var r egress.MediaReport
		for _, m := range tc.files {
			r.Add(egress.MediaFile{Media: m}, "")
		}
		require.Equal(t, tc.want, r.Media)
		require.Len(t, r.Files, len(tc.files))
	}
	var long egress.MediaReport
	for range 200 {
		long.Add(egress.MediaFile{Media: egress.MediaMissing}, "file "+strings.Repeat("x", 500))
	}
	require.Len(t, long.Files, 50)
	require.Less(t, len(long.Because), 1500)
}

func TestOnlyWhatIsThereButWrongAlarms(t *testing.T) {
	t.Parallel()
	alarming := map[egress.Media]bool{}
	for _, m := range egress.Medias() {
		alarming[m] = m.Alarming()
	}
	require.Equal(t, map[egress.Media]bool{"present": false, "missing": true, "empty": true, "truncated": true, "unchecked": false}, alarming)
}
