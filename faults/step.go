package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

// The pipeline's step, as the pipelines file and its worker name it.
const (
	stepName     = "index"
	stepActivity = "Index"
	stepQueue    = "steps"
)

// pipelines is our worker's pipelines file. The missing heartbeat reveals a killed step worker.
const pipelines = `default: standard
pipelines:
  standard:
    steps:
      - {name: ` + stepName + `, activity: ` + stepActivity + `, task_queue: ` + stepQueue + `, timeout: 10s, heartbeat: 3s, backoff: {first: 500ms, max: 5s}}
`

// stepConfig configures the worker of that step, passed in the environment of its own process.
type stepConfig struct {
	Temporal string // its address
	Dir      string // of its log
	Spec     stepSpec
	Seed     uint64
}

// stepInput is what the step needs of its input: docs/pipelines.md has all of it.
type stepInput struct {
	RequestID      string `json:"request_id"`
	EgressID       string `json:"egress_id"`
	Step           string `json:"step"`
	IdempotencyKey string `json:"idempotency_key"`
	Verdict        struct {
		Status   string    `json:"status"`
		EndedAt  time.Time `json:"ended_at"`
		Corrects string    `json:"corrects"`
		Parts    []struct {
			EgressID string `json:"egress_id"`
		} `json:"parts"`
	} `json:"verdict"`
}

// entry is what the step returns: the same at each attempt.
type entry struct {
	Number int `json:"number"` // in the index
}

// index is a step built as a step should be: it works once for each idempotency key. Its work is a
// line in its log, so it still knows its keys after it was killed.
type index struct {
	config stepConfig
	log    *record

	mu    sync.Mutex // guards known, and keeps a key from being worked for twice
	known map[string]entry
}

// openIndex loads what was done before.
func openIndex(c stepConfig) (*index, error) {
	r, err := openRecord(c.Dir, check.StepLog)
	if err != nil {
		return nil, err
	}
	had, err := check.ReadSteps(c.Dir)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	x := &index{config: c, log: r, known: map[string]entry{}}
	for _, s := range had {
		if s.Did == check.Worked {
			x.known[s.Key] = entry{len(x.known) + 1}
		}
	}
	return x, nil
}

// serve works for the queue until the context ends. Temporal may be down, or go down.
func (c stepConfig) serve(ctx context.Context, stderr io.Writer) error {
	x, err := openIndex(c)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for ctx.Err() == nil {
		if err := x.attend(ctx, logger); err != nil {
			logger.Warn("starts again", "error", err)
		}
		sleep(ctx, time.Second)
	}
	return x.log.close()
}

func (x *index) attend(ctx context.Context, logger *slog.Logger) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: x.config.Temporal, Logger: log.NewStructuredLogger(logger)})
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, stepQueue, worker.Options{DisableWorkflowWorker: true})
	w.RegisterActivityWithOptions(x.attempt, activity.RegisterOptions{Name: stepActivity})
	over := make(chan any)
	stop := context.AfterFunc(ctx, func() { close(over) })
	defer stop()
	return w.Run(over)
}

// attempt is one attempt of the step. Its faults are drawn from its key and number, so that a
// restarted worker does not draw the same again.
func (x *index) attempt(ctx context.Context, in stepInput) (entry, error) {
	number := activity.GetInfo(ctx).Attempt
	random := newRandom(x.config.Seed, fmt.Sprintf("%s, attempt %d", in.IdempotencyKey, number))
	spec := x.config.Spec
	slow, fails, cut := random.Float64() < spec.Slow, random.Float64() < spec.Error, random.Float64() < spec.Cut
	s := check.Step{
		Step: in.Step, Key: in.IdempotencyKey, RequestID: in.RequestID, EgressID: in.EgressID, Attempt: number,
		Status: in.Verdict.Status, EndedAt: in.Verdict.EndedAt, Corrects: in.Verdict.Corrects, Cut: cut && !fails,
	}
	for _, p := range in.Verdict.Parts {
		s.Parts = append(s.Parts, p.EgressID)
	}
	e, err := x.work(s, fails)
	if err != nil {
		return entry{}, err
	}
	if slow {
		dawdle(ctx)
	}
	if cut {
		return entry{}, errors.New("the answer of work that is done is lost")
	}
	return e, nil
}

// work does what is not done yet, and logs the attempt.
func (x *index) work(s check.Step, fails bool) (entry, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, known := x.known[s.Key]
	switch {
	case fails:
		s.Did = check.Failed
	case known:
		s.Did = check.Knew
	default:
		s.Did, e = check.Worked, entry{len(x.known) + 1}
	}
	s.At = time.Now()
	if err := x.log.add(s); err != nil {
		return entry{}, err
	}
	if fails {
		return entry{}, errors.New("failed by chance")
	}
	x.known[s.Key] = e
	return e, nil
}

// dawdle takes 2 s and heartbeats: long enough to be killed after the work is done, and before
// anybody knows.
func dawdle(ctx context.Context) {
	for range 4 {
		activity.RecordHeartbeat(ctx)
		if !sleep(ctx, 500*time.Millisecond) {
			return
		}
	}
}
