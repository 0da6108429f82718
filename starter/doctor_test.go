package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
)

// patient is a doctor that has found something already.
type patient struct {
	findings []doctor.Finding
	changes  []doctor.Change
	only     []doctor.Check
	every    time.Duration
}

func (p *patient) Run(_ context.Context, only ...doctor.Check) []doctor.Finding {
	p.only = only
	return p.findings
}

func (p *patient) Watch(_ context.Context, every time.Duration, say func(doctor.Change) error) error {
	p.every = every
	for _, c := range p.changes {
		if err := say(c); err != nil {
			return err
		}
	}
	return nil
}

func findings() []doctor.Finding {
	return []doctor.Finding{
		{Check: doctor.Settings, Status: doctor.OK, Found: "all required settings are set"},
		{Check: doctor.Schedule, Status: doctor.Warn, Found: "there is none", Fix: "make one"},
		{Check: doctor.Webhook, Status: doctor.Fail, Found: "answered 404", Fix: "correct the path", Path: &doctor.Path{
			URL: "https://x.example/webhooks/livekit", Address: "192.0.2.1:443", DNS: egress.Duration(time.Millisecond), Status: 404,
		}},
	}
}

func TestTheDoctorPrintsFindingsAndFixes(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.doctor.findings = findings()
	for name, line := range map[string]string{"doctor.txt": "doctor", "doctor.json": "doctor --json"} {
		got := s.run(t, fields(line)...)
		if got.status != 3 || got.stderr != "starter: not well: webhook\n" {
			t.Errorf("got status %d and %q", got.status, got.stderr)
		}
		got.stderr = ""
		golden(t, name, got)
	}
	if !s.closed || len(s.doctor.only) != 0 {
		t.Errorf("got %+v", s)
	}
	s.doctor.findings = findings()[:2]
	if got := s.run(t, "doctor"); got.status != 0 || got.stderr != "" {
		t.Errorf("a warning: got %+v", got)
	}
}

func TestAnInterruptedDoctorInventsNoFailures(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.doctor.findings = findings()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if got := s.runIn(ctx, "doctor"); got.status != 1 || got.stdout != "" || !strings.HasSuffix(got.stderr, "doctor: interrupted\n") {
		t.Errorf("got %+v", got)
	}
}

func TestTheDoctorRunsWhatIsNamedAlone(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.run(t, fields("doctor --only webhook --only clock")...)
	if want := []doctor.Check{doctor.Webhook, doctor.Clock}; !slices.Equal(s.doctor.only, want) {
		t.Errorf("got %v", s.doctor.only)
	}
}

func TestAWatchPrintsOneLineForEachChange(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.doctor.changes = []doctor.Change{
		{At: day(8), Finding: doctor.Finding{Check: doctor.Webhook, Status: doctor.OK, Found: "answered 200"}},
		{At: day(9), Before: doctor.OK, Finding: findings()[2]},
	}
	want := "2026-03-04T08:00:00Z ok answered 200\n2026-03-04T09:00:00Z ok -> fail answered 404; fix: correct the path\n"
	if got := s.run(t, fields("doctor --watch")...); got.status != 0 || got.stdout != want || s.doctor.every != 30*time.Second {
		t.Errorf("got %+v every %s", got, s.doctor.every)
	}
	got := s.run(t, fields("doctor --watch --every 1m --only webhook --json")...)
	if lines := strings.Split(got.stdout, "\n"); got.status != 0 || len(lines) != 3 ||
		!strings.HasPrefix(lines[1], `{"at":"2026-03-04T09:00:00Z","before":"ok","check":"webhook","status":"fail","found":"answered 404",`) || s.doctor.every != time.Minute {
		t.Errorf("got %+v every %s", got, s.doctor.every)
	}
}

func TestADoctorThatCannotBeginIsOurOwnFailure(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.err = errors.New("no client")
	if got := s.run(t, "doctor"); got.status != 1 || got.stderr != "starter: no client\n" {
		t.Errorf("got %+v", got)
	}
}
