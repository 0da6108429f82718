package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// realShell runs command lines against a real Temporal that no worker serves.
type realShell map[string]string

func newRealShell(t *testing.T) realShell {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	srv, err := devtemporal.Start(t.Context(), devtemporal.Options{Headless: true, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Kill)
	environ := realShell{"LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": "secret", "TEMPORAL_ADDRESS": srv.Address}
	opts, err := config.TemporalOptions(environ)
	if err != nil {
		t.Fatal(err)
	}
	temporal, err := client.DialContext(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(temporal.Close)
	if _, err := recordings.New(recordings.Config{Temporal: temporal}).EnsureSearchAttributes(t.Context()); err != nil {
		t.Fatal(err)
	}
	return environ
}

func (s realShell) run(t *testing.T, line string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), fields(line), deps{environ: s, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, examine: examine, connect: connect})
	return result{status, stdout.String(), stderr.String()}
}

func TestWithoutAWorkerNothingIsLostAndAllIsSaid(t *testing.T) {
	t.Parallel()
	s := newRealShell(t)
	got := s.run(t, aRoom+"--id patient --timeout 5s")
	want := `starter: deadline_exceeded: start egress/patient: no answer in time; it may go on: ask again with the ID "patient"` + "\n"
	if got.status != 1 || got.stderr != want || got.stdout != "" {
		t.Errorf("start: got %+v", got)
	}
	got = s.run(t, "show patient")
	if got.status != 0 || !strings.Contains(got.stdout, "workflow  egress/patient running\n") || !strings.Contains(got.stdout, "\nproblem   no worker answered: ") {
		t.Errorf("show: got %+v", got)
	}
	row := awaitListed(t, s, "list --room r --active --json")
	if row.RequestID != "patient" || row.Status != "EGRESS_STARTING" || row.Kind != "room_composite" || row.Room != "r" {
		t.Errorf("list: got %+v", row)
	}
	if got = s.run(t, "report --json"); got.status != 0 || !strings.Contains(got.stdout, `"running": 1,`) {
		t.Errorf("report: got %+v", got)
	}
	want = "starter: --timeout: 2s ran out before the verdict came; starter show patient says what it waits for\n"
	if got = s.run(t, "wait patient --timeout 2s"); got.status != 1 || got.stderr != want {
		t.Errorf("wait: got %+v", got)
	}
	want = "starter: deadline_exceeded: egress.stop of egress/patient: no answer in time; if no worker runs "
	if got = s.run(t, "stop patient --timeout 2s"); got.status != 1 || !strings.HasPrefix(got.stderr, want) {
		t.Errorf("stop: got %+v", got)
	}
}

// awaitListed polls until visibility knows the recording.
func awaitListed(t *testing.T, s realShell, line string) recordings.Row {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		got := s.run(t, line)
		var rows []recordings.Row
		if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || got.status != 0 {
			t.Fatalf("got %+v: %v", got, err)
		}
		if len(rows) > 0 {
			return rows[0]
		}
	}
	t.Fatal("the recording is never listed")
	return recordings.Row{}
}

func TestWhatTemporalDoesNotKnowIsTheCallersMistake(t *testing.T) {
	t.Parallel()
	s := newRealShell(t)
	for _, line := range []string{"show nobody", "stop nobody", "wait nobody", "retry nobody announce", "skip nobody announce"} {
		got := s.run(t, line)
		if got.status != 2 || got.stderr != `starter: no recording has the ID "nobody"`+"\n" || got.stdout != "" {
			t.Errorf("%s: got %+v", line, got)
		}
	}
	for _, line := range []string{"show a/b", "stop a/b", "wait a/b", "retry a/b", "skip a/b announce", "redeliver a/b"} {
		got := s.run(t, line)
		if got.status != 2 || got.stderr != `starter: ID: want an egress ID (EG_…), a request ID or a workflow ID (egress/…), got "a/b"`+"\n" {
			t.Errorf("%s: got %+v", line, got)
		}
	}
	s["TEMPORAL_NAMESPACE"] = "nowhere"
	for _, line := range []string{"list", "show x", aRoom} {
		got := s.run(t, line)
		if got.status != 2 || !strings.Contains(got.stderr, "nowhere") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: got %+v", line, got)
		}
	}
}
