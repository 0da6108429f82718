package workflows_test

import (
	"errors"
	"maps"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// event is what is to happen, to whichever run of the workflow is under way by then.
type event struct {
	at   time.Time
	do   func()
	over bool
}

// runs is the life of the workflow, of as many runs as it takes.
func (r *random) runs(in egress.Input) (egress.Verdict, error) {
	for {
		v, err := r.run(in)
		var next *workflow.ContinueAsNewError
		if !errors.As(err, &next) {
			return v, err
		}
		in = egress.Input{}
		require.NoError(r.t, payloads().FromPayloads(next.Input, &in))
		r.alone(r.goOn)
	}
}

// goOn is the beginning of the next run.
func (r *random) goOn() {
	r.say("continued as new")
	now := r.Now()
	r.TestWorkflowEnvironment = silentEnv()
	r.SetStartTime(now)
	require.NoError(r.t, r.SetTypedSearchAttributesOnStart(temporal.NewSearchAttributes(
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeKind).ValueSet("room_composite")))) // what is set stays so
	r.register()
	r.watchShown()
	for _, e := range r.events {
		if !e.over {
			r.await(e, now)
		}
	}
}

// await has the run that is under way wait for what is to happen.
func (r *random) await(e *event, now time.Time) {
	r.life.at(max(e.at.Sub(now), 1), func() {
		r.alone(func() {
			if !e.over && !r.IsWorkflowCompleted() {
				e.over = true
				e.do()
			}
		})
	})
}

// takenBack is what visibility is told of a verdict that is to be corrected.
var takenBack = temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword(egress.AttributeEndedBy).ValueUnset(),
	temporal.NewSearchAttributeKeyKeyword(egress.AttributeMissed).ValueUnset())

// watchShown keeps what visibility is told.
func (r *random) watchShown() {
	r.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		said := args.Get(0).(temporal.SearchAttributes)
		if assert.ObjectsAreEqual(takenBack, said) {
			delete(r.shown, egress.AttributeEndedBy)
			delete(r.shown, egress.AttributeMissed)
		}
		for key, value := range said.GetUntypedValues() { // without those that are unset
			r.shown[key.GetName()] = value
		}
	}).Return(nil)
	r.OnUpsertMemo(mock.Anything).Run(func(args mock.Arguments) { maps.Copy(r.shown, args.Get(0).(map[string]any)) }).Return(nil)
}

// isShown wants visibility to say what the verdict does, and to call for nobody any more.
func (r *random) isShown(v egress.Verdict) {
	for name, want := range map[string]any{
		egress.AttributeID: v.EgressID, egress.AttributeStatus: string(v.Status), egress.AttributeEndedBy: string(v.EndedBy),
		egress.MemoVerdict: v.Memo(),
	} {
		assert.Equal(r.t, want, r.shown[name], "%s is not shown as the verdict has it", name)
	}
	missed, _ := r.shown[egress.AttributeMissed].(string)
	assert.Equal(r.t, string(v.Missed), missed, "why a webhook was missed is not shown as the verdict has it")
	assert.NotEqual(r.t, true, r.shown[egress.AttributeStuck], "it is marked for a person, and is over")
}

// partOf is what the verdict says of an egress: its status and who told its end.
func (f *fate) partOf(v egress.Verdict) (egress.Status, egress.Source) {
	for _, p := range v.Parts {
		if p.EgressID == f.id {
			return p.Status, p.EndedBy
		}
	}
	return v.Status, v.EndedBy
}

// isJudged wants the verdict to say what the consumer was told, and that a webhook told the end only
// where one has come.
func (f *fate) isJudged(v egress.Verdict, told *lk.EgressInfo) {
	status, by := f.partOf(v)
	if status == egress.Lost {
		status = egress.Status(lk.EgressStatus_EGRESS_FAILED.String())
	}
	assert.Equal(f.t, status, egress.Status(told.GetStatus().String()), "%s is told otherwise than the verdict has it", f.id)
	assert.True(f.t, by != egress.FromWebhook || f.webhook, "no webhook told the end of %s", f.id)
}
