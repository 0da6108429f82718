package egress_test

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

const playlist = "#EXTM3U\r\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.5,\nseg_00000.ts\n\n#EXTINF:1.000,title\nsub/seg_00001.ts\n#EXTINF:x,\nhttps://other/seg.ts\nseg_00002.ts\n#EXT-X-ENDLIST\n"

func long(d time.Duration) egress.Duration { return egress.Duration(d) }

func TestAPlaylistNamesItsSegmentsFromWhereItIs(t *testing.T) {
	t.Parallel()
	require.Equal(t, []egress.Segment{
		{"rec/seg_00000.ts", long(2500 * time.Millisecond)}, {"rec/sub/seg_00001.ts", long(time.Second)}, {"rec/seg_00002.ts", 0},
	}, egress.ParsePlaylist("rec/p.m3u8", []byte(playlist), 50))
	require.Empty(t, egress.ParsePlaylist("p.m3u8", nil, 50))
	for length, want := range map[string]egress.Duration{"0.5": long(time.Second / 2), "-1": 0, "1000000": 0, "999999": long(999999 * time.Second), "NaN": 0, "1e400": 0} {
		require.Equal(t, []egress.Segment{{"a.ts", want}}, egress.ParsePlaylist("p.m3u8", []byte("#EXTINF:"+length+",\na.ts"), 50), length)
	}
	require.Equal(t, []egress.Segment{{"rec/ Team_0.ts", 0}}, egress.ParsePlaylist("rec/p.m3u8", []byte(" Team_0.ts \r\n \n"), 50))
	require.Equal(t, []egress.Segment{{"/out/a.ts", 0}}, egress.ParsePlaylist("/out/p.m3u8", []byte("a.ts"), 50))
}

func TestAPlaylistIsReadToALimit(t *testing.T) {
	t.Parallel()
	text := []byte("#EXTINF:1,\na.ts\n#EXTINF:1,\nb.ts\n")
	require.Len(t, egress.ParsePlaylist("p.m3u8", text, 1), 1)
	require.Len(t, egress.ParsePlaylist("p.m3u8", text, 2), 2)
	require.Len(t, egress.ParsePlaylist("p.m3u8", text, 3), 2)
}

func TestSegmentsAreFoundByTheirPlaylist(t *testing.T) {
	t.Parallel()
	segments := egress.ParsePlaylist("rec/p.m3u8", []byte(playlist), 50)
	got := egress.FindSegments(segments, []egress.Object{{Path: "rec/seg_00000.ts", Size: 7}, {Path: "rec/sub/seg_00001.ts"}, {Path: "rec/seg_other.ts", Size: 9}})
	require.Equal(t, egress.Found{There: true, Size: 7, Count: 2, Hollow: 1, Length: long(3500 * time.Millisecond)}, got)
	require.Equal(t, egress.Found{}, egress.FindSegments(segments, nil))
	all := []egress.Object{{Path: "rec/seg_00000.ts", Size: 7}, {Path: "rec/sub/seg_00001.ts"}, {Path: "rec/seg_00002.ts", Size: 1}}
	require.Equal(t, egress.Found{There: true, Size: 8, Count: 3, Hollow: 1, Length: long(3500 * time.Millisecond)}, egress.FindSegments(segments, all))
	require.Equal(t, egress.Found{There: true, Size: 7, Count: 1, Length: long(2500 * time.Millisecond)}, egress.FindSegments(segments, all[:1]))
}

func TestWhatAllSegmentsBeginWith(t *testing.T) {
	t.Parallel()
	for want, paths := range map[string][]string{
		"":        nil,
		"rec/a_0": {"rec/a_0"},
		"rec/a_":  {"rec/a_0", "rec/a_1"},
		"rec/":    {"rec/a_0", "rec/a_1", "rec/b_0"},
		"r":       {"rec/a", "r/b"},
		"a":       {"a", "ab"},
	} {
		var segments []egress.Segment
		for _, p := range paths {
			segments = append(segments, egress.Segment{Path: p})
		}
		require.Equal(t, want, egress.CommonPrefix(segments))
	}
	require.Empty(t, egress.CommonPrefix([]egress.Segment{{Path: "a/x"}, {Path: "b/y"}}))
}

func TestASetIsWhatWasListed(t *testing.T) {
	t.Parallel()
	listed := []egress.Object{{Path: "img_00000.jpeg", Size: 3}, {Path: "img_00001.jpeg"}, {Path: "img-2_00000.jpeg", Size: 1}, {Path: "img_1.txt"}, {Path: "img_20260102150405123.ts", Size: 1}}
	require.Equal(t, listed[:2], egress.Images("img", false, listed))
	require.Equal(t, listed[4:], egress.Numbered(listed))
	require.Equal(t, egress.Found{There: true, Size: 3, Count: 2, Hollow: 1}, egress.FindSet(listed[:2]))
	require.Equal(t, egress.Found{There: true, Size: 1, Count: 1}, egress.FindSet(listed[4:]))
	require.Equal(t, egress.Found{There: true, Size: 4, Count: 3, Hollow: 1}, egress.FindSet(listed[:3]))
	require.Equal(t, egress.Found{}, egress.FindSet(nil))
}

func TestAPlaylistOfLeftoversTellsOfItsGaps(t *testing.T) {
	t.Parallel()
	got := egress.WritePlaylist("rec/seg-salvaged.m3u8", []egress.Segment{
		{"rec/seg_00000.ts", long(2 * time.Second)}, {"rec/seg_00001.ts", long(2100 * time.Millisecond)}, {"rec/seg_00003.ts", long(time.Second)},
	})
	require.Equal(t, `#EXTM3U
#EXT-X-VERSION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-TARGETDURATION:3
#EXT-X-MEDIA-SEQUENCE:0
#EXTINF:2.000,
seg_00000.ts
#EXTINF:2.100,
seg_00001.ts
#EXT-X-DISCONTINUITY
#EXTINF:1.000,
seg_00003.ts
#EXT-X-ENDLIST
`, string(got))
	times := egress.WritePlaylist("seg-salvaged.m3u8", []egress.Segment{{"seg_20260102150405123.ts", 1}, {"seg_20260102150409123.ts", 1}})
	require.NotContains(t, string(times), "DISCONTINUITY", "times say nothing of a gap")
	require.Contains(t, string(times), "\nseg_20260102150409123.ts\n")
	require.Contains(t, string(egress.WritePlaylist("p.m3u8", []egress.Segment{{"seg_00000.ts", 1}, {"seg_00002.ts", 1}})), "DISCONTINUITY")
	for before, after := range map[string]string{"intro.ts": "seg_00005.ts", "seg_00009.ts": "seg_00010.ts", "seg_00000.ts": "outro.ts", "seg_10000000000.ts": "seg_10000000005.ts"} {
		text := egress.WritePlaylist("p.m3u8", []egress.Segment{{before, 1}, {after, 1}})
		require.NotContains(t, string(text), "DISCONTINUITY", "%s, %s", before, after)
	}
}

func TestAPlayerFindsWhatAPlaylistOfLeftoversNames(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]string{
		"seg": "seg", "定例　会議 & +": "定例　会議 & +", ".hidden": ".hidden", // as LiveKit writes them
		"Sprint #42": "Sprint %2342", "#general": "%23general", "Why?": "Why%3F", "100% done": "100%25 done", "a%23b": "a%2523b",
		"standup: mon": "./standup: mon", " team": "./ team", `a\b`: "a%5Cb", "a\tb\rc\nd": "a%09b%0Dc%0Ad",
	} {
		for _, dir := range []string{"", "rec/", "/out/50%25/"} {
			at, segments := dir+"x.m3u8", []egress.Segment{{dir + name + "_00000.ts", long(time.Second)}}
			text := egress.WritePlaylist(at, segments)
			require.Contains(t, string(text), "#EXTINF:1.000,\n"+written+"_00000.ts\n#EXT-X-ENDLIST")
			require.Equal(t, segments, egress.Unescape(egress.ParsePlaylist(at, text, 50)))
			of := url.URL{Scheme: "https", Host: "store.example", Path: path.Join("/", at)}
			got, err := of.Parse(written + "_00000.ts")
			require.NoError(t, err)
			require.Equal(t, path.Join("/", segments[0].Path), got.Path)
			require.Empty(t, got.RawQuery+got.Fragment)
		}
	}
	others := []egress.Segment{{"rec/50%_00000.ts", 1}}
	require.Equal(t, others, egress.Unescape(others), "that is not escaped")
}

func TestLeftoversAreTheSegmentsOfThisEgressAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		to   egress.Destination
		made string // the playlist in LiveKit's result
		want string
	}{
		"by prefix":                     {to: egress.Destination{Path: "{room_name}/seg"}, want: "standup/seg"},
		"by playlist":                   {to: egress.Destination{Playlist: "rec/p.m3u8"}, want: "rec/p"},
		"any end of a playlist":         {to: egress.Destination{Playlist: "rec/p.v1.2"}, made: "rec/p.v1.m3u8", want: "rec/p.v1"},
		"prefix beside the playlist":    {to: egress.Destination{Path: "seg", Playlist: "rec/p.m3u8"}, want: "rec/seg"},
		"prefix below the playlist":     {to: egress.Destination{Path: "segs/seg", Playlist: "rec/p.m3u8"}, made: "rec/p.m3u8", want: "rec/segs/seg"},
		"prefix of its directory":       {to: egress.Destination{Path: "rec/seg", Playlist: "rec/p.m3u8"}, want: "rec/seg"},
		"its directory from here":       {to: egress.Destination{Path: "./rec/seg", Playlist: "rec/p.m3u8"}, made: "rec/p.m3u8", want: "rec/seg"},
		"the playlist's from above":     {to: egress.Destination{Path: "rec/seg", Playlist: "../rec//p.m3u8"}, made: "rec/p.m3u8", want: "rec/seg"},
		"a playlist that names nothing": {to: egress.Destination{Path: "rec/seg", Playlist: "./"}, made: "rec/seg.m3u8", want: "rec/seg"},
		"a time, and no playlist":       {to: egress.Destination{Path: "rec/{time}/seg"}, made: "rec/2026-11-28T100000/seg.m3u8", want: "rec/2026-11-28T100000/seg"},
		"a time in the name":            {to: egress.Destination{Path: "rec/seg-{time}"}, made: "rec/seg-2026-11-28T100000.m3u8", want: "rec/seg-2026-11-28T100000"},
		"a directory alone":             {to: egress.Destination{Path: "rec/"}, made: "rec/standup-2026-11-28T100000.m3u8", want: "rec/standup-2026-11-28T100000"},
		"the directory of both":         {to: egress.Destination{Path: "{time}/{room_name}", Playlist: "{time}/all.m3u8"}, made: "2026-11-28T100000/all.m3u8", want: "2026-11-28T100000/standup"},
		"the playlist in the segments'": {to: egress.Destination{Path: "rec/{time}/seg", Playlist: "index.m3u8"}, made: "rec/2026-11-28T100000/index.m3u8", want: "rec/2026-11-28T100000/seg"},
		"below the playlist's time":     {to: egress.Destination{Path: "segs/s", Playlist: "{publisher_identity}-{time}/p.m3u8"}, made: "anna-2026-11-28T100000/p.m3u8", want: "anna-2026-11-28T100000/segs/s"},
		"named as the playlist":         {to: egress.Destination{Playlist: "{room_name}-{time}.m3u8"}, made: "standup-2026-11-28T100000.m3u8", want: "standup-2026-11-28T100000"},
		"the second of two":             {to: egress.Destination{Path: "{time}/seg", Nth: 1}, made: "2026-11-28T100000/seg.m3u8", want: "2026-11-28T100000/seg"},
		"a time that nobody knows":      {to: egress.Destination{Path: "rec/{time}/seg"}},
		"a time that is not the list's": {to: egress.Destination{Path: "rec/{time}", Playlist: "rec/p.m3u8"}, made: "rec/p.m3u8"},
		"a time below the list's":       {to: egress.Destination{Path: "{time}/s", Playlist: "rec/p.m3u8"}, made: "rec/p.m3u8"},
		"a directory, and no result":    {to: egress.Destination{Path: "rec/"}},
		"nothing":                       {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := []string{"", "{}"} // it does not say
			if tc.made != "" {
				results = []string{strings.Repeat(`{},`, tc.to.Nth) + fmt.Sprintf(`{"playlistName":%q}`, tc.made)}
			}
			for _, list := range results {
				info := resultOf(t, fmt.Sprintf(`{"roomName":"standup","segmentResults":[%s]}`, list))
				require.Equal(t, tc.want, egress.SegmentBase(info, tc.to))
			}
		})
	}
}

func TestWhatLayThereLongBeforeIsOfAnother(t *testing.T) {
	t.Parallel()
	began := moment(1000)
	wants := egress.Wants(resultOf(t, fmt.Sprintf(`{"segmentResults":[{"playlistName":"p.m3u8","startedAt":"%d"}],"imageResults":[{"filenamePrefix":"i","startedAt":"%[1]d"}]}`, began.UnixNano())), nil)
	sets := 0
	for _, w := range wants {
		if w.File.Kind == egress.OutputPlaylist {
			continue
		}
		sets++
		require.Equal(t, []egress.Object{{Path: "now", Modified: began}, {Path: "nobody knows"}}, w.Fresh([]egress.Object{
			{Path: "before", Modified: began.Add(-3 * time.Minute)}, {Path: "now", Modified: began}, {Path: "nobody knows"},
		}))
	}
	require.Equal(t, 2, sets)
}

func TestLeftoversAreThoseOfTheirTimeInOrder(t *testing.T) {
	t.Parallel()
	from, until := moment(1000), moment(2000)
	object := func(path string, size int64, modified time.Time) egress.Object {
		return egress.Object{Path: path, Size: size, Modified: modified}
	}
	mine := from.Add(time.Second)
	left := egress.Salvage("rec/seg", []egress.Object{
		object("rec/seg_00003.ts", 1, until.Add(time.Minute)), object("rec/seg_00001.ts", 1, mine), object("rec/seg_00000.ts", 1, from.Add(-time.Minute)),
		object("rec/seg.m3u8", 1, mine), object("rec/seg_2_00000.ts", 1, mine), object("rec/x/seg_00000.ts", 1, mine), object("rec/seg_00002.ts", 0, mine),
		object("rec/seg_00004.ts", 1, from.Add(-3*time.Minute)), object("rec/seg_00005.ts", 1, until.Add(3*time.Minute)),
	}, from, until)
	require.Equal(t, "rec/seg", left.Base)
	require.Equal(t, []string{"", "rec/seg_00000.ts", "rec/seg_00001.ts", "rec/seg_00003.ts"}, paths(left.Segments))
	require.Equal(t, 2, left.Has([]egress.Segment{{Path: "rec/seg_00001.ts"}, {Path: "rec/seg_00002.ts"}, {Path: "rec/seg_00003.ts"}}))
}

func paths(objects []egress.Object) (all []string) {
	for _, o := range objects {
		all = append(all, o.Path)
	}
	return append([]string{""}, all...)
}

func TestALeftoversLengthIsTheBestThatIsKnown(t *testing.T) {
	t.Parallel()
	l := egress.Leftover{Base: "s", Segments: []egress.Object{{Path: "s_00000.ts"}, {Path: "s_00001.ts"}}}
	require.Equal(t, "s-salvaged.m3u8", l.Playlist())
	both := map[string]egress.Duration{"s_00000.ts": 1, "s_00001.ts": 2}
	one := map[string]egress.Duration{"s_00000.ts": 3}
	for _, tc := range []struct {
		known, probed map[string]egress.Duration
		asked         uint32
		want          []egress.Duration
		source        string
	}{
		{both, nil, 6, []egress.Duration{1, 2}, "LiveKit's own playlist"},
		{one, both, 6, []egress.Duration{3, 2}, "ffprobe"},
		{nil, both, 6, []egress.Duration{1, 2}, "ffprobe"},
		{nil, one, 6, []egress.Duration{3, long(6 * time.Second)}, "the request's segment_duration"},
		{nil, map[string]egress.Duration{"s_00001.ts": 2}, 6, []egress.Duration{long(6 * time.Second), 2}, "the request's segment_duration"},
		{nil, nil, 0, []egress.Duration{long(4 * time.Second), long(4 * time.Second)}, "the request's segment_duration"},
	} {
		segments, source := l.Lengths(egress.Destination{Segment: tc.asked}, tc.known, tc.probed)
		require.Equal(t, tc.want, []egress.Duration{segments[0].Length, segments[1].Length})
		require.Equal(t, []string{"s_00000.ts", "s_00001.ts"}, []string{segments[0].Path, segments[1].Path})
		require.Equal(t, tc.source, source)
	}
}

// moment returns the time so many seconds into a day.
func moment(seconds int) time.Time {
	return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// The previous recording, with the same prefix, ended just before this one began.
func TestSegmentsOfTheRecordingBeforeAreNotOurs(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 5, 4, 10, 0, 30, 0, time.UTC)
	at := func(number int, after time.Duration) egress.Object {
		return egress.Object{Path: fmt.Sprintf("rec/seg_%05d.ts", number), Size: 1, Modified: began.Add(after)}
	}
	before := []egress.Object{at(898, -35*time.Second), at(899, -31*time.Second)}
	just := at(900, -2*time.Second)
	for name, tc := range map[string]struct {
		ours []egress.Object
		want int
	}{
		"some of ours":                       {[]egress.Object{at(0, 4*time.Second), at(1, 8*time.Second)}, 2},
		"some of ours, just behind":          {[]egress.Object{at(0, 4*time.Second), just}, 1},
		"none of ours":                       {nil, 0},
		"a store whose clock is behind":      {[]egress.Object{at(0, -86*time.Second), at(1, -82*time.Second), at(30, 34*time.Second)}, 5}, // nobody can tell
		"a turn that came late, and a store": {[]egress.Object{at(0, -2*time.Second), at(1, -9*time.Second)}, 2},
		"more than a turn":                   {[]egress.Object{at(0, -2*time.Second), at(1, -12500*time.Millisecond)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := egress.Salvage("rec/seg", slices.Concat(tc.ours, before), began, began.Add(time.Minute))
			require.Len(t, left.Segments, tc.want)
		})
	}
	named := egress.Object{Path: "rec/seg_20260504100020000.ts", Size: 1, Modified: began.Add(-10 * time.Second)}
	require.Len(t, egress.Salvage("rec/seg", []egress.Object{named}, began, began).Segments, 1, "a time is no index")
	named.Modified = began.Add(-3 * time.Minute)
	require.Empty(t, egress.Salvage("rec/seg", []egress.Object{named}, began, began).Segments, "long before")
	require.Empty(t, egress.Salvage("rec/seg", nil, began, began).Segments)
	require.Empty(t, egress.Salvage("rec/seg", []egress.Object{at(99_999, -time.Second)}, began, began).Segments, "the last index is one")
}
