package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// archived returns the verdicts of a loss, of a recording in parts, and of a room whose name a
// spreadsheet would run.
func archived(t *testing.T) []egress.Verdict {
	t.Helper()
	i, err := egress.NewInfo(&livekit.EgressInfo{
		EgressId: "EG_2", Status: livekit.EgressStatus_EGRESS_COMPLETE, StartedAt: day(8).UnixNano(),
		FileResults:    []*livekit.FileInfo{{Location: "s3://b/a.mp4"}, {Filename: "local.mp4"}},
		SegmentResults: []*livekit.SegmentsInfo{{PlaylistLocation: "s3://b/a.m3u8", LivePlaylistLocation: "s3://b/live.m3u8"}},
		ImageResults:   []*livekit.ImagesInfo{{FilenamePrefix: "images/a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	parted := aVerdict("EGRESS_COMPLETE")
	parted.EgressID, parted.Info, parted.Because = "EG_2", i, ""
	parted.Media, parted.MediaBecause = egress.MediaMissing, "file a.mp4 is not there"
	parted.Files = []egress.MediaFile{{Kind: "file", Path: "a.mp4", Media: egress.MediaMissing}, {Kind: "playlist", Path: "a.m3u8", Size: 7, Media: egress.MediaPresent}}
	parted.Results = map[string]json.RawMessage{"index": json.RawMessage(`{"line":7}`)}
	first, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", FileResults: []*livekit.FileInfo{{Location: "s3://b/a-1.mp4"}}})
	if err != nil {
		t.Fatal(err)
	}
	parted.Parts = []egress.Part{
		{Number: 1, EgressID: "EG_1", Status: "EGRESS_FAILED", Info: first, Media: &egress.MediaReport{Files: []egress.MediaFile{{Path: "a-1.mp4"}}}},
		{Number: 2, EgressID: "EG_1b", Status: egress.Lost},
		{Number: 3, EgressID: "EG_2", Status: "EGRESS_COMPLETE", Info: i, Media: &egress.MediaReport{Files: parted.Files}},
	}
	hostile := aVerdict("EGRESS_FAILED")
	hostile.Room, hostile.Because = `=HYPERLINK("http://evil.example","a, b")`, "-1\n+2"
	hostile.Stopped, hostile.StoppedBy = egress.StopRequested, egress.AskedBy("API1", "ann")
	return []egress.Verdict{aVerdict(egress.Lost), parted, hostile}
}

func TestVerdictsAreExportedAsJSONLines(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.verdicts = archived(t)
	got := s.run(t, "export", "--since", "48h", "--where", "x")
	golden(t, "export.jsonl", got)
	if time.Since(s.span.Since).Round(time.Hour) != 48*time.Hour || s.span.Where != "x" || s.role != "reader" {
		t.Errorf("asked for %+v as %s", s.span, s.role)
	}
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %d lines", len(lines))
	}
	for i, line := range lines {
		var v egress.Verdict
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.EgressID != s.verdicts[i].EgressID || v.Room != s.verdicts[i].Room || len(v.Parts) != len(s.verdicts[i].Parts) {
			t.Errorf("got %+v: %v", v, err)
		}
	}
	if again := s.run(t, "export", "--json"); again.stdout != got.stdout || time.Since(s.span.Since).Round(time.Hour) != 24*time.Hour {
		t.Error("--json is another form, or the span of a day is not the default")
	}
}

func TestVerdictsAreExportedAsCSV(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.verdicts = archived(t)
	got := s.run(t, "export", "--csv")
	golden(t, "export.csv", got)
	lines, err := csv.NewReader(strings.NewReader(got.stdout)).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatalf("got %q: %v", lines, err)
	}
	of := func(line int, name string) string { return lines[line][slices.Index(lines[0], name)] }
	for i, want := range map[string]string{
		of(1, "status"): "LOST", of(1, "late_seconds"): "21.000", of(1, "ended_at"): "2026-03-04T09:00:00Z",
		of(2, "parts"): "EG_1 EG_1b EG_2", of(2, "files"): "a-1.mp4 a.mp4 a.m3u8", of(2, "locations"): "s3://b/a-1.mp4 s3://b/a.mp4 s3://b/a.m3u8 s3://b/live.m3u8 images/a",
		of(3, "room"): `'=HYPERLINK("http://evil.example","a, b")`, of(3, "stopped_by"): "ann with the key API1", of(3, "because"): "'-1\n'+2",
	} {
		if i != want {
			t.Errorf("got %q, want %q", i, want)
		}
	}
}

func TestWhatTemporalHasDeletedMeanwhileIsCounted(t *testing.T) {
	t.Parallel()
	const said = "Temporal deleted 1 at the end of their retention, before they were read; all others are there\n"
	s := newShell()
	s.verdicts, s.deleted = archived(t), true
	if got := s.run(t, "export"); got.status != 3 || got.stderr != "starter: "+said || strings.Count(got.stdout, "\n") != 3 {
		t.Errorf("got %+v", got)
	}
	path := filepath.Join(t.TempDir(), "verdicts.jsonl")
	if got := s.run(t, "export", "--out", path); got.status != 3 || got.stderr != "3 verdicts in "+path+"\nstarter: "+said {
		t.Errorf("got %+v", got)
	}
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") != 3 {
		t.Errorf("got %q: %v", b, err)
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "daily": "daily", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t'=1", "\r=1": "'\r'=1", "\n=1": "'\n'=1", "'=1": "'=1", "é": "é",
		"a;=1": "a;'=1", "a;\"=1;-b;c": "a;\"'=1;'-b;c", "a\t+1\r\n@x": "a\t'+1\r\n'@x", "a; b-c": "a; b-c",
	} {
		if got := cell(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	v := egress.Verdict{Results: map[string]json.RawMessage{"a": json.RawMessage(`";=1"`)}}
	if got := cell(results(v)); got != `{"a":"\u003b=1"}` {
		t.Errorf("JSON stays JSON: got %s", got)
	}
}

func TestAFileAppearsOnceItIsComplete(t *testing.T) {
	t.Parallel()
	s := newShell()
	dir := t.TempDir()
	path := filepath.Join(dir, "verdicts.csv")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.verdicts, s.err = archived(t), errors.New("page lost")
	if got := s.run(t, "export", "--csv", "--out", path); got.status != 1 || got.stderr != "starter: page lost\n" || got.stdout != "" {
		t.Errorf("got %+v", got)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "before" {
		t.Errorf("got %q: %v", b, err)
	}
	s.err = nil
	if got := s.run(t, "export", "--csv", "--out", path); got.status != 0 || got.stderr != "3 verdicts in "+path+"\n" || got.stdout != "" {
		t.Errorf("got %+v", got)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != s.run(t, "export", "--csv").stdout {
		t.Errorf("got %q: %v", b, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v: %v", left, err)
	}
	if got := s.run(t, "export", "--out", filepath.Join(dir, "nowhere", "x")); got.status != 2 || !strings.Contains(got.stderr, "--out: ") {
		t.Errorf("got %+v", got)
	}
}

func TestAnExportThatBreaksOffSaysSoAndEndsWithAWholeLine(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.verdicts, s.err = archived(t)[:1], &egress.Error{Reason: egress.Invalid, Field: "where", Message: "no"}
	got := s.run(t, "export")
	if got.status != 2 || got.stderr != "starter: --where: no\n" || strings.Count(got.stdout, "\n") != 1 || !json.Valid([]byte(got.stdout)) {
		t.Errorf("got %+v", got)
	}
}

func TestAnExportReplacesNothingButAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "nowhere")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("gone", link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":          "--out: is empty: name a file, or leave it out for standard output",
		dir:         "--out: " + dir + " is a folder: name a file",
		pipe:        "--out: " + pipe + " is not a regular file: name one, or leave it out for standard output",
		link:        "--out: lstat " + filepath.Join(dir, "gone") + ": no such file or directory",
		"/dev/null": "--out: /dev/null is not a regular file: name one, or leave it out for standard output",
	} {
		s := newShell()
		wantRefusal(t, s, s.run(t, "export", "--out", path), want)
		if s.connected != nil {
			t.Errorf("%q: something was read", path)
		}
	}
	if is, err := os.Lstat(pipe); err != nil || is.Mode().IsRegular() {
		t.Errorf("the pipe is %v: %v", is, err)
	}
}

func TestAnExportToALinkReplacesItsTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("before"), 0o600), os.Symlink("target", link)); err != nil {
		t.Fatal(err)
	}
	s := newShell()
	s.verdicts = archived(t)
	if got := s.run(t, "export", "--out", link); got.status != 0 || got.stderr != "3 verdicts in "+link+"\n" {
		t.Errorf("got %+v", got)
	}
	if to, err := os.Readlink(link); err != nil || to != "target" {
		t.Errorf("the link is %q: %v", to, err)
	}
	if b, err := os.ReadFile(target); err != nil || strings.Count(string(b), "\n") != 3 {
		t.Errorf("got %q: %v", b, err)
	}
}
