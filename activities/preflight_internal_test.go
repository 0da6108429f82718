package activities

import (
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
