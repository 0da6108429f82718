package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// asideFor is how long another egress of the request that cannot be dealt with is put aside:
// LiveKit has just been asked three times, and the reconciler's rounds are as far apart. The wait
// doubles, up to asideAtMost, each time that no worker answers a stop, since that worker may be dead, and
// the run hears nothing else while it asks; or that the other is a later part.
const (
	asideFor    = time.Minute
	asideAtMost = 15 * time.Minute
)

// putAside keeps an observation of another egress of the request that cannot be dealt with now:
// nobody knows yet whom to tell, or LiveKit did not say that it stopped. It is not carried over to
// the next run, which hears of that egress from the reconciler.
func (e *run) putAside(ctx workflow.Context, o egress.Observation) {
	known := slices.ContainsFunc(e.aside, func(a egress.Observation) bool {
		return a.Info.ID() == o.Info.ID()
	})
	if !known || e.CanPrecede(o) {
		e.aside = append(e.aside, o)
	}
	if e.Started && e.asideDue == nil {
		wait := egress.Doubled(asideFor, e.failedStops+1, asideAtMost)
		e.asideDue = &pending{kind: asideAgain, future: workflow.NewTimerWithOptions(ctx, wait,
			workflow.TimerOptions{Summary: "before another egress of the request is dealt with again"})}
	}
}

// foldTwins folds in what was put aside of egresses that are not part of the recording. It is
// called once the bound egress is over, and before that is announced, since announcing may take
// days. An egress whose stop no worker answers does not take the place of the bound one if a new
// part can be started then.
func (e *run) foldTwins(ctx workflow.Context, then time.Time) {
	e.foldBut(ctx, func(o egress.Observation) bool {
		return e.NumberOf(o.Info.ID()) > 0 || e.failedStops > 0 && e.Recoverable(then)
	})
}

// foldAside folds in what was put aside, unless a part is being started: an egress of another ID
// would be bound to that part.
func (e *run) foldAside(ctx workflow.Context) {
	e.asideDue = nil
	if e.Started {
		e.foldBut(ctx, func(egress.Observation) bool { return false })
	}
}

// foldBut folds in what was put aside, except what is to stay there.
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
