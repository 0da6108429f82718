package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

func TestAFileIsShownAsItWasFound(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]egress.MediaFile{
		"file a.mp4, missing, 0 bytes":                         {Kind: "file", Path: "a.mp4", Media: egress.MediaMissing},
		"segments s/seg, present, 9 bytes in 4":                {Kind: "segments", Path: "s/seg", Media: egress.MediaPresent, Size: 9, Count: 4},
		"file a.mp4, present, 7 bytes, plays for 3.1s, silent": {Kind: "file", Path: "a.mp4", Media: egress.MediaPresent, Size: 7, Length: egress.Duration(3140 * time.Millisecond), Silent: true},
		"playlist p.m3u8, present, 7 bytes, unfinished":        {Kind: "playlist", Path: "p.m3u8", Media: egress.MediaPresent, Size: 7, Unfinished: true},
		"file a.mp4, present, 7 bytes, plays for 3s":           {Kind: "file", Path: "a.mp4", Media: egress.MediaPresent, Size: 7, Length: egress.Duration(3 * time.Second)},
	} {
		if got := mediaFile(f); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAStatusOfANewerLiveKitIsShownAsItSpellsIt(t *testing.T) {
	t.Parallel()
	var info egress.Info
	if err := json.Unmarshal([]byte(`{"egressId":"EG_1","status":"EGRESS_PAUSED"}`), &info); err != nil {
		t.Fatal(err)
	}
	for name, show := range map[string]func(io.Writer) error{
		"start": func(w io.Writer) error { return printStarted(w, recordings.Started{Info: info}) },
		"stop":  func(w io.Writer) error { return printInfo(w, info) },
		"show": func(w io.Writer) error {
			return printView(w, recordings.View{Row: recordings.Row{Status: info.StatusName()}, Info: info})
		},
	} {
		var out bytes.Buffer
		if err := show(&out); err != nil || !strings.Contains(out.String(), "EGRESS_PAUSED") || strings.Contains(out.String(), "EGRESS_STARTING") {
			t.Errorf("%s: got %v, %s", name, err, &out)
		}
	}
}
