package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

func aVerdict(s egress.Status) egress.Verdict {
	return egress.Verdict{
		RequestID: "req", EgressID: "EG_1", Kind: egress.KindRoomComposite, Room: "daily", RoomID: "RM_1", Status: s, EndedBy: egress.FromPoll,
		EndedAt: day(9), HeardAt: day(9).Add(21 * time.Second), Late: egress.Duration(21 * time.Second), Missed: egress.MissedUnclassified,
		Media: egress.MediaUnchecked, Because: "its worker does not answer StopEgress", Delivered: []string{"announce"}, Info: info(),
	}
}

func aView() recordings.View {
	news, next := day(8), day(10)
	return recordings.View{
		Row: recordings.Row{
			RequestID: "req", WorkflowID: "egress/req", RunID: "run", EgressID: "EG_1", Kind: egress.KindRoomComposite, Room: "daily",
			Status: "EGRESS_ACTIVE", Workflow: "running", StartedAt: day(7), Stuck: true,
		},
		Phase: egress.Watching, NewsAt: &news, NewsBy: egress.FromWebhook, NextLook: &next, Because: "runs for over 12h", Info: info(),
		Pending: []recordings.Activity{{Type: "Poll", Attempt: 3, LastFailure: "no news yet", NextAttempt: &next}, {Type: "Stop", Attempt: 1}, {Type: "Transcribe", Attempt: 1, AwaitsWorker: "media"}},
		Story: []egress.Beat{
			{At: day(7), What: "EGRESS_STARTING", By: egress.FromStart},
			{At: day(8), What: "EGRESS_ACTIVE", By: egress.FromWebhook, Late: egress.Duration(1250 * time.Millisecond), LeftOut: 3},
		},
		Ways: []egress.Way{{Command: "starter stop req", For: "end it now"}},
	}
}

func TestShowTellsAllThatIsKnown(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.view = aView()
	golden(t, "show-running.txt", s.run(t, "show", "EG_1"))
	golden(t, "show-running.json", s.run(t, "show", "EG_1", "--json"))
	v := aVerdict(egress.Lost)
	v.Missed, v.MissedBecause = egress.MissedUntried, "LiveKit has never called it ended, so it had nothing to send"
	v.Results = map[string]json.RawMessage{"transcribe": json.RawMessage(`{"text":"s3://b/t"}`), "long": json.RawMessage(`"` + strings.Repeat("x", 300) + `"`)}
	// It stays open, in case it turns out to be alive.
	s.view = recordings.View{Row: aView().Row, Phase: egress.Delivered, Info: v.Info, Verdict: &v, Story: aView().Story}
	golden(t, "show-ended.txt", s.run(t, "show", "egress/req"))
	golden(t, "show-ended.json", s.run(t, "show", "--json", "egress/req"))
	if want := []string{"show EG_1", "show EG_1", "show egress/req", "show egress/req"}; !slices.Equal(s.asked, want) || s.role != "reader" {
		t.Errorf("asked %v as %s", s.asked, s.role)
	}
}

func TestAProblemIsShownBesideWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.view = recordings.View{Row: recordings.Row{WorkflowID: "egress/req", Workflow: "running"}, Problem: "no worker answered: timeout"}
	golden(t, "show-problem.txt", s.run(t, "show", "req"))
}

func TestShowSaysWhatAStartIsAt(t *testing.T) {
	t.Parallel()
	since, next := day(8), day(9)
	for want, a := range map[string]recordings.Activity{
		"Start, attempt 1, since 2026-03-04 08:00:00 UTC, asks LiveKit for it, or looks there for what it asked for before":         {Type: "Start", Attempt: 1, StartedAt: &since},
		"Start, attempt 2, since 2026-03-04 08:00:00 UTC, looks for it at LiveKit before it asks again: activity Heartbeat timeout": {Type: "Start", Attempt: 2, StartedAt: &since, LastFailure: "activity Heartbeat timeout"},
		"Start, attempt 2, again at 2026-03-04 09:00:00 UTC: worker stopped during the start":                                       {Type: "Start", Attempt: 2, NextAttempt: &next, LastFailure: "worker stopped during the start"},
		"Stop, attempt 2, since 2026-03-04 08:00:00 UTC":                                                                            {Type: "Stop", Attempt: 2, StartedAt: &since},
	} {
		s := newShell()
		s.view = recordings.View{Row: recordings.Row{WorkflowID: "egress/req", Workflow: "running"}, Phase: egress.Requested, Pending: []recordings.Activity{a}}
		if got := s.run(t, "show", "req"); !strings.HasSuffix(got.stdout, "\ndoing     "+want+"\n") {
			t.Errorf("got %q, want %q", got.stdout, want)
		}
	}
}

func TestWaitEndsWithTheVerdict(t *testing.T) {
	t.Parallel()
	for status, want := range map[egress.Status]int{
		"EGRESS_COMPLETE": 0, "EGRESS_LIMIT_REACHED": 0, "EGRESS_FAILED": 3, "EGRESS_ABORTED": 3, egress.Lost: 3,
	} {
		s := newShell()
		s.verdict = aVerdict(status)
		got := s.run(t, "wait", "req")
		if got.status != want || !strings.Contains(got.stdout, string(status)) || s.stopped {
			t.Errorf("%s: got %+v, want status %d and no time limit", status, got, want)
		}
		if line := "starter: EG_1 ended as " + string(status) + "\n"; want == 3 && got.stderr != line {
			t.Errorf("got %q, want %q", got.stderr, line)
		}
	}
}

func TestWaitEndsWithStatus3WhereMediaOrAPartIsMissing(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.verdict = aVerdict("EGRESS_COMPLETE")
	s.verdict.Media, s.verdict.MediaBecause = egress.MediaTruncated, "file a is too short"
	if got := s.run(t, "wait", "req"); got.status != 3 || got.stderr != "starter: the media of EG_1 is truncated: file a is too short\n" {
		t.Errorf("got %+v", got)
	}
	s.verdict = aVerdict("EGRESS_COMPLETE")
	s.verdict.Parts = []egress.Part{{Number: 1, EgressID: "EG_0", Status: egress.Lost}, {Number: 2, EgressID: "EG_1", Status: "EGRESS_COMPLETE"}}
	if got := s.run(t, "wait", "req"); got.status != 3 || got.stderr != "starter: part 1, EG_0, ended as LOST\n" {
		t.Errorf("got %+v", got)
	}
}

func TestATerminalObeysNoNameOfARoom(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows = overRows(2)
	s.rows[1].Room = "x\x1b[1A\x1b[2K\n👨‍👩‍👧 é"
	got := s.run(t, "list")
	if !strings.Contains(got.stdout, `x\x1b[1A\x1b[2K\n👨‍👩‍👧 é`) || strings.Count(got.stdout, "\n") != 3 {
		t.Errorf("got %q", got.stdout)
	}
}

func TestATerminalObeysNothingThatIsPrinted(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if _, err := io.WriteString(screen(&b), "a\tb\x1b[2J\x07\u009b2J\u202e👨‍👩‍👧 é\n"); err != nil {
		t.Fatal(err)
	}
	if want := "a\tb␛[2J␇\ufffd2J\ufffd👨‍👩‍👧 é\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestWaitPrintsTheVerdict(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.verdict = aVerdict("EGRESS_COMPLETE")
	golden(t, "wait.txt", s.run(t, "wait", "req", "--timeout", "1m"))
	golden(t, "wait.json", s.run(t, "wait", "req", "--json"))
}

func TestStopPrintsWhatLiveKitAnswered(t *testing.T) {
	t.Parallel()
	s := newShell()
	golden(t, "stop.txt", s.run(t, "stop", "EG_1"))
	golden(t, "start.json", s.run(t, "stop", "EG_1", "--json"))
}

func TestWhoGetsNoAnswerToAStopIsToldWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	const advice = "; if no worker runs (starter doctor --only workers tells), the next one stops it, " +
		"unless Temporal restarts first: check with starter show req, or ask again; StopEgress at the front door stops it without a worker"
	for name, tc := range map[string]struct {
		cause error
		want  string
	}{
		"it was sent":     {fmt.Errorf("%w: %w", recordings.ErrUnanswered, context.DeadlineExceeded), advice},
		"it was not sent": {context.DeadlineExceeded, ""},
	} {
		s := newShell()
		s.err = &egress.Error{Reason: egress.Ambiguous, Code: "deadline_exceeded", Message: "no answer in time", Err: tc.cause}
		if got := s.run(t, "stop", "req"); got.status != 1 || got.stderr != "starter: deadline_exceeded: no answer in time"+tc.want+"\n" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func rows() []recordings.Row {
	closed := day(9)
	return []recordings.Row{
		{RequestID: "b", WorkflowID: "egress/b", EgressID: "EG_2", Kind: egress.KindTrackComposite, Room: "daily", Status: "EGRESS_ACTIVE", Stuck: true, Workflow: "running", StartedAt: day(8)},
		{
			RequestID: "a", WorkflowID: "egress/a", EgressID: "EG_1", Kind: egress.KindWeb, Status: egress.Lost, EndedBy: egress.FromPoll, Missed: egress.MissedUnclassified,
			Workflow: "completed", StartedAt: day(7), ClosedAt: &closed, Memo: &egress.Memo{EndedAt: closed, Media: egress.MediaUnchecked},
		},
	}
}

func TestListPrintsRows(t *testing.T) {
	t.Parallel()
	s := newShell()
	golden(t, "list-empty.txt", s.run(t, "list"))
	golden(t, "list-empty.json", s.run(t, "list", "--json"))
	if got := s.run(t, "list", "--redeliveries"); got.stdout != "no redeliveries\n" {
		t.Errorf("got %+v", got)
	}
	s.rows = rows()
	golden(t, "list.txt", s.run(t, "list"))
	golden(t, "list.json", s.run(t, "list", "--json"))
	refused := recordings.Row{RequestID: "c", WorkflowID: "egress/c", Workflow: "failed", StartedAt: day(6)}
	s.rows = []recordings.Row{refused}
	if got := s.run(t, "list"); !strings.Contains(got.stdout, "\n        (failed)              ") {
		t.Errorf("got %q", got.stdout)
	}
	s.rows = rows()
	s.rows[1].Status, s.rows[1].Workflow = "EGRESS_ACTIVE", "terminated"
	if got := s.run(t, "list"); !strings.Contains(got.stdout, "EG_1    EGRESS_ACTIVE (terminated)  web") {
		t.Errorf("got %q", got.stdout)
	}
	s.rows = rows()
	if got := s.run(t, "list", "--limit", "2"); !strings.Contains(got.stdout, "EG_1") || got.stderr != "" {
		t.Errorf("%s%s", got.stdout, got.stderr)
	}
	if got := s.run(t, "list", "--limit", "1"); strings.Contains(got.stdout, "EG_1") || !strings.Contains(got.stdout, "EG_2") ||
		got.stderr != "starter: only the first 1 are shown; --limit 0 shows all\n" {
		t.Errorf("got %s", got.stdout)
	}
	s.err = errors.New("page lost")
	if got := s.run(t, "list"); got.status != 1 || got.stdout != "" || got.stderr != "starter: page lost\n" {
		t.Errorf("got %+v", got)
	}
}

func TestListAsksForWhatTheFlagsSay(t *testing.T) {
	t.Parallel()
	s := newShell()
	before := time.Now().Add(-time.Hour)
	s.run(t, "list", "--lost")
	if s.filter != (recordings.Filter{Status: egress.Lost}) {
		t.Errorf("got %+v", s.filter)
	}
	for typed, want := range map[string]egress.Status{"lost": egress.Lost, "egress_active": "EGRESS_ACTIVE", "EGRESS_PAUSED": "EGRESS_PAUSED"} {
		if got := s.run(t, "list", "--status", typed); got.status != 0 || s.filter.Status != want {
			t.Errorf("%s: got %+v, asked for %q", typed, got, s.filter.Status)
		}
	}
	s.run(t, fields("list --room r --kind track-composite --status LOST -a --stuck --missed --redeliveries --since 1h")...)
	f := s.filter
	if f.Since.Before(before) || f.Since.After(time.Now().Add(-time.Hour)) {
		t.Errorf("since %s", f.Since)
	}
	if s.run(t, "list", "--since", "2026-03-04T00:00:00Z"); !s.filter.Since.Equal(day(0)) {
		t.Errorf("since %s", s.filter.Since)
	}
	f.Since = time.Time{}
	if want := (recordings.Filter{Room: "r", Kind: egress.KindTrackComposite, Status: egress.Lost, Active: true, Stuck: true, Missed: true, Redeliveries: true}); f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
}

func TestServeIsHandedOn(t *testing.T) {
	t.Parallel()
	s := newShell()
	if got := s.run(t, "serve"); got.status != 0 || !s.served {
		t.Errorf("got %+v", got)
	}
	s.err = &egress.Error{Reason: egress.Invalid, Field: "REELKEEPER_PUBLIC_URL", Message: "is not set"}
	if got := s.run(t, "serve"); got.status != 2 || got.stderr != "starter: REELKEEPER_PUBLIC_URL: is not set\n" {
		t.Errorf("got %+v", got)
	}
}

func TestHelpAndVersionGoToStandardOutput(t *testing.T) {
	t.Parallel()
	s := newShell()
	for _, line := range []string{"--help", "", "start --help", "start room-composite -h", "list -h"} {
		if got := s.run(t, fields(line)...); got.status != 0 || got.stderr != "" || !strings.Contains(got.stdout, "USAGE:") {
			t.Errorf("%q: got %+v", line, got)
		}
	}
	if got := s.run(t, "--version"); got.status != 0 || got.stdout != "starter version "+app.ThisBuild().String()+"\n" {
		t.Errorf("got %+v", got)
	}
}

func TestAShellCompletesTheCommands(t *testing.T) {
	t.Parallel()
	s := newShell()
	for line, want := range map[string]string{
		"completion bash":                   "complete -o bashdefault",
		"completion zsh":                    "#compdef starter",
		"completion fish":                   "complete -c starter",
		"start --generate-shell-completion": "room-composite:",
	} {
		if got := s.run(t, fields(line)...); got.status != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%q: got %+v", line, got)
		}
	}
	if got := s.run(t, "completion", "nosh"); got.status != 2 || !strings.Contains(got.stderr, "want one of bash, zsh, fish, pwsh") {
		t.Errorf("got %+v", got)
	}
}
