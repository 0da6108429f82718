package activities

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestSoManyDestinationsAreRememberedAtMostAndTheLastAmongThem(t *testing.T) {
	t.Parallel()
	p := &Preflight{seen: map[string]tried{}}
	for n := range 2 * cachedMost {
		digest := strconv.Itoa(n)
		p.remember(digest, tried{found: egress.ProbeGood, at: time.Now()})
		_, known := p.lately(digest)
		require.True(t, known)
		require.LessOrEqual(t, len(p.seen), cachedMost)
	}

	for digest, v := range p.seen {
		v.at = v.at.Add(-goodFor)
		p.seen[digest] = v
	}
	p.remember("new", tried{found: egress.ProbeGood, at: time.Now()})
	require.Len(t, p.seen, 1, "what counts no more goes first")
}

// The start saw nothing of it: its budget was spent, and the answer not yet passed on.
func TestATryThatEndedMeanwhileCountsMoreThanThatItWasSlow(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	for ended, want := range map[time.Duration]egress.Probed{time.Millisecond: egress.ProbeKnown, -time.Millisecond: egress.ProbeSlow} {
		p := &Preflight{seen: map[string]tried{}}
		p.remember("a bucket", tried{found: egress.ProbeGood, at: began.Add(ended)})
		got := p.await(over, nil, target{digest: "a bucket"}, began)
		require.Equal(t, egress.ProbeSlow, got.found)
		known, ok := p.lately("a bucket")
		require.True(t, ok)
		require.Equal(t, want, known.found, ended)
	}
}
