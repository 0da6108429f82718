package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/faults/check"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

const (
	// tellEvery is how often a run reports its progress.
	tellEvery = 15 * time.Second
	// judgeEvery is how often the last lives are checked while the run waits for them.
	judgeEvery = 2 * time.Second
	// runsOn is how long to wait for egresses that still run if nothing else is open: a call that
	// is not over takes less, and an egress that nobody stopped runs for ever.
	runsOn = 45 * time.Second
	// linger is how long a run goes on once all seems well: duplicates arrive later.
	linger = 4 * time.Second
)

// run is one run of a scenario.
type run struct {
	scenario scenario
	state    *state
	stage    *stage
	out      io.Writer // for progress reports

	agents, consumed, kills *record

	done atomic.Int64 // lives that are done
}

// play plays all lives from where they were, and returns once everybody should have been told.
func (r *run) play(ctx context.Context) (err error) {
	defer r.stage.close()
	if err := r.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.agents.close(), r.consumed.close(), r.kills.close()) }()
	had, err := check.Read(r.state.dir)
	if err != nil {
		return err
	}
	c, err := newConsumer(r.scenario.Consumer, r.consumed, r.state.Seed, r.state.addr(theConsumer))
	if err != nil {
		return err
	}
	defer c.close()
	doors, err := newFront(ctx, r.state.addr(theFront), r.state.addrs(r.scenario.each(partDoor)))
	if err != nil {
		return err
	}
	defer doors.close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	g, ctx := errgroup.WithContext(ctx)
	wild, calm := context.WithCancel(ctx) // once it ends, nothing is killed any more
	defer calm()
	if err := r.raise(ctx, wild, g); err != nil {
		end()
		return errors.Join(err, g.Wait())
	}
	g.Go(func() error { c.comeAndGo(wild, r.state.Seed); return nil })
	g.Go(func() error { r.tell(ctx); return nil })
	g.Go(func() error { return r.deepRounds(ctx) })
	err = r.live(ctx, progressOf(had.Agents))
	calm()
	if err == nil {
		err = r.settle(ctx)
	}
	end()
	if stopped := g.Wait(); stopped != nil {
		err = stopped // the error that ended the others
	}
	return err
}

func (r *run) open() (err error) {
	for _, f := range []struct {
		record **record
		name   string
	}{{&r.agents, check.AgentLog}, {&r.consumed, check.ConsumerLog}, {&r.kills, check.KillLog}} {
		if *f.record, err = openRecord(r.state.dir, f.name); err != nil {
			return err
		}
	}
	return mend(r.state.path(check.LiveKitLog))
}

// raise starts all parts, keeps each running from then on, and kills them until wild ends.
func (r *run) raise(ctx, wild context.Context, g *errgroup.Group) error {
	list, err := r.stage.parts(ctx)
	if err != nil {
		return err
	}
	var first []running
	for _, p := range list {
		part, err := p.again(ctx)
		if err == nil {
			first = append(first, part)
			err = r.stage.ready(ctx, p, part)
		}
		if err != nil {
			for _, started := range first {
				started.Kill()
			}
			return err
		}
	}
	for i, p := range list {
		g.Go(func() error { return keep(ctx, wild, p, first[i], r.kills, r.state.Seed) })
	}
	return nil
}

// live runs all agents' remaining work.
func (r *run) live(ctx context.Context, had map[int]*progress) error {
	client := &http.Client{Timeout: r.scenario.Agent.Timeout}
	keys, err := seal.New(seal.Config{Secret: apiSecret})
	if err != nil {
		return fmt.Errorf("keys of the door: %w", err)
	}
	a := &agent{
		scenario: r.scenario, log: r.agents, http: client, token: grant,
		door: r.state.url(theFront), livekit: r.state.url(partLiveKit), consumer: r.state.url(theConsumer),
		past:     r.state.livekit(partDoor),
		tokenURL: func(key string) string { return keys.Token(key, 1).URL(r.state.url(theFront)) },
	}
	lives, each := errgroup.WithContext(ctx)
	lives.SetLimit(r.scenario.AtOnce)
	for n := 1; n <= r.scenario.Lives && each.Err() == nil; n++ {
		p := had[n]
		switch {
		case p == nil:
			p = &progress{}
		case p.done:
			r.done.Add(1)
			continue
		}
		plan := planOf(r.scenario, r.state.Seed, n)
		plan.store = r.state.url(partStore)
		lives.Go(func() error {
			defer r.done.Add(1)
			return a.live(each, plan, *p)
		})
	}
	return errors.Join(lives.Wait(), ctx.Err())
}

// settle waits until the checker finds that everything has been announced and each step is done, or
// until the scenario's patience ends.
func (r *run) settle(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, r.scenario.Settle)
	defer cancel()
	for begin := time.Now(); ; {
		logs, err := check.Read(r.state.dir)
		if err != nil {
			return err
		}
		owed, running := check.Open(logs, r.scenario.rules())
		if owed == 0 && (running == 0 || time.Since(begin) > runsOn) || !sleep(limit, judgeEvery) {
			break
		}
	}
	sleep(ctx, linger)
	return ctx.Err()
}

// tell reports the run's progress now and then.
func (r *run) tell(ctx context.Context) {
	for begin := time.Now(); sleep(ctx, tellEvery); {
		fmt.Fprintf(r.out, "%s: %d of %d lives done, seed %d\n", time.Since(begin).Round(time.Second), r.done.Load(), r.scenario.Lives, r.state.Seed)
	}
}
