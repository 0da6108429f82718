package egress_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// life is what a real LiveKit's webhooks said of one egress, in order.
type life []egress.Observation

// recordedLives returns all egresses whose end is among the recorded webhooks.
func recordedLives(tb testing.TB) []life {
	tb.Helper()
	if testing.Short() {
		tb.Skip("hundreds of webhooks are read")
	}
	f, err := os.Open("../webhook/testdata/recorded.jsonl.gz")
	require.NoError(tb, err)
	defer func() { require.NoError(tb, f.Close()) }()
	z, err := gzip.NewReader(f)
	require.NoError(tb, err)
	byID := map[string]life{}
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var line struct {
			Body string `json:"body"`
		}
		require.NoError(tb, json.Unmarshal(lines.Bytes(), &line))
		e, err := egress.ParseEvent([]byte(line.Body))
		require.NoError(tb, err)
		if id := e.Proto().GetEgressInfo().GetEgressId(); id != "" {
			o, err := egress.ObserveEvent(e, noon)
			require.NoError(tb, err)
			byID[id] = append(byID[id], o)
		}
	}
	maps.DeleteFunc(byID, func(_ string, l life) bool { return len(l.ends()) == 0 })
	var all []life
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, byID[id])
	}
	return all
}

// ends returns the EgressInfos with which it ended: several if it ran twice.
func (l life) ends() []string {
	var all []string
	for _, o := range l {
		if raw := string(o.Info.Raw()); o.Final && !slices.Contains(all, raw) {
			all = append(all, raw)
		}
	}
	return all
}

// told returns the verdict after hearing these webhooks of a life, and then all of them in order.
func (l life) told(tb testing.TB, heard []int) egress.Verdict {
	tb.Helper()
	s := &egress.State{Phase: egress.Requested, Terms: egress.Terms{Policy: egress.DefaultPolicy()}}
	over := 0
	hear := func(n int) {
		if s.Observe(l[n]) == egress.Moved && s.Phase == egress.Settled {
			over++
		}
	}
	for _, n := range heard {
		hear(n)
	}
	for n := range l {
		hear(n)
	}
	if s.Phase == egress.Held { // it failed in a live room, and nothing follows
		s.Settle()
		over++
	}
	require.Equal(tb, 1, over, "it ends once")
	v := s.Verdict("req-1", egress.Summary{})
	require.Contains(tb, l.ends(), string(v.Info.Raw()), "as one of its ends said")
	return v
}

func TestAnyOrderAndRepetitionOfALifesWebhooksGivesTheSameVerdict(t *testing.T) {
	t.Parallel()
	lives := recordedLives(t)
	require.Greater(t, len(lives), 50)
	random := rand.New(rand.NewPCG(1, 2))
	for _, l := range lives {
		want := l.told(t, nil)
		for range 10 {
			heard := make([]int, random.IntN(3*len(l)))
			for n := range heard {
				heard[n] = random.IntN(len(l))
			}
			got := l.told(t, heard)
			if len(l.ends()) == 1 { // of two ends, the first one heard counts
				require.Equal(t, want, got, "heard in the order %v", heard)
			}
		}
	}
}

// FuzzAnyOrderGivesTheSameVerdict takes a recorded life and the order in which its webhooks come.
func FuzzAnyOrderGivesTheSameVerdict(f *testing.F) {
	lives := recordedLives(f)
	f.Add(uint16(0), []byte{2, 1, 0})
	f.Add(uint16(7), []byte{0, 0, 3, 1, 1})
	f.Fuzz(func(t *testing.T, which uint16, order []byte) {
		l := lives[int(which)%len(lives)]
		heard := make([]int, len(order))
		for n, o := range order {
			heard[n] = int(o) % len(l)
		}
		if got := l.told(t, heard); len(l.ends()) == 1 {
			require.Equal(t, l.told(t, nil), got)
		}
	})
}
