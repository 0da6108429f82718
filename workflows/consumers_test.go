package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// piped lets the egress begin with consumers of a pipeline.
func (l *life) piped(consumers ...egress.Consumer) {
	l.start = func(context.Context) (activities.Started, error) {
		t := terms()
		t.Pipeline = egress.Pipeline{Name: "default", Consumers: consumers}
		return activities.Started{Info: info(l.t, starting), Terms: t}, nil
	}
}

// reached is who was asked, of the pipeline's consumers.
func (l *life) reached() map[string]int {
	names := map[string]int{}
	for _, in := range l.asked {
		if in.Consumer != nil {
			names[in.Consumer.Name]++
		}
	}
	return names
}

func down(delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("the consumer answered 503 Service Unavailable", string(egress.ConsumerFailed),
		temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

func TestThePipelinesConsumersAreToldOfTheEndsThatTheyWant(t *testing.T) {
	t.Parallel()
	archive := egress.Consumer{Name: "archive", URL: "https://archive.example.com/hook", Key: "theirs", When: []egress.Status{"EGRESS_COMPLETE"}}
	l := newLife(t)
	l.lived()
	l.piped(archive, egress.Consumer{Name: "search", URL: "https://s.example.com"},
		egress.Consumer{Name: "alarm", URL: "https://alarm.example.com", When: []egress.Status{"EGRESS_FAILED", egress.Lost}})

	v := l.mustRun(hooked(t, "https://a.example.com/hook"))

	require.Equal(t, map[string]int{"archive": 1, "search": 1}, l.reached())
	require.ElementsMatch(t, []string{"announce", "webhook-1", "announce-archive", "announce-search"}, v.Delivered)
	for _, in := range l.asked {
		if in.Consumer != nil && in.Consumer.Name == "archive" {
			require.Equal(t, archive, *in.Consumer)
			require.Equal(t, l.announced[0].Raw(), in.Event.Raw(), "all are told the same")
		}
	}
}

// What was lost has failed, and then LiveKit runs it again to a good end.
func TestAConsumerThatWasToldOfALossIsToldOfEachCorrection(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.piped(egress.Consumer{Name: "alarm", URL: "https://alarm.example.com", When: []egress.Status{egress.Lost}})
	begin := l.start
	l.start = func(ctx context.Context) (activities.Started, error) {
		s, err := begin(ctx)
		s.Terms.Policy.CorrectFor = egress.DefaultPolicy().CorrectFor
		return s, err
	}
	l.poll = l.firstIsGone
	l.webhook(30*time.Minute, egress.EventEnded, at(failed, 1800, 0))
	l.webhook(40*time.Minute, egress.EventEnded, at(complete, 2400, 1))

	l.mustRun(plainInput(t))

	var verdicts []string
	for _, in := range l.asked {
		if in.Consumer != nil {
			verdicts = append(verdicts, in.Headers[egress.HeaderVerdict])
		}
	}
	require.Equal(t, []string{"LOST", "EGRESS_FAILED", "EGRESS_COMPLETE"}, verdicts)
}

func TestAConsumerOfThePipelineThatIsDownForTwoDaysHoldsUpNobodyAndIsToldInTheEnd(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	l.piped(egress.Consumer{Name: "down", URL: "https://down.example.com"}, egress.Consumer{Name: "well", URL: "https://well.example.com"})
	back := l.began.Add(48 * time.Hour)
	l.announceTo = func(in activities.Announcement) error {
		if in.Consumer.Name == "down" && l.Now().Before(back) {
			return down(6 * time.Hour)
		}
		return nil
	}
	l.at(time.Minute, func() {
		require.ElementsMatch(t, []string{"announce", "announce-well", "webhook-1"}, l.state().Done)
		require.Empty(t, l.state().Stuck)
	})

	v := l.mustRun(hooked(t, "https://a.example.com/hook"))

	require.Contains(t, v.Delivered, "announce-down")
	require.GreaterOrEqual(t, l.took(), 48*time.Hour)
	require.Equal(t, 1, l.reached()["well"])
	ids := map[string]bool{}
	for _, in := range l.asked {
		ids[in.Event.Proto().GetId()] = true
	}
	require.Len(t, ids, 1, "whoever is told, and however often")
}

func TestAStepOfThePipelineThatFailedForGoodWaitsForAPerson(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	l.piped(egress.Consumer{Name: "archive", URL: "https://a.example.com", Key: "rotated"})
	broken, told := true, error(nil)
	l.announceTo = func(activities.Announcement) error {
		if broken {
			return failure(egress.Invalid, "no key rotated")
		}
		return nil
	}
	l.at(time.Hour, func() {
		require.Contains(t, l.state().Stuck, "step announce-archive failed for good")
		broken = false
		l.update(egress.UpdateRetry, "retry", &told, "announce-archive")
	})

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Contains(t, v.Delivered, "announce-archive")
}

// The first try is an activity of its own, so that what it was told about the next one
// has to be handed on.
func TestTheSecondTryIsPutOffAsTheFirstOneWanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failed  error
		putOff  time.Duration
		because string
	}{
		"it said when":         {down(10 * time.Minute), 10 * time.Minute, "the consumer answered 503 Service Unavailable"},
		"its attempt has died": {temporal.NewTimeoutError(0, nil), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.lived()
			l.announce = func(egress.Event) error {
				if len(l.asked) == 1 {
					return tc.failed
				}
				return nil
			}

			l.mustRun(plainInput(t))

			require.Len(t, l.asked, 2)
			require.Zero(t, l.asked[0].PutOff)
			require.Equal(t, tc.putOff, l.asked[1].PutOff.D())
			require.Equal(t, tc.because, l.asked[1].Because)
		})
	}
}

func TestWhoIsToldHearsWhatLiveKitHasNoWordFor(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	var theirs []map[string]string
	l.tell = func(in activities.TellRequest) error {
		theirs = append(theirs, in.Headers)
		return nil
	}
	l.piped(egress.Consumer{Name: "archive", URL: "https://a.example.com"})

	v := l.mustRun(hooked(t, "https://a.example.com/hook")) // no webhook comes

	want := map[string]string{
		"X-Reelkeeper-Request-Id": requestID, "X-Reelkeeper-Verdict": "EGRESS_COMPLETE", "X-Reelkeeper-Source": "poll",
		"X-Reelkeeper-Media": "unchecked", "X-Reelkeeper-Missed": "unclassified",
		"X-Reelkeeper-Lag": l.asked[0].Headers["X-Reelkeeper-Lag"],
	}
	require.Regexp(t, `^\d+\.\d{3}$`, want["X-Reelkeeper-Lag"])
	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.Len(t, l.asked, 2)
	for _, in := range l.asked {
		require.Equal(t, want, in.Headers)
	}
	require.Equal(t, []map[string]string{want}, theirs)
}
