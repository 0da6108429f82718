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

// The step of the pipeline, as its file and its worker know it.
const (
	stepName     = "index"
	stepActivity = "Index"
	stepQueue    = "steps"
)

// pipelines is the file of our worker's. A step worker that is killed is noticed by the
// missing heartbeat.
const pipelines = `default: standard
pipelines:
  standard:
    steps:
      - {name: ` + stepName + `, activity: ` + stepActivity + `, task_queue: ` + stepQueue + `, timeout: 10s, heartbeat: 3s, backoff: {first: 500ms, max: 5s}}
`

// stepConfig is the worker of that step, a process of its own, as written into its
// environment.
type stepConfig struct {
	Temporal string // its address
	Dir      string // of its log
	Spec     stepSpec
	Seed     uint64
}

// stepInput is what the step needs of what it is given: docs/pipelines.md has all of it.
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
	Number int `json:"number"` // in its index
}

// index is a step that is made as it should be: it works once for each idempotency key.
// Its work is a line in its log, so that it knows its keys also once it was killed.
type index struct {
	config stepConfig
	log    *record

	mu    sync.Mutex // guards known, and that a key is worked for once
	known map[string]entry
}

// openIndex takes up what was done before.
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

// serve works for the queue until the context ends. Temporal may be away, or go away.
func (c stepConfig) serve(ctx context.Context, stderr io.Writer) error {
	x, err := openIndex(c)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for ctx.Err() == nil {
		if err := x.attend(ctx, logger); err != nil {
			logger.Warn("begins anew", "error", err)
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

// attempt is one attempt of the step. What befalls it is drawn from its key and number,
// so that a worker that is started again does not draw the same once more.
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

// work does what is not done yet, and writes down what became of the attempt.
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

// dawdle takes 2 s and shows that it lives: long enough to be killed after the work was
// done, and before anybody knows.
func dawdle(ctx context.Context) {
	for range 4 {
		activity.RecordHeartbeat(ctx)
		if !sleep(ctx, 500*time.Millisecond) {
			return
		}
	}
}
