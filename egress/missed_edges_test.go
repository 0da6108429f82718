package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestALateWebhookIsAsLateAsItFirstCame(t *testing.T) {
	t.Parallel()
	s := ended(t, egress.FromPoll)
	for _, after := range []time.Duration{minute, time.Hour} {
		require.Equal(t, egress.NoNews, s.Observe(egress.Observation{
			Info: infoOf(t, "EG_1", failed), Final: true, Source: egress.FromWebhook, HeardAt: s.NewsAt.Add(after),
		}))
		require.Equal(t, egress.MissedLate, s.MissedWhy)
		require.Equal(t, "it came 1m0s after we had learned the end", s.MissedBecause)
	}
}

func TestAWebhookThatWasNotMissedIsNotLate(t *testing.T) {
	t.Parallel()
	lost := seen(t, active)
	lost.GiveUp(egress.FromReconcile, "why", noon)
	for name, s := range map[string]*egress.State{
		"of an end that LiveKit told us": ended(t, egress.FromWebhook), "of an egress that was given up": lost,
	} {
		before := *s
		s.Observe(egress.Observation{Info: infoOf(t, "EG_1", failed), Final: true, Source: egress.FromWebhook, HeardAt: noon.Add(day)})
		require.Equal(t, before, *s, name)
	}
}
