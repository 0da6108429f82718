package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v3"
)

// printer prints the result for each recording: a line each, and below them a bar if a person is
// looking on.
type printer struct {
	stdout, stderr io.Writer
	json           bool
	bar            *progressbar.ProgressBar
}

func (d deps) newPrinter(c *cli.Command, total int) *printer {
	return &printer{stdout: d.stdout, stderr: d.stderr, json: c.Bool("json"), bar: progressbar.NewOptions(total,
		progressbar.OptionSetWriter(d.stderr), progressbar.OptionShowCount(), progressbar.OptionSetVisibility(d.watched && total > 1),
		progressbar.OptionSetDescription("told again"), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())}
}

// write prints the result for one recording.
func (p *printer) write(e entry) error {
	text := e.text()
	if p.json {
		b, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("print JSON: %w", err)
		}
		text = string(b)
	}
	if err := p.bar.Clear(); err != nil {
		return fmt.Errorf("draw the bar: %w", err)
	}
	if _, err := fmt.Fprintln(p.stdout, text); err != nil {
		return err
	}
	return p.bar.Add(1)
}

func (e entry) text() string {
	s := fmt.Sprintf("%-11s  %s", e.Outcome, e.ID)
	if r := e.Redelivered; r != nil {
		s += fmt.Sprintf("  %s %s, %s", r.EgressID, r.Status, e.under())
		if r.WorkflowID != "" && !r.UnderWay {
			s += ", by " + r.WorkflowID
		}
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// under returns the ID by which the receiver recognizes a repeat.
func (e entry) under() string {
	if e.IdempotencyKey != "" {
		return "key " + e.IdempotencyKey
	}
	return "event " + e.EventID
}

// end removes the bar and prints the totals. Those are for people: standard output holds only the
// lines.
func (p *printer) end(counts string) {
	_ = p.bar.Exit() // a bar that cannot be drawn does not matter
	_ = p.bar.Clear()
	fmt.Fprintln(p.stderr, counts)
}
