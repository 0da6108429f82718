package egress_test

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// anything returns what LiveKit may say of EG_1 after some seconds: of whichever run, through
// whichever way, and of a moment that may be past.
func anything(tb testing.TB, r *rand.Rand, second int) egress.Observation {
	tb.Helper()
	statuses := []livekit.EgressStatus{starting, active, ending, complete, failed, aborted, limited}
	at := noon.Add(time.Duration(r.IntN(second+1)) * time.Second)
	i := infoAt(tb, statuses[r.IntN(len(statuses))], at.UnixNano(), r.Int32N(2))
	by := []egress.Source{egress.FromWebhook, egress.FromPoll, egress.FromReconcile, egress.FromStop}[r.IntN(4)]
	o := egress.Observation{Info: i, Source: by, HeardAt: noon.Add(time.Duration(second) * time.Second)}
	if by == egress.FromWebhook && i.Ended() {
		body, err := json.Marshal(map[string]any{"event": egress.EventEnded, "id": "EV_" + strconv.Itoa(second), "egressInfo": i})
		require.NoError(tb, err)
		ev, err := egress.ParseEvent(body)
		require.NoError(tb, err)
		o, err = egress.ObserveEvent(ev, o.HeardAt)
		require.NoError(tb, err)
	}
	return o
}

func TestWhateverIsHeardAConsumerIsToldWhatTheVerdictSays(t *testing.T) {
	t.Parallel()
	told := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := recording(t)
		for second := range 12 {
			s.Observe(anything(t, r, second))
			if s.Phase == egress.Held && r.IntN(3) == 0 {
				s.Settle()
			}
			if s.Phase == egress.Watching && r.IntN(4) == 0 {
				s.StopAsked(nil, noon.Add(time.Duration(second)*time.Second))
			}
			if s.Phase != egress.Settled {
				continue
			}
			said, err := s.Announcement()
			require.NoError(t, err)
			info, err := said.Info()
			require.NoError(t, err)
			require.Equal(t, s.Status, info.StatusName(), "seed %d, second %d", seed, second)
			told++
			if r.IntN(2) == 0 {
				s.Phase = egress.Delivered // and perhaps corrected
			}
		}
	}
	require.Greater(t, told, 5_000)
}
