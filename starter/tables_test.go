package main

import (
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAFileIsShownAsItWasFound(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]egress.MediaFile{
		"file a.mp4, missing, 0 bytes":                         {Kind: "file", Path: "a.mp4", Media: egress.MediaMissing},
		"segments s/seg, present, 9 bytes in 4":                {Kind: "segments", Path: "s/seg", Media: egress.MediaPresent, Size: 9, Count: 4},
		"file a.mp4, present, 7 bytes, plays for 3.1s, silent": {Kind: "file", Path: "a.mp4", Media: egress.MediaPresent, Size: 7, Length: egress.Duration(3140 * time.Millisecond), Silent: true},
		"file a.mp4, present, 7 bytes, plays for 3s":           {Kind: "file", Path: "a.mp4", Media: egress.MediaPresent, Size: 7, Length: egress.Duration(3 * time.Second)},
	} {
		if got := mediaFile(f); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
