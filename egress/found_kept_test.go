package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatLayThereBeforeTheRecordingIsNotItsFile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		found egress.Found
		want  egress.Media
		why   string
	}{
		"it is there":                 {egress.Found{There: true, Size: 5}, egress.MediaPresent, ""},
		"… and so was one before":     {egress.Found{There: true, Size: 5, Older: noon}, egress.MediaPresent, ""},
		"it is there, and empty":      {egress.Found{There: true}, egress.MediaEmpty, "file a.mp4 holds nothing"},
		"it is not there":             {egress.Found{}, egress.MediaMissing, "file a.mp4 is not there"},
		"only one that is older is":   {egress.Found{Older: noon}, egress.MediaMissing, "file a.mp4 is not there, but an older one of 2026-11-23T12:00:00Z"},
		"… with as much in it":        {egress.Found{Older: noon, Size: 5}, egress.MediaMissing, "file a.mp4 is not there, but an older one of 2026-11-23T12:00:00Z"},
		"nobody could look":           {egress.Found{Unseen: "is locked"}, egress.MediaUnchecked, "file a.mp4 is locked"},
		"nobody could look for older": {egress.Found{Unseen: "is locked", Older: noon}, egress.MediaUnchecked, "file a.mp4 is locked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputFile, Path: "a.mp4", Want: 5}}
			file, why := w.Judge(tc.found)
			require.Equal(t, tc.want, file.Media)
			require.Equal(t, tc.why, why)
		})
	}
}

func TestAReportKeepsWhatAnEarlierOneLists(t *testing.T) {
	t.Parallel()
	of := func(files ...egress.MediaFile) egress.MediaReport { return egress.MediaReport{Files: files} }
	file := egress.MediaFile{Kind: egress.OutputFile, Path: "a", Size: 5, Media: egress.MediaPresent}
	grown, smaller, elsewhere, segments := file, file, file, file
	grown.Size, grown.Media, smaller.Size, elsewhere.Path, segments.Kind = 6, egress.MediaTruncated, 4, "b", egress.OutputSegments
	for name, tc := range map[string]struct {
		now, before egress.MediaReport
		want        bool
	}{
		"nothing, of nothing": {of(), of(), true},
		"the same":            {of(file), of(file), true},
		"one that grew":       {of(grown), of(file), true},
		"more":                {of(elsewhere, file), of(file), true},
		"none":                {of(), of(file), false},
		"another":             {of(elsewhere), of(file), false},
		"another kind":        {of(segments), of(file), false},
		"a smaller one":       {of(smaller), of(file), false},
		"one of two":          {of(file), of(file, elsewhere), false},
	} {
		require.Equal(t, tc.want, tc.now.Keeps(tc.before), name)
	}
}
