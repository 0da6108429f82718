package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// MetricMedia counts what was found of the media of ended egresses. Label: media.
const MetricMedia = "reelkeeper_media_total"

// verify looks in the store for the media of what has ended, before anybody is told. It holds up
// the announcement for no longer than the terms say: if the store cannot be reached by then, it is
// asked again beside the announcement. If nobody can look, no activity runs.
func (e *run) verify(ctx workflow.Context, of *egress.State, suffix string) {
	because, ok := of.Lookable(e.in.Adopted)
	if !ok {
		e.found(ctx, of, egress.Unchecked(because), "")
		return
	}
	opts := verifyOptions
	opts.ScheduleToCloseTimeout = of.VerifyFor.D() + verifyGrace
	v, err := e.lookAtMedia(ctx, opts, of, false)
	switch insists := of.Insists(); {
	case err == nil && v.Again && insists:
		e.verifyBehind(ctx, of, suffix, v.Because)
	case err == nil:
		e.found(ctx, of, v.MediaReport, "")
	case insists && (mayPass(err) || reasonOf(err) == egress.Sealed): // a key is missing that may be put back
		e.verifyBehind(ctx, of, suffix, inWords(err))
	default:
		e.found(ctx, of, egress.Unchecked("could not be looked at: "+inWords(err)), "")
	}
}

// verifyLost looks again for what a lost egress left, since a large file takes long to upload. What
// it finds goes into the verdict, unless something is gone by then; nobody is told of it.
func (e *run) verifyLost(ctx workflow.Context) {
	if _, ok := e.Lookable(e.in.Adopted); !ok || e.Media == nil {
		return
	}
	opts := as(verifyOptions, verifyOptions.Summary+", a last time")
	opts.ScheduleToCloseTimeout = e.VerifyFor.D() + verifyGrace
	v, err := e.lookAtMedia(ctx, opts, &e.State, false)
	if err != nil || v.Again {
		return
	}
	now := e.WithBackup(v.MediaReport)
	if now.Keeps(*e.Media) && (now.Because != e.Media.Because || !slices.Equal(now.Files, e.Media.Files)) {
		e.found(ctx, &e.State, v.MediaReport, e.Media.Media)
	}
}

// verifyBehind goes on looking beside the announcement, for as long as an announcement is tried,
// and then waits for a person.
func (e *run) verifyBehind(ctx workflow.Context, of *egress.State, suffix, because string) {
	r := of.WithBackup(egress.Unchecked(because))
	e.NoteMedia(e.NumberOf(of.ID), r, workflow.Now(ctx))
	var counted egress.Media
	if r.Media.Alarming() { // LiveKit itself says so, and its backup storage may be cleared before the store answers
		counted = r.Media
		countMedia(ctx, counted)
		e.notify(ctx, egress.ConcernMedia, e.NumberOf(of.ID), "")
	}
	name := egress.StepVerify + suffix
	e.verifying++
	e.beside(ctx, name, func(ctx workflow.Context) {
		e.verifyOn(ctx, of, name, counted)
		e.verifying--
	})
}

func (e *run) verifyOn(ctx workflow.Context, of *egress.State, name string, counted egress.Media) {
	opts := as(verifyOptions, verifyOptions.Summary+", until it answers ("+name+")")
	var v activities.Verified
	look := func() error {
		return inItsTime(opts, of.AnnounceFor, func(opts workflow.ActivityOptions) (err error) {
			v, err = e.lookAtMedia(ctx, opts, of, true)
			return err
		})
	}
	if err := e.insist(ctx, name, look(), look); err != nil {
		e.found(ctx, of, egress.Unchecked("a person skipped it: "+inWords(err)), counted)
		return
	}
	e.found(ctx, of, v.MediaReport, counted)
	e.done(ctx, name)
}

// lookAtMedia looks in the store for the media of what has ended; behind is set if the end is
// announced meanwhile.
func (e *run) lookAtMedia(ctx workflow.Context, opts workflow.ActivityOptions, of *egress.State, behind bool) (v activities.Verified, err error) {
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), verification.Verify, activities.VerifyRequest{
		RequestID: e.id, Input: e.in, Part: of.Part, Info: of.MediaInfo(), Status: of.Status, Storage: of.Storage,
		HeardAt: of.NewsAt, For: of.VerifyFor, Behind: behind,
	}).Get(ctx, &v)
	return v, err
}

// found keeps what became known of the media in the state, the log and the metrics, and tells
// people if something is wrong with it. What was counted of it before is not counted again.
func (e *run) found(ctx workflow.Context, of *egress.State, r egress.MediaReport, counted egress.Media) {
	r = of.WithBackup(r)
	of.Media = &r
	e.NoteMedia(e.NumberOf(of.ID), r, workflow.Now(ctx))
	if e.before != nil && e.before.ID == of.ID {
		e.before.Media = &r
	}
	e.log.Info("media verified", "egressID", of.ID, "media", r.Media, "reason", r.Because, "files", len(r.Files))
	if r.Media != counted {
		countMedia(ctx, r.Media)
	}
	if r.Media.Alarming() {
		e.notify(ctx, egress.ConcernMedia, e.NumberOf(of.ID), "")
	}
	e.explain(ctx)
}

func countMedia(ctx workflow.Context, m egress.Media) {
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"media": string(m)}).Counter(MetricMedia).Inc(1)
}

// verifyGrace is how long the last look may go on after the time that the terms give: it began
// within that time.
const verifyGrace = 30 * time.Second
