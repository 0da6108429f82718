package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

func missedRows() []recordings.Row {
	closed := day(9)
	return append(rows(), recordings.Row{
		RequestID: "c", WorkflowID: "egress/c", EgressID: "EG_3", Kind: egress.KindRoomComposite, Room: `a "quoted", room`, Status: "EGRESS_COMPLETE",
		EndedBy: egress.FromPoll, Missed: egress.MissedSlow, Workflow: "completed", StartedAt: day(7), ClosedAt: &closed,
		AskedBy: egress.AskedBy("APIkey", "ann"),
		Memo:    &egress.Memo{RoomID: "RM_3", EndedAt: day(8), Late: egress.Duration(21 * time.Second), Media: egress.MediaUnchecked},
	})
}

// drifted removes the line that goes with exit status 3.
func drifted(t *testing.T, got result) result {
	t.Helper()
	if got.status != 3 || got.stderr != "starter: 2 missed, 1 lost, 1 stuck, 0 broken off, 0 without their media\n" {
		t.Errorf("got status %d and %q", got.status, got.stderr)
	}
	got.stderr = ""
	return got
}

func TestAReportListsTheMissedAndEndsAsDrift(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows = missedRows()
	golden(t, "report.txt", drifted(t, s.run(t, "report")))
	golden(t, "report.json", drifted(t, s.run(t, "report", "--json")))
	asCSV := drifted(t, s.run(t, "report", "--csv"))
	golden(t, "report.csv", asCSV)
	lines, err := csv.NewReader(strings.NewReader(asCSV.stdout)).ReadAll()
	if err != nil || len(lines) != 3 || !slices.Contains(lines[2], `a "quoted", room`) {
		t.Errorf("got %q: %v", lines, err)
	}
	if s.role != "reader" {
		t.Errorf("asked as %s", s.role)
	}
}

func TestAReportWithoutDriftIsClean(t *testing.T) {
	t.Parallel()
	s := newShell()
	golden(t, "report-empty.txt", s.run(t, "report"))
	for _, flag := range []string{"--json", "--csv"} {
		if got := s.run(t, "report", flag); got.status != 0 || got.stderr != "" {
			t.Errorf("got %+v", got)
		}
	}
	var r recordings.Report
	if err := json.Unmarshal([]byte(s.run(t, "report", "--json").stdout), &r); err != nil || r.Misses == nil {
		t.Errorf("got %+v: %v", r, err)
	}
	s.err = errors.New("page lost")
	if got := s.run(t, "report"); got.status != 1 || got.stdout != "" || got.stderr != "starter: page lost\n" {
		t.Errorf("got %+v", got)
	}
}

func TestAReportCoversTheSpanThatIsNamed(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][2]time.Duration{
		"report":                       {24 * time.Hour, 0},
		"report --since 1h":            {time.Hour, 0},
		"report --since 3h --until 2h": {3 * time.Hour, 2 * time.Hour},
	} {
		s := newShell()
		s.run(t, fields(line)...)
		now := time.Now()
		for i, got := range []time.Time{s.since, s.until} {
			if off := now.Sub(got) - want[i]; off < 0 || off > time.Minute {
				t.Errorf("%s: got %s ago, want %s", line, now.Sub(got), want[i])
			}
		}
	}
	s := newShell()
	s.run(t, fields("report --since 2026-05-04T00:00:00Z --until 2026-05-05T01:00:00+01:00")...)
	if s.since.Format(time.RFC3339) != "2026-05-04T00:00:00Z" || s.until.UTC().Format(time.RFC3339) != "2026-05-05T00:00:00Z" {
		t.Errorf("got %s to %s", s.since, s.until)
	}
}
