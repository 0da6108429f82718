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
