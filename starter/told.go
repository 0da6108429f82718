package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v3"
)

// told prints the result for each recording: a line each, and below them a bar if a person is
// looking on.
type told struct {
	out, err io.Writer
	json     bool
	bar      *progressbar.ProgressBar
}

func (d deps) newTold(c *cli.Command, total int) *told {
	return &told{out: d.stdout, err: d.stderr, json: c.Bool("json"), bar: progressbar.NewOptions(total,
		progressbar.OptionSetWriter(d.stderr), progressbar.OptionShowCount(), progressbar.OptionSetVisibility(d.watched && total > 1),
		progressbar.OptionSetDescription("told again"), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())}
}

// line prints the result for one recording.
func (t *told) line(said telling) error {
	text := said.text()
	if t.json {
		b, err := json.Marshal(said)
		if err != nil {
			return fmt.Errorf("print JSON: %w", err)
		}
		text = string(b)
	}
	if err := t.bar.Clear(); err != nil {
		return fmt.Errorf("draw the bar: %w", err)
	}
	if _, err := fmt.Fprintln(t.out, text); err != nil {
		return err
	}
	return t.bar.Add(1)
}

func (t telling) text() string {
	s := fmt.Sprintf("%-11s  %s", t.Outcome, t.ID)
	if r := t.Redelivered; r != nil {
		s += fmt.Sprintf("  %s %s, %s", r.EgressID, r.Status, t.under())
		if r.WorkflowID != "" && !r.UnderWay {
			s += ", by " + r.WorkflowID
		}
	}
	if t.Reason != "" {
		s += ": " + t.Reason
	}
	return s
}

// under returns the ID by which the receiver recognizes a repeat.
func (t telling) under() string {
	if t.IdempotencyKey != "" {
		return "key " + t.IdempotencyKey
	}
	return "event " + t.EventID
}

// end removes the bar and prints the totals. Those are for people: standard output holds only the
// lines.
func (t *told) end(counts string) {
	_ = t.bar.Exit() // a bar that cannot be drawn does not matter
	_ = t.bar.Clear()
	fmt.Fprintln(t.err, counts)
}
