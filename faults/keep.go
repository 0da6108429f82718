package main

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

// part is something that runs, is killed, and is restarted.
type part struct {
	name    string
	replica string // which worker or which door
	start   func(ctx context.Context) (running, error)
	kills   killSpec
}

// id names it among all that run.
func (p part) id() string { return cmp.Or(p.replica, p.name) }

const (
	// startTries is how many times to try to start a part, a second apart: the port of one that was
	// just killed may be busy for a moment.
	startTries = 5
	// exitWait is the wait before a part that ended by itself is restarted, as by a service
	// manager.
	exitWait = time.Second
	// grace is how long a part that is asked to stop may take before it is killed, as in
	// docker-compose.yml and deploy/kubernetes.
	grace = time.Minute
)

// keep runs a part until the context ends, and kills it at random, or asks it to stop, until wild
// ends. It logs each action before taking it.
func keep(ctx, wild context.Context, p part, first running, log *record, seed uint64) error {
	random := newRandom(seed, p.id())
	for r := first; ; {
		k, err := p.watch(ctx, wild, r, random)
		if k == nil || err != nil {
			return err
		}
		if err := log.add(k); err != nil {
			return err
		}
		if exit := stop(ctx, r, k.Asked); exit != "" {
			if err := log.add(check.Kill{At: time.Now(), Part: p.name, Name: p.replica, Asked: true, Exit: exit}); err != nil {
				return err
			}
		}
		if !sleep(ctx, k.Down) {
			return nil
		}
		if r, err = p.again(ctx); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the run is ending, so nothing needs to start
			}
			return err
		}
	}
}

// watch waits until a part is to be killed or asked to stop, or has ended by itself. When the
// context ends, it kills the part and returns nil.
func (p part) watch(ctx, wild context.Context, r running, random *rand.Rand) (*check.Kill, error) {
	var due <-chan time.Time
	if p.kills.Every > 0 && wild.Err() == nil {
		t := time.NewTimer(p.kills.next(random))
		defer t.Stop()
		due = t.C
	}
	for {
		select {
		case <-ctx.Done():
			r.Kill()
			return nil, nil
		case <-r.Done():
			exit := "exit status 0"
			if err := r.Err(); err != nil {
				exit = err.Error()
			}
			return &check.Kill{At: time.Now(), Part: p.name, Name: p.replica, Down: exitWait, Exit: exit}, nil
		case <-due:
			if due = nil; wild.Err() != nil {
				continue
			}
			asked := random.Float64() < p.kills.Asked
			return &check.Kill{At: time.Now(), Part: p.name, Name: p.replica, Down: p.kills.down(random), Asked: asked}, nil
		}
	}
}

// stop ends a part. It says what was wrong with the end of one that was asked.
func stop(ctx context.Context, r running, asked bool) (wrong string) {
	defer r.Kill()
	process, ok := r.(interface{ Ask() })
	if !asked || !ok {
		return ""
	}
	process.Ask()
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-ctx.Done():
	case <-late.C:
		return fmt.Sprintf("still ran %s after it was asked to stop", grace)
	case <-r.Done():
		if err := r.Err(); err != nil {
			return err.Error()
		}
	}
	return ""
}

// again restarts a part.
func (p part) again(ctx context.Context) (r running, err error) {
	for range startTries {
		if r, err = p.start(ctx); err == nil {
			return r, nil
		}
		if !sleep(ctx, time.Second) {
			break
		}
	}
	return nil, fmt.Errorf("start %s again: %w", p.id(), err)
}

// newRandom makes a generator for one purpose, independent of all others.
func newRandom(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
