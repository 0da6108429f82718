package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// said is a value of the search attribute by which visibility knows a verdict.
type said struct {
	by string
	at time.Duration
}

// endings are the values of EgressEndedBy, one after the other.
func (l *life) endings() *[]said {
	var list []said
	key := temporal.NewSearchAttributeKeyKeyword(egress.AttributeEndedBy)
	l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		if by, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(key); ok {
			list = append(list, said{by, l.took()})
		}
	}).Return(nil)
	return &list
}

// remembered is when the verdict was kept as the memo.
func (l *life) remembered() *[]time.Duration {
	var list []time.Duration
	l.OnUpsertMemo(mock.Anything).Run(func(mock.Arguments) { list = append(list, l.took()) }).Return(nil)
	return &list
}

func TestACorrectedVerdictOfTheSameStatusIsPublishedAnew(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	endings := l.endings()
	l.webhook(2*time.Second, egress.EventUpdated, at(active, 2, 0))
	l.webhook(10*time.Second, egress.EventEnded, at(failed, 10, 0))
	l.webhook(time.Hour, egress.EventEnded, at(failed, 3600, 1)) // a second run, of which nothing else was heard
	l.at(2*time.Hour, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Corrects)
	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	var by []string
	for _, e := range *endings {
		by = append(by, e.by)
	}
	require.Equal(t, []string{"webhook", "webhook"}, by, "told, taken back with the correction, and told anew")
	require.Greater(t, (*endings)[1].at, time.Hour)
}

// Its consumer is down for an hour, in which a lost egress turns out to be whole.
func TestAVerdictThatIsWrongOnceItIsToldIsNotPublishedBeforeItsCorrection(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	l.poll = l.firstIsGone
	l.announce = func(egress.Event) error { return l.downFor(time.Hour, 10*time.Minute) }
	endings := l.endings()
	l.webhook(30*time.Minute, egress.EventEnded, at(complete, 1800, 0))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Corrects)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
	var by []string
	for _, e := range *endings {
		by = append(by, e.by)
	}
	require.Equal(t, []string{"timeout", "webhook"}, by)
}

// The step of a part fails while the end of its successor is held: that end is no
// verdict, and a second run follows it.
func TestAStepOfAPartDoesNotPublishAVerdictThatIsOnlyHeld(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		s.Terms.Policy.HoldFor = egress.DefaultPolicy().HoldFor
		return s, err
	}
	endings := l.endings()
	const answer = 25 * time.Second
	down := true
	l.OnActivity("Announce", mock.Anything, mock.Anything).After(answer).Return(func(_ context.Context, in activities.Announcement) error {
		l.announced = append(l.announced, in.Event)
		if down {
			down = false
			require.Equal(t, egress.Held, l.state().Phase, "at %s", l.took())
			return errors.New("the consumer is down")
		}
		return nil
	})
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10)) // held until 40 s, and told of from then on
	l.at(55*time.Second, func() { require.Len(t, *starts, 2) })
	l.webhook(60*time.Second, egress.EventEnded, part(2, failed, 60))
	again := part(2, lk.EgressStatus_EGRESS_ACTIVE, 75)
	again.RetryCount = 1
	l.webhook(75*time.Second, egress.EventUpdated, again)
	end := part(2, complete, 600)
	end.RetryCount = 1
	l.webhook(10*time.Minute, egress.EventEnded, end)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, *endings, 1, "one verdict, of the whole recording")
	require.Equal(t, "webhook", (*endings)[0].by)
	require.GreaterOrEqual(t, (*endings)[0].at, 10*time.Minute)
}

// A consumer may be down for days: who asks for what is missed or lacks its media hears of it
// meanwhile.
func TestAVerdictIsReportedWhileItsConsumerIsDown(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	l.neverTaken()
	remembered, endings := l.remembered(), l.endings()

	l.mustRun(plainInput(t))

	require.NotEmpty(t, *remembered)
	require.Less(t, (*remembered)[0], time.Minute, "and not when a person leaves the consumer out")
	require.Equal(t, (*remembered)[0], (*endings)[0].at)
}

// A lost part turns out to be whole while the failure of the last one may still be corrected.
func TestWhatAPartIsCorrectedToAfterTheVerdictIsReported(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.agreesTo(func(p *egress.Policy) { p.CorrectFor = egress.Duration(2 * time.Hour) })
	l.poll = l.firstIsGone
	var memo any
	l.OnUpsertMemo(mock.Anything).Run(func(args mock.Arguments) {
		memo = args.Get(0).(map[string]any)[egress.MemoVerdict]
	}).Return(nil)
	l.webhook(20*time.Minute, egress.EventEnded, part(2, failed, 1200))
	l.webhook(30*time.Minute, egress.EventEnded, part(1, complete, 1800))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Parts[0].Status)
	require.Equal(t, v.Memo(), memo)
}

// Lists by status know the egress that records, also where the one before was as far.
func TestWhatTakesThePlaceOfAForgottenEgressIsListedAsItRecords(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	missing := l.poll
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.EgressID == egressID {
			return missing(in)
		}
		return l.nothingNew(in)
	}
	var listed []string
	l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		if id, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(temporal.NewSearchAttributeKeyKeyword(egress.AttributeID)); ok {
			listed = append(listed, id)
		}
	}).Return(nil)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(2*time.Second, egress.EventUpdated, part(2, active, 2))
	l.at(time.Minute, func() { require.Equal(t, []string{egressID, "EG_2"}, listed) })
	l.webhook(10*time.Minute, egress.EventEnded, part(2, complete, 600))

	l.mustRun(plainInput(t))
}

// Its consumer is down as the time for corrections runs out.
func TestWhatAPartIsCorrectedToIsToldAlsoWhereNothingElseCanBeCorrectedAnyMore(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.agreesTo(func(p *egress.Policy) { p.CorrectFor = egress.Duration(2 * time.Hour) })
	l.poll = l.firstIsGone
	l.announce = func(e egress.Event) error {
		if e.Proto().GetEgressInfo().GetStatus() == complete {
			return l.downFor(150*time.Minute, 5*time.Minute)
		}
		return nil
	}
	l.webhook(20*time.Minute, egress.EventEnded, part(2, failed, 1200))
	l.webhook(139*time.Minute, egress.EventEnded, part(1, complete, 1800))

	l.mustRun(plainInput(t))

	require.Equal(t, []lk.EgressStatus{failed, failed, complete}, l.toldOf())
}

// Lists by status would show it as beginning for as long as Temporal keeps it.
func TestARefusedStartIsNotListedAsOneThatBegins(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
	}
	var last any
	l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) { last = args.Get(0) }).Return(nil)

	_, err := l.run(plainInput(t))

	require.Error(t, err)
	status := temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus)
	require.Equal(t, temporal.NewSearchAttributes(status.ValueUnset()), last)
}

func TestWhatWasStartedByOtherMeansThanOursIsListedByItsKindAndRoom(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	var first temporal.SearchAttributes
	l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		first, _ = args.Get(0).(temporal.SearchAttributes)
	}).Return(nil).Once()
	l.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil)

	l.mustRun(plainInput(t))

	require.Equal(t, temporal.NewSearchAttributes(
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeKind).ValueSet(string(egress.KindRoomComposite)),
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeRoom).ValueSet("standup"),
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus).ValueSet("EGRESS_STARTING"),
		temporal.NewSearchAttributeKeyBool(egress.AttributeStuck).ValueSet(false),
	), first)
}
