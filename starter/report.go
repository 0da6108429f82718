package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// reportCommand only reads visibility, like list. Its exit status tells cron the result.
func (d deps) reportCommand() *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "summarize recordings, and list those whose webhook was missed; exit status 3 when any was missed, is lost, stuck, broken off or without its media",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "leave out what was over before `TIME`: a duration before now, or 2026-05-04T00:00:00Z", Value: "24h"},
			&cli.StringFlag{Name: "until", Usage: "leave out what began at `TIME` or later (default: now)"},
			jsonFlag("print one JSON object"),
			&cli.BoolFlag{Name: "csv", Usage: "print only the list of the missed, as CSV with a header line"},
			timeoutFlag(0),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := checkFormat(c); err != nil {
				return err
			}
			since, until, err := readSpan(c, time.Now())
			if err != nil {
				return err
			}
			return d.with(ctx, c, config.Reader, func(ctx context.Context, rec recorder) error {
				r, err := rec.Report(ctx, since, until)
				if err != nil {
					return err
				}
				return d.report(c, r)
			})
		},
	}
}

// checkFormat rejects arguments, and two formats at once.
func checkFormat(c *cli.Command) error {
	if err := wantArgs(c); err != nil {
		return err
	}
	if c.Bool("json") && c.Bool("csv") {
		return egress.Invalidf("--json and --csv", "ask for two formats; give one")
	}
	return nil
}

// readSpan reads --since and --until. Since is zero if --since is absent and has no default; an
// empty one would mean all recordings ever made, and is rejected.
func readSpan(c *cli.Command, now time.Time) (since, until time.Time, err error) {
	if c.IsSet("since") || c.String("since") != "" {
		if since, err = moment("--since", c.String("since"), now); err != nil {
			return since, until, err
		}
	}
	until = now
	if c.IsSet("until") {
		if until, err = moment("--until", c.String("until"), now); err != nil {
			return since, until, err
		}
	}
	if !since.Before(until) {
		return since, until, egress.Invalidf("--since", "%s is not before --until %s", since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	}
	return since, until, nil
}

// moment reads a time, or a duration before now.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if egress.TooLong(text) {
		return time.Time{}, egress.Invalidf(flag, "%q is too long: want at most %s", text, egress.LongestDuration)
	}
	return time.Time{}, egress.Invalidf(flag, `%q is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`, text)
}

func (d deps) report(c *cli.Command, r recordings.Report) error {
	var err error
	switch {
	case c.Bool("json"):
		err = printJSON(d.stdout, r)
	case c.Bool("csv"):
		err = printMissesCSV(d.stdout, r.Misses)
	default:
		err = printReport(d.stdout, r)
	}
	if err == nil && r.Drift() {
		return driftError{fmt.Sprintf("%d missed, %d lost, %d stuck, %d broken off, %d without their media", r.Missed, r.Lost, r.Stuck, r.BrokenOff, r.WithoutMedia())}
	}
	return err
}

// printReport prints a report for people: the counts first, then the list.
func printReport(w io.Writer, r recordings.Report) error {
	err := facts(w,
		[2]string{"since", at(r.Since)},
		[2]string{"until", at(r.Until)},
		[2]string{"egresses", strconv.Itoa(r.Egresses)},
		[2]string{"running", strconv.Itoa(r.Running)},
		[2]string{"settled", strconv.Itoa(r.Settled)},
		[2]string{"refused", unlessZero(r.Refused)},
		[2]string{"broken off", unlessZero(r.BrokenOff)},
		[2]string{"verdicts", tally(r.Verdicts)},
		[2]string{"ended by", tally(r.EndedBy)},
		[2]string{"missed", fmt.Sprintf("%d (%.2f %% of the settled)", r.Missed, 100*r.MissedRate)},
		[2]string{"missed by", tally(r.Classes)},
		[2]string{"heard after", fmt.Sprintf("p50 %s, p99 %s, worst %s", brief(r.Lateness.P50), brief(r.Lateness.P99), brief(r.Lateness.Worst))},
		[2]string{"lost", strconv.Itoa(r.Lost)},
		[2]string{"media", tally(r.Media)},
		[2]string{"stuck", strconv.Itoa(r.Stuck)},
	)
	if err != nil || len(r.Misses) == 0 {
		return err
	}
	t := plainTable()
	t.AppendHeader(table.Row{"date", "room ID", "room", "egress", "class", "late", "request"})
	for _, m := range r.Misses {
		t.AppendRow(cells(m.Date.Format(time.RFC3339), m.RoomID, m.Room, m.EgressID, m.Class, brief(m.Late), m.RequestID))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return render(w, t)
}

// printMissesCSV prints the missed webhooks for a spreadsheet. Lateness is in seconds.
func printMissesCSV(w io.Writer, misses []recordings.Miss) error {
	lines := [][]string{{"date", "room_id", "room", "egress_id", "class", "late_seconds", "status", "request_id", "api_key", "identity"}}
	for _, m := range misses {
		by := egress.Asker{}
		if m.AskedBy != nil {
			by = *m.AskedBy
		}
		lines = append(lines, []string{
			m.Date.Format(time.RFC3339), cell(m.RoomID), cell(m.Room), cell(m.EgressID), string(m.Class),
			seconds(m.Late.D()), string(m.Status), cell(m.RequestID), cell(by.APIKey), cell(by.Identity),
		})
	}
	if err := csv.NewWriter(w).WriteAll(lines); err != nil {
		return fmt.Errorf("print CSV: %w", err)
	}
	return nil
}

// tally lists how often each name occurred, the most frequent first.
func tally[K ~string](counts map[K]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

func unlessZero(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func brief(d egress.Duration) string { return d.D().Round(time.Millisecond).String() }
