package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

const (
	// askTimeout bounds a command that waits for an answer; LiveKit takes up to 10 s for a stop.
	askTimeout = 30 * time.Second
	// listLimit is how many recordings are listed by default.
	listLimit = 50
)

// timeoutFlag is the flag of how long a command may wait; 0 means no limit.
func timeoutFlag(value time.Duration) cli.Flag {
	return &cli.DurationFlag{Name: "timeout", Usage: "wait at most `DURATION`; 0 waits as long as it takes", Value: value}
}

// with runs a command with a client, for at most --timeout; 0 means no limit.
func (d deps) with(ctx context.Context, c *cli.Command, role config.Role, do func(context.Context, recorder) error) error {
	environ, err := d.environment(c)
	if err != nil {
		return err
	}
	timeout := c.Duration("timeout")
	if timeout < 0 {
		return egress.Invalidf("--timeout", "is negative: %s", timeout)
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	rec, done, err := d.connect(ctx, environ, role)
	if err != nil {
		return err
	}
	defer done()
	return do(ctx, rec)
}

const anyID = "ID"

// byID builds a command about one recording, named by any of its IDs.
func (d deps) byID(name, usage string, timeout time.Duration, do func(context.Context, *cli.Command, recorder) error) *cli.Command {
	return &cli.Command{
		Name:        name,
		Usage:       usage,
		ArgsUsage:   anyID,
		Description: "ID is an egress ID (EG_…), a request ID, or a workflow ID (egress/…).",
		Flags: []cli.Flag{
			jsonFlag("print JSON"),
			timeoutFlag(timeout),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := wantArgs(c, anyID); err != nil {
				return err
			}
			return d.with(ctx, c, config.Reader, func(ctx context.Context, rec recorder) error { return do(ctx, c, rec) })
		},
	}
}

// showCommand shows a recording at any point of its life.
func (d deps) showCommand() *cli.Command {
	return d.byID("show", "show all that is known about a recording", askTimeout, func(ctx context.Context, c *cli.Command, rec recorder) error {
		v, err := rec.State(ctx, c.Args().First())
		if err != nil {
			return err
		}
		return show(c, d.stdout, v, printView)
	})
}

// waitCommand has no default time limit: a recording takes as long as its call. Its exit status
// lets a script continue only if the recording exists.
func (d deps) waitCommand() *cli.Command {
	return d.byID("wait", "wait for the verdict; exit status 3 when the recording or a part of it failed, is lost, or lacks its media", 0, func(ctx context.Context, c *cli.Command, rec recorder) error {
		v, err := rec.Wait(ctx, c.Args().First())
		if err != nil {
			return ranOut(ctx, c, err)
		}
		err = show(c, d.stdout, v, printVerdict)
		media, because, alarming := v.Alarming()
		switch {
		case err != nil:
			return err
		case !v.Status.Good():
			return driftError{fmt.Sprintf("%s ended as %s", v.EgressID, v.Status)}
		case v.FailedPart() != "":
			return driftError{v.FailedPart()}
		case alarming:
			return driftError{fmt.Sprintf("the media of %s is %s: %s", v.EgressID, media, because)}
		default:
			return nil
		}
	})
}

// ranOut says that a wait ended by its own time limit: the recording most likely just goes on.
func ranOut(ctx context.Context, c *cli.Command, err error) error {
	if egress.ReasonOf(err) != egress.Ambiguous || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return &egress.Error{Reason: egress.Ambiguous, Field: "--timeout", Err: err, Message: fmt.Sprintf(
		"%s ran out before the verdict came; starter show %s says what it waits for", c.Duration("timeout"), egress.ForCommand(c.Args().First()))}
}

// stopCommand returns once LiveKit has answered; the upload may still be running.
func (d deps) stopCommand() *cli.Command {
	return d.byID("stop", "stop a recording", askTimeout, func(ctx context.Context, c *cli.Command, rec recorder) error {
		id := c.Args().First()
		info, err := rec.Stop(ctx, id)
		if err != nil {
			return unanswered(err, id)
		}
		return show(c, d.stdout, info, printInfo)
	})
}

// unanswered says what becomes of a stop that was sent but not answered in time: until a worker
// takes it, Temporal keeps it only in memory.
func unanswered(err error, id string) error {
	e, ok := errors.AsType[*egress.Error](err)
	if !ok || !errors.Is(err, recordings.ErrUnanswered) {
		return err
	}
	told := *e
	told.Message += fmt.Sprintf("; if no worker runs (starter doctor --only workers tells), the next one stops it, unless Temporal restarts first: "+
		"check with starter show %s, or ask again; StopEgress at the front door stops it without a worker", egress.ForCommand(id))
	return &told
}

// listCommand only reads visibility, so it needs neither worker nor LiveKit.
func (d deps) listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list recordings: first those that run, newest first, then the others, last closed first",
		Flags: []cli.Flag{
			roomFlag(),
			&cli.StringFlag{Name: "kind", Usage: "only those of this `KIND`, such as room-composite"},
			&cli.StringFlag{Name: "status", Usage: "only those with this `STATUS`, such as EGRESS_ACTIVE or LOST"},
			&cli.BoolFlag{Name: "active", Aliases: []string{"a"}, Usage: "only those that are not over"},
			&cli.BoolFlag{Name: "lost", Usage: "only those that are lost: short for --status LOST"},
			&cli.BoolFlag{Name: "stuck", Usage: "only those that a person should look at"},
			&cli.BoolFlag{Name: "missed", Usage: "only those whose egress_ended did not come in time"},
			&cli.BoolFlag{Name: "redeliveries", Usage: "list redeliveries instead of recordings"},
			&cli.StringFlag{Name: "since", Usage: "only those started at `TIME` or later: a duration before now, or 2026-05-04T00:00:00Z"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N`; 0 for all", Value: listLimit},
			timeoutFlag(askTimeout),
			jsonFlag("print JSON"),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			f, err := readFilter(c, time.Now())
			if err != nil {
				return err
			}
			return d.with(ctx, c, config.Reader, func(ctx context.Context, rec recorder) error { return d.list(ctx, c, rec, f) })
		},
	}
}

// readStatus reads a status in either case. It accepts an unknown one that is spelled like
// LiveKit's: a newer LiveKit has more.
func readStatus(c *cli.Command) (egress.Status, error) {
	s := egress.Status(strings.ToUpper(c.String("status")))
	if s == "" || s == egress.Lost || strings.HasPrefix(string(s), "EGRESS_") {
		return s, nil
	}
	return s, egress.Invalidf("--status", "%q is not a status; want %s, or one of LiveKit's: %s", c.String("status"), egress.Lost, strings.Join(statusNames(), ", "))
}

// statusNames are LiveKit's names, in the order of an egress's life.
func statusNames() []string {
	var names []string
	for _, number := range slices.Sorted(maps.Keys(livekit.EgressStatus_name)) {
		names = append(names, livekit.EgressStatus_name[number])
	}
	return names
}

// readFilter reads the flags.
func readFilter(c *cli.Command, now time.Time) (recordings.Filter, error) {
	f := recordings.Filter{
		Room: c.String("room"), Kind: kindOf(c.String("kind")),
		Active: c.Bool("active"), Stuck: c.Bool("stuck"), Missed: c.Bool("missed"),
		Redeliveries: c.Bool("redeliveries"),
	}
	if err := cmp.Or(wantArgs(c), wantValues(c, "room", "kind", "status")); err != nil {
		return f, err
	}
	var err error
	if f.Status, err = readStatus(c); err != nil {
		return f, err
	}
	if f.Kind != "" && !slices.Contains(egress.Kinds(), f.Kind) {
		return f, egress.Invalidf("--kind", "%q is not a kind; want one of %s", c.String("kind"), kindList())
	}
	if c.Bool("lost") {
		if f.Status != "" && f.Status != egress.Lost {
			return f, egress.Invalidf("--lost and --status", "name two statuses; give one")
		}
		f.Status = egress.Lost
	}
	if c.Int("limit") < 0 {
		return f, egress.Invalidf("--limit", "is negative: %d", c.Int("limit"))
	}
	if c.IsSet("since") {
		f.Since, err = moment("--since", c.String("since"), now)
	}
	return f, err
}

// list prints nothing if the list breaks off: a part would look like the whole.
func (d deps) list(ctx context.Context, c *cli.Command, rec recorder, f recordings.Filter) error {
	rows, limit := []recordings.Row{}, c.Int("limit")
	for row, err := range rec.List(ctx, f) {
		if err != nil {
			return err
		}
		if limit > 0 && len(rows) == limit {
			fmt.Fprintf(d.stderr, "%s: only the first %d are shown; --limit 0 shows all\n", c.Root().Name, limit)
			break
		}
		rows = append(rows, row)
	}
	none := "no recordings"
	if f.Redeliveries {
		none = "no redeliveries"
	}
	return show(c, d.stdout, rows, func(w io.Writer, rows []recordings.Row) error { return printRows(w, rows, none) })
}
