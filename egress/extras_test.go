package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatWasAskedForWithAStartIsInTheURLOfOurWebhook(t *testing.T) {
	t.Parallel()
	const ours = "https://r.example/webhooks/livekit/r/1/mac"
	for url, want := range map[string]egress.Extras{
		ours:                                   {RequestID: "r"},
		ours + "?p=archive":                    {RequestID: "r", Pipeline: "archive"},
		ours + "?d=1h30m0s&p=archive&w=sealed": {RequestID: "r", Pipeline: "archive", MaxDuration: egress.Duration(90 * time.Minute), Webhooks: "sealed"},
	} {
		require.Equal(t, url, want.In(ours))
		require.Equal(t, want, extrasOf(url), url)
	}
	for url, want := range map[string]egress.Extras{
		ours + "?p=a%2Fb":                       {RequestID: "r"},
		ours + "?p=archive;x=%g":                {RequestID: "r"},
		ours + "?d=-1h":                         {RequestID: "r"},
		ours + "?d=90":                          {RequestID: "r"},
		"https://theirs.example/hook?p=archive": {},
	} {
		require.Equal(t, want, extrasOf(url), url)
	}
	require.Empty(t, egress.ExtrasOf(&livekit.EgressInfo{}, anybodys))
}

// extrasOf returns the extras of a request that has this webhook beside the caller's own.
func extrasOf(url string) egress.Extras {
	hooks := []*livekit.WebhookConfig{{Url: "https://a.example?p=theirs"}, {Url: url}}
	return egress.ExtrasOf(&livekit.EgressInfo{Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: hooks}}}, anybodys)
}
