package egress_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheEndOfAnEgressIsTheObservationThatSettledIt(t *testing.T) {
	t.Parallel()
	s := recording(t)
	o := observed(infoAt(t, complete, 20, 0), minute)
	o.Final, o.Event = true, json.RawMessage(`{"event":"egress_ended"}`)
	s.Observe(o)
	require.Equal(t, o, s.End())
}

// toldParts returns a recording of two parts, with the first one changed by change.
func toldParts(change func(*egress.Part)) egress.State {
	p := egress.Part{Number: 1, EgressID: "EG_1", Status: "EGRESS_FAILED", EndedBy: egress.FromPoll, EndedAt: noon, HeardAt: noon.Add(minute)}
	change(&p)
	return egress.State{Phase: egress.Settled, Part: 2, ID: "EG_2", Shared: egress.Shared{Parts: []egress.Part{p}}}
}

func TestAnEarlierPartIsToldAgainWithTheEvidenceThatItWasToldWith(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(*egress.Part)
		missed  egress.Missed
		because string
	}{
		"why its webhook was missed": {func(p *egress.Part) { p.Missed, p.MissedBecause = egress.MissedLate, "it came after 40 s" }, egress.MissedLate, "it came after 40 s"},
		"nobody found out":           {func(p *egress.Part) { p.Missed = egress.MissedUnclassified }, egress.MissedUnclassified, ""},
		"LiveKit no longer knew it": {func(p *egress.Part) {
			p.Status, p.EndedBy, p.Missed = egress.Lost, egress.FromTimeout, egress.MissedUnclassified
		}, egress.MissedUnclassified, "LiveKit no longer knows the egress"},
		"LiveKit never called it ended": {func(p *egress.Part) {
			p.Status, p.EndedBy, p.Missed = egress.Lost, egress.FromTimeout, egress.MissedUntried
		}, egress.MissedUntried, "LiveKit has never called it ended, so it had nothing to send"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := toldParts(tc.change)
			v := s.Before()[0].Verdict("r", egress.Summary{})
			require.Equal(t, tc.missed, v.Missed)
			require.Equal(t, tc.because, v.MissedBecause)
		})
	}
}

func TestNothingSpeaksForTheLossOfAnEarlierPartThatEnded(t *testing.T) {
	t.Parallel()
	s := toldParts(func(p *egress.Part) { p.Missed = egress.MissedUnclassified })
	require.Zero(t, s.Before()[0].Evidence)
}

func TestAnEarlierPartThatIsToldAgainIsNoEarlyEnd(t *testing.T) {
	t.Parallel()
	s := toldParts(func(p *egress.Part) { p.Info = infoAt(t, failed, 20, 0) })
	past := s.Before()[0]
	require.True(t, past.Started)
	require.False(t, past.Early(), "its start was answered long ago, and nothing is waited for")
}

func TestAnEarlierPartOfAnOlderVersionWasHeardOfWhenItEnded(t *testing.T) {
	t.Parallel()
	old := toldParts(func(p *egress.Part) { *p = egress.Part{Number: 1, EgressID: "EG_1", EndedAt: noon} })
	v := old.Before()[0].Verdict("r", egress.Summary{})
	require.Equal(t, noon, v.HeardAt)
	require.Zero(t, v.Late)
	kept := toldParts(func(*egress.Part) {})
	require.Equal(t, noon.Add(minute), kept.Before()[0].NewsAt)
}
