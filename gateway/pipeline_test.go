package gateway_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestAStartNamesItsPipelineByAHeader(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, header := range [][]string{nil, {"X-Reelkeeper-Pipeline", "archive"}} {
		infoIn(t, b.call(t, "StartWebEgress", `{}`, header...))
	}
	require.Empty(t, b.recordings.starts[0].Pipeline)
	require.Equal(t, "archive", b.recordings.starts[1].Pipeline)
}

func TestABadNameOfAPipelineIsRefusedByItsHeader(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	w := b.call(t, "StartWebEgress", `{}`, "X-Reelkeeper-Pipeline", "a/b")
	require.Equal(t, refusal{"invalid_argument", `X-Reelkeeper-Pipeline: want 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit, got "a/b"`}, refusalIn(t, w))
	require.Empty(t, b.recordings.starts)
}

// A start past Temporal is adopted later, and only its webhook's URL carries its pipeline.
func TestAStartThatFailsOpenTakesItsPipelineWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		infoIn(t, b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-7", "X-Reelkeeper-Pipeline", "archive"))
		require.Equal(t, ours("call-7").GetUrl()+"?p=archive", b.liveKit.started()[0].GetWebhooks()[0].GetUrl())
	})
}
