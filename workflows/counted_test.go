package workflows_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

type labels = map[string]string

// metrics keeps the labels of all that is counted, by name: once for each one of a count,
// and for each time that is recorded.
type metrics struct {
	mu  sync.Mutex
	all map[string][]labels
}

func (m *metrics) of(name string) []labels {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[name]
}

// labelled counts into them under labels.
type labelled struct {
	client.MetricsHandler
	into *metrics
	name string
	by   labels
}

func (c labelled) WithTags(tags map[string]string) client.MetricsHandler {
	by := labels{}
	maps.Copy(by, c.by)
	maps.Copy(by, tags)
	c.by = by
	return c
}

func (c labelled) Counter(name string) client.MetricsCounter { c.name = name; return c }
func (c labelled) Timer(name string) client.MetricsTimer     { c.name = name; return c }
func (c labelled) Record(time.Duration)                      { c.Inc(1) }

func (c labelled) Inc(n int64) {
	c.into.mu.Lock()
	defer c.into.mu.Unlock()
	for range n {
		c.into.all[c.name] = append(c.into.all[c.name], c.by)
	}
}

// Alerts go by them.
func TestWhatBecomesOfAnEgressIsCountedOnceWithItsLabels(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		begin  func(*testing.T) *life
		script func(*life)
		metric string
		want   []labels
	}{
		"a start":                                   {newLife, (*life).lived, workflows.MetricStarts, []labels{{"outcome": "began"}}},
		"a start, but not that of a later part":     {once, func(l *life) { l.endsTwice(failed) }, workflows.MetricStarts, []labels{{"outcome": "began"}}},
		"an end that a webhook told":                {newLife, (*life).lived, workflows.MetricEnded, []labels{{"status": "EGRESS_COMPLETE", "source": "webhook"}}},
		"how late it was heard of":                  {newLife, (*life).lived, workflows.MetricLag, []labels{{"source": "webhook"}}},
		"no missed webhook":                         {newLife, (*life).lived, workflows.MetricMissed, nil},
		"a missed webhook":                          {newLife, (*life).missed, workflows.MetricMissed, []labels{{"class": "endpoint_down"}}},
		"a loss":                                    {newLife, (*life).lostForGood, workflows.MetricEnded, []labels{{"status": "LOST", "source": "timeout"}}},
		"no missed webhook of a loss":               {newLife, (*life).lostForGood, workflows.MetricMissed, nil},
		"nobody knows how late a loss was heard of": {newLife, (*life).lostForGood, workflows.MetricLag, nil},
		"a step that waits for a person":            {newLife, func(l *life) { l.lived(); l.neverTaken() }, workflows.MetricStuck, []labels{{"why": "step"}}},
		"one that does not begin":                   {newLife, (*life).idle, workflows.MetricStuck, []labels{{"why": "idle"}}},
		"one that runs for very long":               {newLife, (*life).runsLong, workflows.MetricStuck, []labels{{"why": "long"}}},
		"what preceded the bound one":               {newLife, (*life).preceded, workflows.MetricEnded, []labels{{"status": "EGRESS_FAILED", "source": "webhook"}, {"status": "EGRESS_COMPLETE", "source": "webhook"}}},
		"a part whose successor is refused":         {once, (*life).succeeded, workflows.MetricEnded, []labels{{"status": "EGRESS_FAILED", "source": "webhook"}, {"status": "EGRESS_COMPLETE", "source": "webhook"}}},
		"a twin":                                    {newLife, (*life).twinned, workflows.MetricTwins, []labels{nil}},
		"a successor of what is gone":               {forgetting, func(l *life) { l.webhook(time.Second, egress.EventEnded, part(2, complete, 1)) }, workflows.MetricRecovered, []labels{nil}},
		"a part after a failure":                    {once, func(l *life) { l.endsTwice(failed) }, workflows.MetricRecovered, []labels{nil}},
		"none for a part after a limit":             {once, func(l *life) { l.endsTwice(lk.EgressStatus_EGRESS_LIMIT_REACHED) }, workflows.MetricRecovered, nil},
		"none for a part that is refused":           {once, (*life).refused, workflows.MetricRecovered, nil},
		"a correction of a part":                    {once, (*life).partIsBack, workflows.MetricCorrected, []labels{nil}},
		"a correction of a verdict":                 {lenient, (*life).isBack, workflows.MetricCorrected, []labels{nil}},
		"missing media":                             {robbed, func(l *life) { ended(l, complete) }, workflows.MetricMedia, []labels{{"media": "missing"}}},
		"media that LiveKit could not store":        {unanswered, (*life).backedUp, workflows.MetricMedia, []labels{{"media": "missing"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := tc.begin(t)
			tc.script(l)
			l.mustRun(plainInput(t))
			require.Equal(t, tc.want, l.counted.of(tc.metric))
		})
	}
}

func TestARefusedStartIsCountedOnceWithItsReason(t *testing.T) {
	t.Parallel()
	back := failure(egress.HandedBack, "not started before noon")
	never := failure(egress.TooLate, "no earlier start found")
	for name, tc := range map[string]struct {
		change  func(*egress.Input)
		answers []error
		want    string
	}{
		"by LiveKit":                        {nil, []error{failure(egress.NotFound, "no such room")}, "not_found"},
		"LiveKit had no room for it":        {nil, []error{never}, "too_late"},
		"its caller may ask LiveKit":        {nil, []error{back, never}, "handed_back"},
		"it was only looked for":            {func(in *egress.Input) { *in = in.OnlyLook() }, []error{never}, "handed_back"},
		"for a reason that is none of ours": {nil, []error{temporal.NewNonRetryableApplicationError("index out of range", "codec", nil)}, "internal"},
		"since it asks for nothing":         {func(in *egress.Input) { *in = egress.Input{} }, nil, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.started = func(context.Context, activities.StartRequest) (activities.Started, error) {
				err := tc.answers[0]
				tc.answers = tc.answers[1:]
				return activities.Started{}, err
			}
			in := plainInput(t)
			if tc.change != nil {
				tc.change(&in)
			}

			_, err := l.run(in)

			require.Error(t, err)
			require.Equal(t, []labels{{"outcome": tc.want}}, l.counted.of(workflows.MetricStarts))
		})
	}
}

func (l *life) lostForGood() { l.poll = l.alwaysMissing }

// alwaysMissing is LiveKit's answer where it does not know the egress.
func (l *life) alwaysMissing(activities.PollRequest) (egress.Look, error) {
	return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
}

// idle does not begin, though somebody publishes in its room.
func (l *life) idle() {
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		look, err := l.nothingNew(in)
		look.Idle = !in.Marked
		return look, err
	}
	l.webhook(time.Hour, egress.EventEnded, message(egressID, aborted))
}

func (l *life) runsLong() {
	l.stillActive()
	l.webhook(24*time.Hour, egress.EventEnded, message(egressID, complete))
}

func (l *life) twinned() {
	l.poll = l.nothingNew
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
	l.webhook(11*time.Second, egress.EventUpdated, part(2, ending, 11))
	l.webhook(time.Minute, egress.EventEnded, part(1, complete, 60))
}

// once is a life that is started again once.
func once(t *testing.T) *life {
	t.Helper()
	l, _ := recovering(t, 1)
	return l
}

func (l *life) endsTwice(first lk.EgressStatus) {
	l.webhook(10*time.Second, egress.EventEnded, part(1, first, 10))
	l.webhook(time.Minute, egress.EventEnded, part(2, complete, 60))
}

func (l *life) partIsBack() {
	l.poll = l.firstIsGone
	l.webhook(10*time.Minute, egress.EventEnded, part(1, complete, 600))
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))
}

func (l *life) isBack() {
	l.poll = l.alwaysMissing
	l.webhook(time.Hour, egress.EventEnded, at(complete, 3600, 0))
}

// robbed is a life whose media is gone from its store.
func robbed(t *testing.T) *life {
	t.Helper()
	return looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		return found(egress.MediaMissing, "file a is not there"), nil
	})
}

// unanswered is a life whose store does not answer.
func unanswered(t *testing.T) *life {
	t.Helper()
	return looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		if in.Behind {
			return activities.Verified{}, failure(egress.Invalid, "the store does not answer")
		}
		return activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, nil
	})
}

// backedUp ends with its media in LiveKit's backup storage. A person gives up the look at its store.
func (l *life) backedUp() {
	m := stored(egressID, complete)
	m.BackupStorageUsed = true
	l.webhook(5*time.Second, egress.EventEnded, m)
	l.at(time.Minute, func() { require.Len(l.t, l.counted.of(workflows.MetricMedia), 1, "before the store answers") })
	l.at(time.Hour, func() { l.update(egress.UpdateSkip, "skip", new(error), egress.StepVerify) })
}

func (l *life) preceded() {
	l.poll = l.nothingNew
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventEnded, part(2, failed, 5))
	l.webhook(time.Minute, egress.EventEnded, part(1, complete, 60))
}

// refused fails, and its next part is refused.
func (l *life) refused() {
	l.refusesInTheEnd(2)
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
}

// succeeded has another egress of the request take the place of the first part, since the next one is refused.
func (l *life) succeeded() {
	l.refused()
	l.webhook(21*time.Second, egress.EventEnded, part(3, complete, 21))
}
