package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// answered returns an egress that ended at noon, as LiveKit's answer to a stop says, for a
// consumer that is told only what LiveKit did not tell.
func answered(t *testing.T, by egress.Source) *egress.State {
	t.Helper()
	s := ended(t, by)
	s.NewsAt, s.MissedOnly, s.Steps = noon, true, []string{egress.StepAnnounce, egress.WebhookStep(0)}
	return s
}

func TestAWebhookIsDueWhereLiveKitSaidTheEndInAnAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		by     egress.Source
		change func(*egress.State)
		want   time.Time
	}{
		"to a stop":             {egress.FromStop, func(*egress.State) {}, noon.Add(70 * time.Second)},
		"to a start":            {egress.FromStart, func(*egress.State) {}, noon.Add(70 * time.Second)},
		"to a look":             {egress.FromPoll, func(*egress.State) {}, time.Time{}},
		"in the webhook":        {egress.FromWebhook, func(*egress.State) {}, time.Time{}},
		"told of all":           {egress.FromStop, func(s *egress.State) { s.MissedOnly = false }, time.Time{}},
		"nobody to be told":     {egress.FromStop, func(s *egress.State) { s.Steps = s.Steps[1:] }, time.Time{}},
		"it had ended long ago": {egress.FromStop, func(s *egress.State) { s.NewsAt = noon.Add(2 * minute) }, time.Time{}},
		"it has come":           {egress.FromStop, func(s *egress.State) { s.Event = []byte("{}") }, time.Time{}},
		"it is told":            {egress.FromStop, func(s *egress.State) { s.Phase = egress.Delivered }, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answered(t, tc.by)
			tc.change(s)
			require.Equal(t, tc.want, s.WebhookDue())
		})
	}
}

func TestAWebhookThatIsOverdueIsMissedAndItsConsumerIsTold(t *testing.T) {
	t.Parallel()
	s := answered(t, egress.FromStop)
	require.False(t, s.Needs(egress.StepAnnounce))

	s.WebhookMissed()

	require.Zero(t, s.WebhookDue())
	require.True(t, s.Needs(egress.StepAnnounce))
	v := s.Verdict("r", egress.Summary{})
	require.Equal(t, egress.MissedUnclassified, v.Missed)
	require.Equal(t, "LiveKit said the end in an answer to us, and its webhook did not come within 1m10s", v.MissedBecause)
}

func TestAWebhookThatComesInTimeIsNotMissedAndItsEventIsLiveKits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.State, *egress.Observation)
		want   string
	}{
		"in time":               {func(*egress.State, *egress.Observation) {}, `{"id":"EV_1"}`},
		"once the end was told": {func(s *egress.State, _ *egress.Observation) { s.Phase = egress.Delivered }, ""},
		"after another one": {func(s *egress.State, _ *egress.Observation) {
			s.EndedBy, s.Event = egress.FromWebhook, []byte(`{"id":"EV_0"}`)
		}, `{"id":"EV_0"}`},
		"of the way to it":         {func(_ *egress.State, o *egress.Observation) { o.Final = false }, ""},
		"by the reconciler":        {func(_ *egress.State, o *egress.Observation) { o.Source = egress.FromReconcile }, ""},
		"where it counts as lost":  {func(s *egress.State, _ *egress.Observation) { s.WebhookMissed() }, ""},
		"of an earlier run":        {func(s *egress.State, _ *egress.Observation) { s.Latest = infoAt(t, failed, noon.UnixNano(), 1) }, ""},
		"of another end":           {func(_ *egress.State, o *egress.Observation) { o.Info = infoAt(t, complete, 20, 0) }, ""},
		"where a look had the end": {func(s *egress.State, _ *egress.Observation) { s.EndedBy = egress.FromPoll }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answered(t, egress.FromStop)
			o := egress.Observation{
				Info: infoOf(t, "EG_1", livekit.EgressStatus_EGRESS_FAILED), Source: egress.FromWebhook, Final: true,
				HeardAt: noon.Add(time.Second), Event: []byte(`{"id":"EV_1"}`),
			}
			tc.change(s, &o)

			require.Equal(t, egress.NoNews, s.Observe(o))

			require.Equal(t, tc.want, string(s.Event))
			if tc.want != "" {
				require.Zero(t, s.WebhookDue())
			}
		})
	}
}

// LiveKit repeats a webhook for up to 65 s, and by then a later run may have ended.
func TestAWebhookOfAnEarlierRunIsNotTheMissedOneThatCameLate(t *testing.T) {
	t.Parallel()
	for run, want := range map[int32]egress.Missed{0: egress.MissedUnclassified, 1: egress.MissedLate} {
		s := ended(t, egress.FromPoll)
		s.Latest = infoAt(t, failed, 20, 1)
		o := observed(infoAt(t, failed, 20, run), time.Second)
		o.Final = true

		require.Equal(t, egress.NoNews, s.Observe(o))

		require.Equal(t, want, s.Verdict("r", egress.Summary{}).Missed, "of run %d", run)
	}
}
