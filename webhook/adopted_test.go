package webhook_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

func TestAnUnknownEgressIsAdoptedByTheTokenOfTheURLBeforeTheEchoedOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.temporal.answer = func(context.Context, string) error { return errUnknown }
	echoed := "https://reel.example.com" + b.path("req-2")

	require.Equal(t, 200, b.post(t, b.path("req-1"), egressEvent(egress.EventUpdated, "EG_new", echoed)))

	require.Equal(t, []string{"egress/req-1", "egress/req-2"}, b.temporal.workflows())
	require.Equal(t, []string{"req-1 by EV_1"}, b.temporal.adopted)
	b.became(t, webhook.Adopted)
}
