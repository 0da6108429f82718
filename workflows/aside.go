package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// asideFor is how long another egress of the request that could not be dealt with is put
// aside. LiveKit was just asked three times; a round of the reconciler comes as often. Each
// time that no worker answers its stop doubles it, up to asideAtMost: that worker may be
// dead, and the run hears nothing else while it asks.
const (
	asideFor    = time.Minute
	asideAtMost = 15 * time.Minute
)

// putAside keeps what was seen of another egress of the request, which cannot be dealt with
// now: nobody knows yet whom to tell, or LiveKit did not say that it stopped. What a run
// that is continued has put aside is shown to the next one by the reconciler.
func (e *run) putAside(ctx workflow.Context, o egress.Observation) {
	known := slices.ContainsFunc(e.aside, func(a egress.Observation) bool {
		return a.Info.ID() == o.Info.ID()
	})
	if !known || e.CanPrecede(o) {
		e.aside = append(e.aside, o)
	}
	if e.Started && e.asideDue == nil {
		wait := egress.Doubled(asideFor, e.unanswered+1, asideAtMost)
		e.asideDue = &pending{kind: asideAgain, future: workflow.NewTimerWithOptions(ctx, wait,
			workflow.TimerOptions{Summary: "until another egress of the request is to be asked for again"})}
	}
}

// foldTwins takes what was put aside of other egresses than those of the recording, once the
// bound one is over: before it is told, since that may take days. What no worker answers for
// does not go on in its place where another can be started.
func (e *run) foldTwins(ctx workflow.Context) {
	e.foldBut(ctx, func(o egress.Observation) bool {
		return e.Includes(o) || e.unanswered > 0 && e.Recoverable(workflow.Now(ctx))
	})
}

// foldAside takes what was put aside. While a part is being started it stays there: an
// egress of another ID would be bound to it.
func (e *run) foldAside(ctx workflow.Context) {
	e.asideDue = nil
	if e.Started {
		e.foldBut(ctx, func(egress.Observation) bool { return false })
	}
}

// foldBut takes what was put aside, but for what is to stay there.
func (e *run) foldBut(ctx workflow.Context, stays func(egress.Observation) bool) {
	aside := e.aside
	e.aside = nil
	for _, o := range aside {
		if stays(o) {
			e.aside = append(e.aside, o)
		} else {
			e.fold(ctx, o)
		}
	}
}
