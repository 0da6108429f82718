package main

import (
	"bytes"
	"context"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// fake is a recorder that remembers its calls.
type fake struct {
	started egress.StartOptions
	starts  int
	asked   []string
	filter  recordings.Filter
	since   time.Time
	until   time.Time
	stopped bool // the context had a deadline

	waiting  []recordings.WaitingStep
	redelive func(id string) (recordings.Redelivered, error)
	opts     recordings.RedeliverOptions
	span     recordings.Span
	verdicts []egress.Verdict
	deleted  bool // one more verdict was deleted after it was listed

	view    recordings.View
	verdict egress.Verdict
	rows    []recordings.Row
	err     error
}

func (f *fake) Start(ctx context.Context, o egress.StartOptions) (recordings.Started, error) {
	f.started, f.starts = o, f.starts+1
	_, f.stopped = ctx.Deadline()
	return recordings.Started{RequestID: "req", WorkflowID: "egress/req", RunID: "run", Info: info()}, f.err
}

func (f *fake) State(_ context.Context, id string) (recordings.View, error) {
	f.asked = append(f.asked, "show "+id)
	return f.view, f.err
}

func (f *fake) Stop(_ context.Context, id string) (egress.Info, error) {
	f.asked = append(f.asked, "stop "+id)
	return info(), f.err
}

func (f *fake) Wait(ctx context.Context, id string) (egress.Verdict, error) {
	f.asked = append(f.asked, "wait "+id)
	_, f.stopped = ctx.Deadline()
	return f.verdict, f.err
}

func (f *fake) List(_ context.Context, filter recordings.Filter) iter.Seq2[recordings.Row, error] {
	f.filter = filter
	return func(yield func(recordings.Row, error) bool) {
		for _, r := range f.rows {
			if !yield(r, nil) {
				return
			}
		}
		if f.err != nil {
			yield(recordings.Row{}, f.err)
		}
	}
}

func (f *fake) Report(_ context.Context, since, until time.Time) (recordings.Report, error) {
	f.since, f.until = since, until
	return recordings.ReportOf(f.rows, day(0), day(12)), f.err
}

func (f *fake) Retry(_ context.Context, id, step string) error {
	f.asked = append(f.asked, "retry "+id+" "+step)
	return f.err
}

func (f *fake) Skip(_ context.Context, id, step string) error {
	f.asked = append(f.asked, "skip "+id+" "+step)
	return f.err
}

func (f *fake) WaitingSteps(context.Context, string) ([]recordings.WaitingStep, error) {
	return f.waiting, f.err
}

func (f *fake) Redeliver(_ context.Context, id string, o recordings.RedeliverOptions) (recordings.Redelivered, error) {
	f.asked, f.opts = append(f.asked, "redeliver "+id), o
	if f.redelive != nil {
		return f.redelive(id)
	}
	id = strings.TrimPrefix(id, "egress/")
	r := recordings.Redelivered{RequestID: id, EgressID: "EG_" + id, Room: "daily", Status: "EGRESS_COMPLETE", EventID: "EV_" + id}
	if !o.DryRun {
		r.WorkflowID = egress.RedeliveryID(id, 1)
	}
	return r, f.err
}

func (f *fake) Settled(_ context.Context, s recordings.Span) iter.Seq2[recordings.Row, error] {
	f.span = s
	return func(yield func(recordings.Row, error) bool) {
		for _, r := range f.rows {
			if !yield(r, nil) {
				return
			}
		}
		if f.err != nil {
			yield(recordings.Row{}, f.err)
		}
	}
}

func (f *fake) Verdicts(_ context.Context, s recordings.Span) iter.Seq2[egress.Verdict, error] {
	f.span = s
	return func(yield func(egress.Verdict, error) bool) {
		if f.deleted && !yield(egress.Verdict{}, &egress.Error{Reason: egress.NotFound, Message: "workflow not found"}) {
			return
		}
		for _, v := range f.verdicts {
			if !yield(v, nil) {
				return
			}
		}
		if f.err != nil {
			yield(egress.Verdict{}, f.err)
		}
	}
}

func info() egress.Info {
	i, err := egress.NewInfo(&livekit.EgressInfo{
		EgressId: "EG_1", RoomId: "RM_1", RoomName: "daily", Status: livekit.EgressStatus_EGRESS_ACTIVE, StartedAt: 1772600000000000000,
		Request: &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{RoomName: "daily", Layout: "grid"}},
	})
	if err != nil {
		panic(err)
	}
	return i
}

// result is the result of one command line.
type result struct {
	status         int
	stdout, stderr string
}

// shell runs command lines against a fake.
type shell struct {
	fake
	environ   map[string]string
	dir       string
	stdin     string
	silent    bool              // nothing arrives on standard input, and it has no end
	connected map[string]string // the environment from which a client was made
	role      config.Role
	closed    bool
	served    bool
	asks      bool // a person can answer
	watched   bool // and to look on
	doctor    patient
}

func newShell() *shell {
	return &shell{environ: map[string]string{"LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": "secret"}}
}

func (s *shell) run(t *testing.T, args ...string) result {
	t.Helper()
	return s.runIn(t.Context(), args...)
}

func (s *shell) runIn(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	var stdin io.Reader = strings.NewReader(s.stdin)
	if s.silent {
		r, w := io.Pipe()
		defer w.Close()
		stdin = r
	}
	status := run(ctx, args, deps{
		environ: s.environ, dir: s.dir, stdin: stdin, stdout: &stdout, stderr: &stderr, canAsk: s.asks, watched: s.watched,
		serve: func(context.Context, map[string]string) error { s.served = true; return s.err },
		examine: func(environ map[string]string) (examiner, func(), error) {
			s.connected = environ
			return &s.doctor, func() { s.closed = true }, s.err
		},
		connect: func(_ context.Context, environ map[string]string, role config.Role) (recorder, func(), error) {
			s.connected, s.role = environ, role
			_, err := config.Load(environ, role)
			return &s.fake, func() { s.closed = true }, err
		},
	})
	return result{status, stdout.String(), stderr.String()}
}

func fields(line string) []string { return strings.Fields(line) }

func day(hour int) time.Time { return time.Date(2026, 3, 4, hour, 0, 0, 0, time.UTC) }
