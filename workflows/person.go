package workflows

import (
	"cmp"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// insist retries a step that has failed for good, as often as a person asks for it. It returns nil
// once the step is done, and its last error if a person skipped it.
func (e *recording) insist(ctx workflow.Context, step string, err error, try func() error) error {
	for err != nil && e.askPerson(ctx, step, err) {
		err = try()
	}
	return err
}

// askPerson marks the egress for a person, since one of its steps has failed for good, and waits
// for their word: nothing is dropped. It reports whether to try again; otherwise the step is
// skipped.
func (e *recording) askPerson(ctx workflow.Context, step string, failed error) (again bool) {
	e.AwaitsWord = append(e.AwaitsWord, step)
	e.failures[step] = "step " + step + " failed for good: " + inWords(failed)
	e.remember(ctx)
	e.mark(ctx, e.whyAsked(), step)
	until(ctx, func() bool { return !e.waits(step) })
	if len(e.AwaitsWord) == 0 {
		e.clear(ctx)
	} else {
		e.Stuck = e.whyAsked()
		e.explain(ctx)
	}
	return !slices.Contains(e.Skipped, step)
}

// whyAsked returns why a person is needed, for all steps that wait.
func (e *recording) whyAsked() string {
	var why []string
	for _, step := range e.AwaitsWord {
		why = append(why, e.failures[step])
	}
	return strings.Join(why, "; ")
}

func (e *recording) waits(step string) bool { return slices.Contains(e.AwaitsWord, step) }

// handleWords registers what a person can ask, and what they can say to a step that waits for them.
func (e *recording) handleWords(ctx workflow.Context) error {
	return cmp.Or(
		workflow.SetQueryHandler(ctx, egress.QueryState, func() (egress.State, error) { return e.State, nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateRetry, e.sayRetry, workflow.UpdateHandlerOptions{Validator: e.awaitsWord}),
		workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateSkip, e.saySkip, workflow.UpdateHandlerOptions{Validator: e.awaitsWord}),
	)
}

// awaitsWord refuses a word about a step that does not wait for one.
func (e *recording) awaitsWord(_ workflow.Context, step string) error {
	if e.waits(step) {
		return nil
	}
	return toCaller(egress.Invalidf("step", "%q does not wait for a retry or skip", step))
}

func (e *recording) sayRetry(_ workflow.Context, step string) error {
	e.goOn(step)
	return nil
}

func (e *recording) saySkip(_ workflow.Context, step string) error {
	if !slices.Contains(e.Done, step) {
		e.Done = append(e.Done, step)
	}
	e.Skipped = append(e.Skipped, step)
	e.goOn(step)
	return nil
}

func (e *recording) goOn(step string) {
	e.AwaitsWord = slices.DeleteFunc(e.AwaitsWord, func(s string) bool { return s == step })
}
