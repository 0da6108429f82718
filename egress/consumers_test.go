package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func piped(t *testing.T, consumers ...egress.Consumer) *egress.State {
	t.Helper()
	s := ended(t, egress.FromWebhook)
	s.Steps = []string{egress.StepAnnounce, egress.WebhookStep(0)}
	s.Pipeline.Consumers = consumers
	return s
}

func TestThePipelinesConsumersAreToldBesideTheOthers(t *testing.T) {
	t.Parallel()
	s := piped(t, egress.Consumer{Name: "archive"}, egress.Consumer{Name: "search"})
	require.Equal(t, []string{"announce", "webhook-1", "announce-archive", "announce-search"}, s.Tells())
	require.Equal(t, []string{"announce", "webhook-1"}, s.Steps, "which others read")
	require.Equal(t, []string{"announce", "webhook-1"}, piped(t).Tells())
}

func TestAStepIsThatOfTheConsumerWhoseNameItHas(t *testing.T) {
	t.Parallel()
	s := piped(t, egress.Consumer{Name: "archive", URL: "https://a"}, egress.Consumer{Name: "search", URL: "https://s"})
	require.Equal(t, "https://s", s.Pipeline.Consumer(egress.ConsumerStep("search")).URL)
	for _, step := range []string{egress.StepAnnounce, "announce-", "announce-other", "search", "webhook-1"} {
		require.Nil(t, s.Pipeline.Consumer(step), step)
	}
}

func TestAConsumerIsToldOfTheEndsThatItWants(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		when     []egress.Status
		end      egress.Status
		corrects egress.Status
		before   []egress.Status
		want     bool
	}{
		"all, where it names none":                   {nil, "EGRESS_COMPLETE", "", nil, true},
		"the one that it names":                      {[]egress.Status{"EGRESS_COMPLETE"}, "EGRESS_COMPLETE", "", nil, true},
		"one of those that it does":                  {[]egress.Status{"EGRESS_FAILED", egress.Lost}, egress.Lost, "", nil, true},
		"not another":                                {[]egress.Status{"EGRESS_FAILED", egress.Lost}, "EGRESS_COMPLETE", "", nil, false},
		"another that corrects one":                  {[]egress.Status{"EGRESS_FAILED", egress.Lost}, "EGRESS_COMPLETE", egress.Lost, nil, true},
		"not another that corrects another":          {[]egress.Status{"EGRESS_FAILED"}, "EGRESS_COMPLETE", egress.Lost, nil, false},
		"another that corrects what corrects one":    {[]egress.Status{egress.Lost}, "EGRESS_COMPLETE", "EGRESS_FAILED", []egress.Status{egress.Lost}, true},
		"another that corrects what corrects others": {[]egress.Status{"EGRESS_ABORTED"}, "EGRESS_COMPLETE", "EGRESS_FAILED", []egress.Status{egress.Lost}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := piped(t, egress.Consumer{Name: "archive", When: tc.when})
			s.Status, s.Corrects, s.ToldAs = tc.end, tc.corrects, tc.before
			require.Equal(t, tc.want, s.Needs("announce-archive"))
			s.MissedOnly = true
			require.Equal(t, tc.want, s.Needs("announce-archive"), "that is the setting of another consumer")
			require.True(t, s.Needs("webhook-1"))
		})
	}
}

func TestWhatThePipelinesConsumersWaitForIsSaid(t *testing.T) {
	t.Parallel()
	s := piped(t, egress.Consumer{Name: "archive"}, egress.Consumer{Name: "quiet", When: []egress.Status{egress.Lost}})
	s.Done = []string{egress.StepAnnounce}
	require.Contains(t, s.Details("req-1"), "Waits for delivery: webhook-1, announce-archive.")
}
