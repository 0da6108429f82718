package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// retryCommand is for a person who has removed the cause of a failure. It may apply to all steps at
// once: a step that fails again waits again.
func (d deps) retryCommand() *cli.Command {
	return d.stepCommand("retry", "rerun delivery steps that have failed for good: all of them, or one", true, recorder.Retry)
}

// skipCommand continues the delivery without the step. What is left out is never delivered, so it
// applies to one step at a time.
func (d deps) skipCommand() *cli.Command {
	return d.stepCommand("skip", "leave out a delivery step that has failed for good", false, recorder.Skip)
}

// stepCommand builds a command about the waiting steps of one recording and of its redeliveries.
func (d deps) stepCommand(name, usage string, all bool, say func(recorder, context.Context, string, string) error) *cli.Command {
	return &cli.Command{
		Name:        name,
		Usage:       usage,
		UsageText:   fmt.Sprintf("starter %s ID [--step NAME]\nstarter %s ID NAME", name, name),
		Description: "ID is an egress ID (EG_…), a request ID, or a workflow ID (egress/…, or egress-redelivery/… for the steps of that redelivery only).",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "step", Usage: "the step `NAME`, such as announce or webhook-1 (default: the step that waits; for retry, all that wait)"},
			jsonFlag("print JSON"),
			timeoutFlag(askTimeout),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			step, err := readStep(c)
			if err != nil {
				return err
			}
			return d.with(ctx, c, config.Reader, func(ctx context.Context, rec recorder) error {
				id := c.Args().First()
				waiting, err := rec.WaitingSteps(ctx, id)
				if err != nil {
					return err
				}
				if waiting, err = choose(waiting, id, step, all); err != nil {
					return err
				}
				return d.send(ctx, c, rec, waiting, say)
			})
		},
	}
}

// readStep returns the step named by the flag or after the ID.
func readStep(c *cli.Command) (string, error) {
	args := c.Args().Slice()
	switch err := wantValues(c, "step"); {
	case err != nil:
		return "", err
	case len(args) == 0:
		return "", egress.Invalidf(anyID, "is missing: %s ID [--step NAME]", c.FullName())
	case len(args) > 2:
		return "", egress.Invalidf(args[2], "is one argument too many: %s ID [--step NAME]", c.FullName())
	case len(args) == 2 && c.IsSet("step"):
		return "", egress.Invalidf("--step", "names a second step after %q: give only one", args[1])
	case len(args) == 2 && strings.TrimSpace(args[1]) == "":
		return "", emptyFlag("step")
	case len(args) == 2:
		return args[1], nil
	}
	return c.String("step"), nil
}

// choose selects, from the waiting steps, those that the command applies to.
func choose(waiting []recordings.WaitingStep, id, step string, all bool) ([]recordings.WaitingStep, error) {
	names := make([]string, len(waiting))
	for i, w := range waiting {
		names[i] = w.Step
		if _, again := egress.RedeliveryOf(w.WorkflowID); again {
			names[i] += " of " + w.WorkflowID
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(waiting), func(w recordings.WaitingStep) bool { return step != "" && w.Step != step })
	switch {
	case len(waiting) == 0:
		return nil, &egress.Error{Reason: egress.Conflict, Message: "no step of " + id + " waits for retry or skip; starter list --stuck lists what does"}
	case len(chosen) == 0:
		return nil, egress.Invalidf("--step", "%q does not wait for retry or skip; want one of %s", step, strings.Join(names, ", "))
	case len(chosen) > 1 && !all && step == "":
		return nil, egress.Invalidf("--step", "is missing, and several steps wait: want one of %s", strings.Join(names, ", "))
	case len(chosen) > 1 && !all:
		return nil, egress.Invalidf(anyID, "matches several steps that wait: %s; want the ID of one workflow", strings.Join(names, ", "))
	}
	return chosen, nil
}

// send sends the command to each step, and prints a confirmation.
func (d deps) send(ctx context.Context, c *cli.Command, rec recorder, waiting []recordings.WaitingStep, say func(recorder, context.Context, string, string) error) error {
	for _, w := range waiting {
		if err := say(rec, ctx, w.WorkflowID, w.Step); err != nil {
			return err
		}
		var err error
		if c.Bool("json") {
			err = printJSON(d.stdout, map[string]string{"id": c.Args().First(), "workflow_id": w.WorkflowID, "step": w.Step, "said": c.Name})
		} else {
			_, err = fmt.Fprintf(d.stdout, "%s: requested %s of step %s\n", c.Args().First(), c.Name, w.Step)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
