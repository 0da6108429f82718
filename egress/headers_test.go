package egress_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatAnAnnouncementSaysBesideLiveKitsOwn(t *testing.T) {
	t.Parallel()
	with := func(change func(*egress.State)) *egress.State {
		s := ended(t, egress.FromWebhook)
		s.Part = 1
		change(s)
		return s
	}
	plain := func() map[string]string {
		return map[string]string{
			"X-Reelkeeper-Request-Id": "req-1", "X-Reelkeeper-Verdict": "EGRESS_FAILED", "X-Reelkeeper-Source": "webhook",
			"X-Reelkeeper-Lag": "120.000", "X-Reelkeeper-Media": "unchecked",
		}
	}
	for name, tc := range map[string]struct {
		state *egress.State
		also  map[string]string
	}{
		"told by LiveKit":      {with(func(*egress.State) {}), nil},
		"late":                 {with(func(s *egress.State) { s.NewsAt = s.NewsAt.Add(90*time.Second + 1234*time.Microsecond) }), map[string]string{"X-Reelkeeper-Lag": "210.001"}},
		"before it had ended":  {with(func(s *egress.State) { s.NewsAt = s.NewsAt.Add(-time.Hour) }), map[string]string{"X-Reelkeeper-Lag": "0.000"}},
		"missed":               {with(func(s *egress.State) { s.EndedBy, s.MissedWhy = egress.FromPoll, egress.MissedDown }), map[string]string{"X-Reelkeeper-Source": "poll", "X-Reelkeeper-Missed": "endpoint_down"}},
		"lost":                 {with(func(s *egress.State) { s.Status, s.EndedBy = egress.Lost, egress.FromTimeout }), map[string]string{"X-Reelkeeper-Verdict": "LOST", "X-Reelkeeper-Source": "timeout", "X-Reelkeeper-Missed": "never_tried", "X-Reelkeeper-Lag": ""}},
		"media missing":        {with(func(s *egress.State) { s.Media = &egress.MediaReport{Media: egress.MediaMissing} }), map[string]string{"X-Reelkeeper-Media": "missing"}},
		"a correction":         {with(func(s *egress.State) { s.Corrects = egress.Lost }), map[string]string{"X-Reelkeeper-Corrects": "LOST"}},
		"a second part":        {with(func(s *egress.State) { s.Part = 2 }), map[string]string{"X-Reelkeeper-Part": "2"}},
		"a first part of many": {with(func(s *egress.State) { s.Recover = 1 }), map[string]string{"X-Reelkeeper-Part": "1"}},
		"a newer LiveKit's":    {with(func(s *egress.State) { s.Status = "EGRESS_\r\nX: ü" }), map[string]string{"X-Reelkeeper-Verdict": "EGRESS_X: "}},
		"and its correction":   {with(func(s *egress.State) { s.Corrects = "A\nB~\x7f" }), map[string]string{"X-Reelkeeper-Corrects": "AB~"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := plain()
			maps.Copy(want, tc.also)
			maps.DeleteFunc(want, func(_, value string) bool { return value == "" })
			require.Equal(t, want, tc.state.Headers("req-1"))
		})
	}
}
