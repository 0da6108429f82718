package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// overRows returns recordings that closed an hour apart, the last first.
func overRows(n int) []recordings.Row {
	var rows []recordings.Row
	for i := range n {
		closed := day(20 - i)
		id := fmt.Sprintf("r%d", i)
		rows = append(rows, recordings.Row{RequestID: id, WorkflowID: "egress/" + id, EgressID: "EG_" + id, ClosedAt: &closed})
	}
	return rows
}

func TestOneRecordingIsToldAgain(t *testing.T) {
	t.Parallel()
	s := newShell()
	got := s.run(t, "redeliver", "req", "--step", "announce")
	if want := "redelivered  req  EG_req EGRESS_COMPLETE, event EV_req, by egress-redelivery/req/1\n"; got.stdout != want || got.stderr != "" || got.status != 0 {
		t.Errorf("got %+v", got)
	}
	if s.opts != (recordings.RedeliverOptions{Step: "announce"}) || s.role != "reader" {
		t.Errorf("asked %+v as %s", s.opts, s.role)
	}
	s.err = &egress.Error{Reason: egress.Conflict, Message: "it is not delivered yet"}
	if got := s.run(t, "redeliver", "req"); got.status != 2 || got.stderr != "starter: it is not delivered yet\n" || got.stdout != "" {
		t.Errorf("got %+v", got)
	}
	s.err = &egress.Error{Reason: egress.Invalid, Field: "step", Message: "it had no step"}
	for line, want := range map[string]string{"redeliver req": "starter: req: it had no step\n", "redeliver req --step x": "starter: --step: it had no step\n"} {
		if got := s.run(t, fields(line)...); got.status != 2 || got.stderr != want {
			t.Errorf("%s: got %+v", line, got)
		}
	}
	if got := s.run(t, "redeliver", "req", "other", "--yes"); !strings.Contains(got.stdout, "failed       req: it had no step\n") {
		t.Errorf("got %+v", got)
	}
}

func TestAStepOfThePipelineIsRunAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.redelive = func(id string) (recordings.Redelivered, error) {
		return recordings.Redelivered{RequestID: id, EgressID: "EG", Status: egress.Lost, IdempotencyKey: "ST_1", WorkflowID: "w"}, nil
	}
	if got := s.run(t, "redeliver", "req", "--step", "index"); got.stdout != "redelivered  req  EG LOST, key ST_1, by w\n" {
		t.Errorf("got %+v", got)
	}
	got := s.run(t, "redeliver", "req", "--step", "index", "--json")
	if !strings.Contains(got.stdout, `"idempotency_key":"ST_1"`) || strings.Contains(got.stdout, "event_id") {
		t.Errorf("got %+v", got)
	}
}

func TestASpanIsToldAgainAndGoesOnOverFailures(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows = overRows(5)
	s.redelive = func(id string) (recordings.Redelivered, error) {
		r := recordings.Redelivered{RequestID: strings.TrimPrefix(id, "egress/"), EgressID: "EG", Status: egress.Lost, EventID: "EV", WorkflowID: "w"}
		switch id {
		case "egress/r1":
			return r, errors.New("page\nlost")
		case "egress/r2":
			return r, &egress.Error{Reason: egress.Conflict, Message: "it is not delivered yet"}
		case "egress/r3":
			r.UnderWay = true
		}
		return r, nil
	}
	got := s.run(t, "redeliver", "--since", "24h", "--where", "EgressRoom = 'a'", "--rate", "1000/s")
	want := "redelivered  r0  EG LOST, event EV, by w\nfailed       r1: page; lost\nskipped      r2: it is not delivered yet\n" +
		"skipped      r3  EG LOST, event EV: w is still telling them\nredelivered  r4  EG LOST, event EV, by w\n"
	if got.stdout != want || got.status != 3 || got.stderr != "redelivered 2, skipped 2, failed 1\nstarter: 1 of 5 could not be redelivered\n" {
		t.Errorf("got %d\n%s%s", got.status, got.stdout, got.stderr)
	}
	if s.span.Where != "EgressRoom = 'a'" || time.Since(s.span.Since).Round(time.Hour) != 24*time.Hour || s.span.Until.IsZero() {
		t.Errorf("asked for %+v", s.span)
	}
	got = s.run(t, "redeliver", "--since", "24h", "--json", "--rate", "1000/s")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 5 {
		t.Fatalf("got %s", got.stdout)
	}
	var first, second struct {
		Outcome, ID, Reason string
		EventID             string `json:"event_id"`
	}
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[1]), &second)); err != nil {
		t.Fatal(err)
	}
	if first.Outcome != "redelivered" || first.EventID != "EV" || first.ID != "r0" || second.Outcome != "failed" || second.Reason != "page; lost" || second.ID != "r1" {
		t.Errorf("got %+v and %+v", first, second)
	}
}

func TestADryRunSaysWhatWouldBeDone(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows, s.asks = overRows(2), true
	got := s.run(t, fields("redeliver --since 24h --dry-run --rate 1/h")...)
	if got.stdout != "would redeliver  r0  EG_r0 EGRESS_COMPLETE, event EV_r0\nwould redeliver  r1  EG_r1 EGRESS_COMPLETE, event EV_r1\n" ||
		got.stderr != "would redeliver 2, skip 0, fail at 0\n" || got.status != 0 || !s.opts.DryRun {
		t.Errorf("got %+v", got)
	}
}

func TestMoreThanOneIsAskedFor(t *testing.T) {
	t.Parallel()
	const question = "Tell the consumers of 2 recordings again? [y/N] "
	for name, tc := range map[string]struct {
		line, answer string
		person       bool
		tells        int
		stderr       string
	}{
		"yes":                 {"redeliver --since 24h --rate 100/s", "y\n", true, 2, question + "redelivered 2, skipped 0, failed 0\n"},
		"no":                  {"redeliver --since 24h", "n\n", true, 0, question + "starter: nothing was done\n"},
		"nothing":             {"redeliver --since 24h", "", true, 0, question + "\nstarter: nothing was done\n"},
		"it was said before":  {"redeliver --since 24h --rate 100/s --yes", "", true, 2, "redelivered 2, skipped 0, failed 0\n"},
		"nobody is there":     {"redeliver --since 24h --rate 100/s", "", false, 2, "redelivered 2, skipped 0, failed 0\n"},
		"two that were named": {"redeliver a b --rate 100/s", "yes\n", true, 2, question + "redelivered 2, skipped 0, failed 0\n"},
		"one that was named":  {"redeliver a", "", true, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell()
			s.rows, s.asks, s.stdin = overRows(2), tc.person, tc.answer
			got := s.run(t, fields(tc.line)...)
			if len(s.asked) != tc.tells || got.stderr != tc.stderr || (tc.tells == 0) != (got.status == 1) {
				t.Errorf("got %+v, asked %v", got, s.asked)
			}
		})
	}
}

func TestACommandThatReadsCanBeInterrupted(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"redeliver --since 24h": "Tell the consumers of 2 recordings again? [y/N] \nstarter: nothing was done\n",
		"start --request -":     "starter: read request: context canceled\n",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := newShell()
			s.rows, s.asks, s.silent = overRows(2), true, true
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			got := s.runIn(ctx, fields(line)...)
			if got.status != 1 || got.stderr != want || len(s.asked) > 0 {
				t.Errorf("got %+v, asked %v", got, s.asked)
			}
		})
	}
}

func TestWhoIsInterruptedIsToldWhereToGoOn(t *testing.T) {
	t.Parallel()
	for line, on := range map[string]string{
		"redeliver --since 2026-03-04T00:00:00Z --rate 1000/s":          "the same command and --since 2026-03-04T00:00:00Z --until 2026-03-04T18:00:00.001Z",
		"redeliver --where EgressRoom='a' --until 1h --rate 1000/s":     "the same command and --until 2026-03-04T18:00:00.001Z",
		"redeliver egress/r0 egress/r1 egress/r2 egress/r3 --rate 99/s": "the same command from egress/r2 on",
	} {
		s := newShell()
		s.rows = overRows(4)
		ctx, stop := context.WithCancel(t.Context())
		s.redelive = func(id string) (recordings.Redelivered, error) {
			switch named := strings.Contains(line, id); {
			case id == "egress/r1" && !named: // the one in progress is completed
				stop()
			case id == "egress/r2": // it was not announced
				stop()
				return recordings.Redelivered{}, context.Canceled
			}
			return recordings.Redelivered{RequestID: strings.TrimPrefix(id, "egress/")}, nil
		}
		got := s.runIn(ctx, fields(line)...)
		want := "redelivered 2, skipped 0, failed 0\nstarter: stopped before egress/r2, with 2 of 4 to go; go on with " + on + "\n"
		if got.status != 1 || got.stderr != want {
			t.Errorf("%s: got %+v, asked %v", line, got, s.asked)
		}
	}
}

func TestAVariableThatIsWrongIsNamedAsOne(t *testing.T) {
	t.Parallel()
	for field, named := range map[string]string{"TEMPORAL_NAMESPACE": "TEMPORAL_NAMESPACE", "dry_run": "--dry-run"} {
		s := newShell()
		s.redelive = func(string) (recordings.Redelivered, error) {
			return recordings.Redelivered{}, egress.Invalidf(field, "is wrong")
		}
		if got := s.run(t, "redeliver", "a"); got.stderr != "starter: "+named+": is wrong\n" {
			t.Errorf("got %+v", got)
		}
	}
}

func TestABarIsDrawnWhereAPersonLooksOn(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows, s.watched = overRows(3), true
	got := s.run(t, fields("redeliver --since 24h --rate 1000/s")...)
	if !strings.Contains(got.stderr, "told again") || !strings.Contains(got.stderr, "2/3") || !strings.HasSuffix(got.stderr, "redelivered 3, skipped 0, failed 0\n") {
		t.Errorf("got %q", got.stderr)
	}
	if strings.Count(got.stdout, "\n") != 3 || strings.Contains(got.stdout, "\r") {
		t.Errorf("got %q", got.stdout)
	}
}

func TestARateIsANumberInATime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rate.Limit{"10/s": 10, "0.5/s": 0.5, "90/m": 1.5, "3600/h": 1, "7200000/h": 2000, "1e1/s": 10} {
		got, err := readRate(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "/s", "10/", "10/d", "ten/s", "NaN/s", "10 /s", "Inf/s", "1e999/s", "5e-324/h"} {
		if got, err := readRate(text); err == nil {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestAListThatBreaksOffTellsNobody(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows, s.err = overRows(2), errors.New("page lost")
	if got := s.run(t, "redeliver", "--since", "1h"); got.status != 1 || got.stderr != "starter: page lost\n" || slices.Contains(s.asked, "redeliver egress/r0") {
		t.Errorf("got %+v", got)
	}
	s.err = &egress.Error{Reason: egress.Invalid, Field: "where", Message: "no"}
	if got := s.run(t, "redeliver", "--where", "x"); got.status != 2 || got.stderr != "starter: --where: no\n" {
		t.Errorf("got %+v", got)
	}
}

func TestWhoGoesOnLeavesOutNoneThatIsOpen(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.rows = overRows(2)
	s.rows[1].ClosedAt, s.rows[1].Memo = nil, &egress.Memo{EndedAt: day(7)}
	slices.Reverse(s.rows) // the open ones are read first
	ctx, stop := context.WithCancel(t.Context())
	s.redelive = func(string) (recordings.Redelivered, error) {
		stop()
		return recordings.Redelivered{}, context.Canceled
	}
	got := s.runIn(ctx, fields("redeliver --since 2026-03-04T00:00:00Z --until 2026-03-05T00:00:00Z --rate 1000/s")...)
	want := "stopped before egress/r1, with 2 of 2 to go; go on with the same command and --since 2026-03-04T00:00:00Z --until 2026-03-05T00:00:00Z\n"
	if !strings.HasSuffix(got.stderr, want) {
		t.Errorf("got %q, want %q", got.stderr, want)
	}
}

func TestARecordingThatIsNamedTwiceIsToldOnce(t *testing.T) {
	t.Parallel()
	for line, told := range map[string]string{
		"redeliver req egress/req req EG_req egress-redelivery/req/1": "req",
		"redeliver EG_req req egress/req EG_req":                      "EG_req",
		"redeliver egress/req EG_req --dry-run":                       "egress/req",
	} {
		s := newShell()
		s.redelive = func(string) (recordings.Redelivered, error) {
			return recordings.Redelivered{RequestID: "req", EgressID: "EG_req", Status: egress.Lost, EventID: "EV"}, nil
		}
		got := s.run(t, append(fields(line), "--rate", "1000/s")...)
		repeats := len(fields(strings.TrimSuffix(line, " --dry-run"))) - 2
		if !slices.Equal(s.asked, []string{"redeliver " + told}) || got.status != 0 || strings.Count(got.stdout, "skipped ") != repeats ||
			strings.Count(got.stdout, ": it is named twice, first as "+told+"\n") != repeats {
			t.Errorf("%s: got %+v, asked %v", line, got, s.asked)
		}
	}
	s := newShell()
	s.redelive = func(string) (recordings.Redelivered, error) { return recordings.Redelivered{}, errors.New("no") }
	if got := s.run(t, "redeliver", "a", "a", "--rate", "1000/s"); len(s.asked) != 2 || got.status != 3 {
		t.Errorf("what failed is not tried again: got %+v, asked %v", got, s.asked)
	}
}

func TestOneThatIsSkippedHasItsObject(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.err = &egress.Error{Reason: egress.Conflict, Message: "it is not delivered yet"}
	got := s.run(t, "redeliver", "egress/req", "--json")
	if want := `{"outcome":"skipped","id":"req","reason":"it is not delivered yet"}` + "\n"; got.stdout != want || got.stderr != "starter: it is not delivered yet\n" || got.status != 2 {
		t.Errorf("got %+v, want %s", got, want)
	}
	s.err = errors.New("gone")
	if got := s.run(t, "redeliver", "egress/req", "--json"); got.stdout != "" || got.stderr != "starter: gone\n" || got.status != 1 {
		t.Errorf("got %+v", got)
	}
}
