package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/time/rate"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// redeliverRate spares consumers that have just come back.
const redeliverRate = "10/s"

// redeliverCommand announces to consumers again what was already delivered.
func (d deps) redeliverCommand() *cli.Command {
	return &cli.Command{
		Name:  "redeliver",
		Usage: "tell the consumers again how recordings ended, under the same event IDs; exit status 3 when some could not be told",
		UsageText: "starter redeliver ID… [flags]\nstarter redeliver --since 24h [--until TIME] [--where QUERY] [flags]\n" +
			"starter redeliver --where \"EgressRoom = 'standup'\" [flags]",
		Description: "ID is an egress ID (EG_…), a request ID, or a workflow ID (egress/…). Without one, it redelivers all that ended in a span, or that a query finds, last ended first.\n" +
			"Each redelivery is a workflow of its own: it goes on without this command, and is retried as the first announcement was. Its event keeps its ID, so that a consumer that already has it can drop it; a pipeline step keeps its idempotency key.",
		Flags: append(spanFlags(""),
			&cli.StringFlag{Name: "step", Usage: "redeliver only by the delivery step `NAME`, such as announce or webhook-1; or rerun that step of the pipeline (default: all consumers)"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done, and do nothing"},
			&cli.StringFlag{Name: "rate", Usage: "begin at most `N/s`, N/m or N/h", Value: redeliverRate},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before redelivering more than one"},
			timeoutFlag(0),
			jsonFlag("print one JSON object per line"),
		),
		Action: d.redeliver,
	}
}

// spanFlags select recordings, for commands that read many.
func spanFlags(since string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "since", Usage: "only those that were over at `TIME` or later: a duration before now, or 2026-05-04T00:00:00Z", Value: since},
		&cli.StringFlag{Name: "until", Usage: "only those that were over before `TIME` (default: now)"},
		&cli.StringFlag{Name: "where", Usage: "only those that a `QUERY` in Temporal's language finds, such as \"EgressRoom = 'standup' AND EgressMissed IS NOT NULL\""},
	}
}

// readWhich reads the flags that select recordings.
func readWhich(c *cli.Command, now time.Time) (s recordings.Span, err error) {
	s.Where = strings.TrimSpace(c.String("where"))
	if c.IsSet("where") && s.Where == "" {
		return s, egress.Invalidf("--where", "is empty: give a query, or leave it out")
	}
	s.Since, s.Until, err = readSpan(c, now)
	return s, err
}

func (d deps) redeliver(ctx context.Context, c *cli.Command) error {
	ids := c.Args().Slice()
	many := c.IsSet("since") || c.IsSet("until") || c.IsSet("where")
	switch {
	case len(ids) > 0 && many:
		return egress.Invalidf("ID", "is given together with --since, --until or --where: give one or the other")
	case len(ids) == 0 && !many:
		return egress.Invalidf("ID", "is missing: name recordings, or a span with --since or --where")
	}
	if err := wantValues(c, "step"); err != nil {
		return err
	}
	span, err := readWhich(c, time.Now())
	if err != nil {
		return err
	}
	limit, err := readRate(c.String("rate"))
	if err != nil {
		return err
	}
	return d.with(ctx, c, config.Reader, func(ctx context.Context, rec recorder) error {
		opts := recordings.RedeliverOptions{Step: c.String("step"), DryRun: c.Bool("dry-run")}
		if len(ids) == 1 {
			return d.redeliverOne(ctx, c, rec, ids[0], opts)
		}
		targets := targetsOf(ids)
		if !many {
			span = recordings.Span{}
		} else if targets, err = settled(ctx, rec, span); err != nil {
			return err
		}
		if err := d.confirm(c, len(targets)); err != nil {
			return err
		}
		b := &bulk{rec: rec, opts: opts, rate: rate.NewLimiter(limit, 1), out: d.newPrinter(c, len(targets)), span: span}
		return b.run(ctx, targets)
	})
}

// redeliverOne handles a single named recording and returns its failure as the error. If it is
// skipped, its JSON object is printed as well, as for many.
func (d deps) redeliverOne(ctx context.Context, c *cli.Command, rec recorder, id string, opts recordings.RedeliverOptions) error {
	r, err := rec.Redeliver(ctx, id, opts)
	if err == nil {
		return d.newPrinter(c, 1).write(entryOf(r, opts.DryRun))
	}
	err = withoutStep(asFlag(err), id, opts.Step)
	if e := failedEntry(id, err); e.Outcome == skipped && c.Bool("json") {
		if err := d.newPrinter(c, 1).write(e); err != nil {
			return err
		}
	}
	return err
}

// withoutStep changes the field in an error about a step, if no step was named.
func withoutStep(err error, field, step string) error {
	if e, ok := errors.AsType[*egress.Error](err); ok && strings.TrimPrefix(e.Field, "--") == "step" && step == "" {
		told := *e
		told.Field = field
		return &told
	}
	return err
}

// target is a recording to be announced again.
type target struct {
	id string
	at time.Time // when it ended; zero if unknown
}

func targetsOf(ids []string) []target {
	var list []target
	for _, id := range ids {
		list = append(list, target{id: id})
	}
	return list
}

// settled returns the recordings of a span. It reads them all before the first is announced, so
// that a person can be asked, and can see the progress. Open ones come first, and have no time to
// continue from: they may close meanwhile, and are then in the span in which they closed.
// Continuing announces them twice rather than never.
func settled(ctx context.Context, rec recorder, s recordings.Span) ([]target, error) {
	var list []target
	for row, err := range rec.Settled(ctx, s) {
		if err != nil {
			return nil, asFlag(err)
		}
		t := target{id: row.WorkflowID}
		if row.ClosedAt != nil {
			t.at = *row.ClosedAt
		}
		list = append(list, t)
	}
	return list, nil
}

// confirm asks before announcing more than one again, if a person can answer.
func (d deps) confirm(c *cli.Command, n int) error {
	if n <= 1 || !d.canAsk || c.Bool("yes") || c.Bool("dry-run") {
		return nil
	}
	fmt.Fprintf(d.stderr, "Tell the consumers of %d recordings again? [y/N] ", n)
	answer, err := bufio.NewReader(d.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil {
		fmt.Fprintln(d.stderr)
	}
	return errors.New("nothing was done")
}

// readRate reads a rate: 10/s, 90/m, 600/h.
func readRate(text string) (rate.Limit, error) {
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	limit := n / per.Seconds()
	if err != nil || !known || !(limit > 0) || math.IsInf(limit, 0) {
		return 0, egress.Invalidf("--rate", `%q is not a rate: want a positive number per second, minute or hour, such as 10/s`, text)
	}
	return rate.Limit(limit), nil
}
