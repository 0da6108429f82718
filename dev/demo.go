package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// demoTimers are the settings of a demo, whose recordings take seconds instead of hours: it is over
// before a round, the canary or a correction would be due. It differs from dev in nothing else.
var demoTimers = map[string]string{
	"REELKEEPER_LOOK_STARTING":               "2s,2s,4s",
	"REELKEEPER_LOOK_ACTIVE":                 "3s",
	"REELKEEPER_LOOK_ENDING":                 "1s,1s,2s",
	"REELKEEPER_LOST_AFTER":                  "5s",
	"REELKEEPER_HOLD_FOR":                    "3s",
	"REELKEEPER_CORRECT_FOR":                 "off",
	"REELKEEPER_TOKEN_SEARCH":                "5s",
	"REELKEEPER_TOKEN_SEARCH_EVERY":          "500ms",
	"REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE": "30000",
	"REELKEEPER_RECONCILE_EVERY":             "off",
	"REELKEEPER_CANARY_EVERY":                "off",
}

const (
	// demoSpeed shortens the time that the fake LiveKit takes for a start and an end.
	demoSpeed = 0.2
	// A demo's recordings last between these times.
	shortestCall, longestCall = 3 * time.Second, 8 * time.Second
	// demoLimit is when a demo gives up on recordings that have not settled; 20 egresses take under
	// a minute.
	demoLimit = 5 * time.Minute
)

const demoManual = `Starts recordings on a fake LiveKit that loses webhooks, or has the faults that are asked for, and prints how each one
ended, how that was learned, and whether the consumer was told once. It takes under a minute, so it runs without the
reconciler, the canary and corrections. It reads no settings.

Examples:
  go run ./dev demo
  go run ./dev demo --egresses 50 --webhook-loss 1
  go run ./dev demo --fault zombie=0.3 --fault reply-lost=0.2 --seed 7

Exit status: 0 each accepted egress has one verdict, was delivered once and has no twin; 1 not so, or a failure; 2 an
argument is wrong (the error names it).`

func demoCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:         "demo",
		Usage:        "record while webhooks get lost, and show that no recording does",
		Description:  demoManual,
		OnUsageError: app.UsageError,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "egresses", Value: 20, Usage: "how many to record"},
			&cli.FloatFlag{Name: "webhook-loss", Usage: "rate of webhook-lost and of room-webhook-lost, `0..1`", DefaultText: "0.3, and 0 with --fault"},
			&cli.StringSliceFlag{Name: "fault", Usage: "inject a fault of LiveKit's, `NAME=RATE`; may be repeated"},
			&cli.BoolFlag{Name: "faults", Usage: "list the faults and what each teaches, and exit"},
			&cli.Uint64Flag{Name: "seed", Usage: "repeat the faults of an earlier run", DefaultText: "a new one"},
			&cli.StringFlag{Name: "state", Usage: "keep the instance's state in `DIR` (default: a temporary one)"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object instead of the table"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			d := demo{
				egresses: cmd.Int("egresses"), seed: cmd.Uint64("seed"),
				stdout: stdout, stderr: stderr, asJSON: cmd.Bool("json"),
			}
			if !cmd.IsSet("seed") {
				d.seed = rand.Uint64N(1_000_000)
			}
			for _, f := range cmd.Root().Flags {
				if f.IsSet() {
					return egress.Invalidf("--"+f.Names()[0], "stands before demo, which does not read it; see dev demo --help")
				}
			}
			if err := d.validate(cmd.Args().Slice()); err != nil {
				return err
			}
			if cmd.Bool("faults") {
				return listFaults(stdout)
			}
			var err error
			if d.faults, err = faultsOf(cmd); err != nil {
				return err
			}
			return d.run(ctx, cmd.String("state"))
		},
	}
}

// faultsOf returns the requested faults. If any is named, only those are injected: then no webhook
// is lost unless that was requested, too.
func faultsOf(cmd *cli.Command) (rates, error) {
	loss, named := cmd.Float("webhook-loss"), cmd.StringSlice("fault")
	if !cmd.IsSet("webhook-loss") && len(named) == 0 {
		loss = demoLoss
	}
	lost, err := losing(loss)
	if err != nil {
		return nil, err
	}
	return lost.with(named)
}

// demo is one run: it plays the agent that starts recordings and does not wait for them, and the
// consumer that waits for their ends.
type demo struct {
	egresses       int
	faults         rates
	seed           uint64
	asJSON         bool
	stdout, stderr io.Writer

	progress *progress
}

func (d *demo) validate(args []string) error {
	switch {
	case len(args) > 0:
		return egress.Invalidf(args[0], "is not an argument of demo")
	case d.egresses < 1 || d.egresses > 10_000:
		return egress.Invalidf("--egresses", "want 1 to 10000, got %d", d.egresses)
	}
	return nil
}

func (d *demo) run(ctx context.Context, stateDir string) (err error) {
	if stateDir == "" {
		if stateDir, err = os.MkdirTemp("", "reelkeeper-demo-"); err != nil {
			return fmt.Errorf("demo state: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(stateDir)) }()
	} else if entries, _ := os.ReadDir(stateDir); len(entries) > 0 {
		return egress.Invalidf("--state", "%s is not empty, but a demo needs an empty folder", stateDir)
	}
	consumer, err := newConsumer()
	if err != nil {
		return err
	}
	defer consumer.close()
	i, err := d.instance(ctx, stateDir, consumer.url())
	switch {
	case ctx.Err() != nil && i == nil:
		return errors.New("interrupted before anything was recorded")
	case err != nil:
		return err
	}
	rows, err := d.record(ctx, i, consumer)
	r := d.summarize(rows, i.fake.Egresses(), consumer)
	if err = errors.Join(err, i.stop()); err != nil {
		return err
	}
	if err := d.print(rows, r); err != nil {
		return err
	}
	if err = r.broken(); err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted with %d of %d settled, so the promise was not checked (seed %d)", r.Settled, d.egresses, r.Seed)
	}
	return err
}

// instance starts what `dev` starts, on free ports and with a demo's timers.
func (d *demo) instance(ctx context.Context, stateDir, announceURL string) (*instance, error) {
	free, err := freePorts()
	if err != nil {
		return nil, err
	}
	environ := config.Environ()
	maps.DeleteFunc(environ, func(name, _ string) bool { return config.IsSetting(name) })
	maps.Copy(environ, demoTimers)
	environ["REELKEEPER_ANNOUNCE_URL"] = announceURL
	return startInstance(ctx, instanceOptions{
		stateDir: stateDir, ports: free, environ: environ, progress: d.stderr, log: d.stderr,
		fake: fakelivekit.Config{
			Timings: fakelivekit.DefaultTimings().Scaled(demoSpeed),
			Faults:  d.faults,
			Seed:    d.seed,
		},
	})
}

// record starts the egresses and waits for the end of each.
func (d *demo) record(ctx context.Context, i *instance, c *consumer) ([]row, error) {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	rows := make([]row, d.egresses)
	plans := d.plan()
	d.progress = newProgress(d.stderr, d.egresses)
	defer d.progress.stop()
	var g errgroup.Group
	g.SetLimit(200)
	for n, p := range plans {
		g.Go(func() error {
			rows[n] = d.one(ctx, i, c, p)
			return nil
		})
	}
	return rows, errors.Join(g.Wait(), i.ctx.Err())
}

// one follows the life of one recording as agent and consumer see it.
func (d *demo) one(ctx context.Context, i *instance, c *consumer, p planned) row {
	r := row{name: p.name(), kind: egress.KindOf(p.request)}
	if p.room != "" {
		if r.err = i.fake.AddRoom(p.room, fakelivekit.RoomScript{}); r.err != nil {
			return r
		}
	}
	d.progress.say("%s: starting", p.name())
	started, err := i.app.Recordings().Start(ctx, egress.StartOptions{RequestID: p.id, Request: p.request})
	if r.err = err; err != nil {
		return r
	}
	r.accepted, r.egressID = true, started.Info.Proto().GetEgressId()
	d.progress.say("%s: %s is recording", p.name(), r.egressID)
	if err := d.endAfter(ctx, i, p); err != nil {
		d.progress.say("%s: LiveKit did not end it: %v", p.name(), err) // which does not break our promise
	}
	if r.verdict, r.err = i.app.Recordings().Wait(ctx, p.id); r.err != nil {
		return r
	}
	r.settled, r.delivered = true, c.count(r.egressID)
	d.progress.done("%s: %s, learned from %s, media %s", p.name(), r.verdict.Status, r.verdict.EndedBy, r.verdict.Media)
	return r
}

// endAfter lets people leave the room when their call is over. Nobody leaves a web page: whoever
// started that recording stops it, and may be told that LiveKit cannot.
func (d *demo) endAfter(ctx context.Context, i *instance, p planned) error {
	select {
	case <-time.After(p.call):
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.room != "" {
		return i.fake.EndCall(p.room)
	}
	_, err := i.app.Recordings().Stop(ctx, p.id)
	return err
}
