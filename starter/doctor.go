package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
)

// canaryEvery is how often --watch checks that webhooks get through.
const canaryEvery = 30 * time.Second

// examiner is what the doctor command calls; *doctor.Doctor implements it.
type examiner interface {
	Run(ctx context.Context, only ...doctor.Check) []doctor.Finding
	Watch(ctx context.Context, every time.Duration, say func(doctor.Change) error) error
}

// doctorCommand changes nothing, except that it writes a probe to each storage profile and deletes
// it again. With warnings only, the exit status is 0.
func (d deps) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check settings, LiveKit, Temporal and the path of the webhooks; exit status 3 when something is not well",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "run only this `CHECK`: " + checkList() + "; may be repeated"},
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "keep checking the path of the webhooks, and print a line at each change"},
			&cli.DurationFlag{Name: "every", Usage: "with --watch: check every `DURATION`", Value: canaryEvery},
			jsonFlag("print JSON; with --watch, one object per line"),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			only, err := readChecks(c)
			if err != nil {
				return err
			}
			environ, err := d.environment(c)
			if err != nil {
				return err
			}
			doc, end, err := d.examine(environ)
			if err != nil {
				return err
			}
			defer end()
			if c.Bool("watch") {
				return doc.Watch(ctx, c.Duration("every"), d.sayChange(c.Bool("json")))
			}
			findings := doc.Run(ctx, only...)
			if ctx.Err() != nil { // checks that were cut short would look like failures
				return &egress.Error{Reason: egress.Ambiguous, Message: "doctor: interrupted", Err: ctx.Err()}
			}
			return d.printFindings(c, findings)
		},
	}
}

// readChecks reads the flags of the doctor.
func readChecks(c *cli.Command) ([]doctor.Check, error) {
	if err := wantArgs(c); err != nil {
		return nil, err
	}
	var only []doctor.Check
	for _, name := range c.StringSlice("only") {
		check := doctor.Check(name)
		if !slices.Contains(doctor.Checks(), check) {
			return nil, egress.Invalidf("--only", "%q is not a check; want one of %s", name, checkList())
		}
		only = append(only, check)
	}
	switch every := c.Duration("every"); {
	case c.IsSet("every") && !c.Bool("watch"):
		return nil, egress.Invalidf("--every", "needs --watch")
	case every < time.Second:
		return nil, egress.Invalidf("--every", "want 1s or more, got %s", every)
	case c.Bool("watch") && slices.ContainsFunc(only, func(name doctor.Check) bool { return name != doctor.Webhook }):
		return nil, egress.Invalidf("--only", "--watch runs only the check %s", doctor.Webhook)
	}
	return only, nil
}

func checkList() string {
	var names []string
	for _, c := range doctor.Checks() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func (d deps) printFindings(c *cli.Command, findings []doctor.Finding) error {
	err := show(c, d.stdout, findings, printFindings)
	var ill []string
	for _, f := range findings {
		if f.Status == doctor.Fail {
			ill = append(ill, string(f.Check))
		}
	}
	if err == nil && len(ill) > 0 {
		return driftError{"not well: " + strings.Join(ill, ", ")}
	}
	return err
}

// printFindings prints no table: findings and fixes are sentences.
func printFindings(w io.Writer, findings []doctor.Finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%-4s  %s: %s\n", f.Status, f.Check, visible(f.Found)); err != nil {
			return err
		}
		if f.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "      fix: %s\n", visible(f.Fix)); err != nil {
			return err
		}
	}
	return nil
}

// sayChange prints one line per change of state.
func (d deps) sayChange(asJSON bool) func(doctor.Change) error {
	return func(c doctor.Change) error {
		if asJSON {
			return json.NewEncoder(d.stdout).Encode(c)
		}
		state := string(c.Status)
		if c.Before != "" {
			state = fmt.Sprintf("%s -> %s", c.Before, c.Status)
		}
		line := fmt.Sprintf("%s %s %s", c.At.UTC().Format(time.RFC3339), state, c.Found)
		if c.Fix != "" {
			line += "; fix: " + c.Fix
		}
		_, err := fmt.Fprintln(d.stdout, visible(line))
		return err
	}
}
