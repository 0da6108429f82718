package webhook_test

import (
	"context"
	"errors"
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

// Visibility may show an adopted egress only minutes later, or not answer at all.
func TestAStrayThatVisibilityDoesNotShowIsFoundByItsName(t *testing.T) {
	t.Parallel()
	const id = "EG_stray"
	ended := egressEvent(egress.EventEnded, id, "https://example.com/hook")
	for name, tc := range map[string]struct {
		path          string
		answer, adopt error
		reason        webhook.Reason
	}{
		"that runs":                     {project, nil, nil, webhook.LookedUp},
		"where the URL's MAC is wrong":  {project + "/req-1/1/xxx", nil, nil, webhook.WrongMAC},
		"that has failed: adopted anew": {project, errClosed, nil, webhook.Adopted},
		"that has completed":            {project, errClosed, errOver, webhook.Late},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.strays, b.temporal.find = []string{id}, errors.New("no connection")
			b.temporal.answer, b.temporal.adopt = answers(map[string]error{"egress/" + id: tc.answer}), tc.adopt

			require.Equal(t, 200, b.post(t, tc.path, ended))

			require.Equal(t, []string{"egress/" + id}, b.temporal.workflows())
			b.became(t, tc.reason)
		})
	}
}

func TestAnEgressThatNobodyKnowsIsLoggedWithoutAWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Equal(t, 200, b.post(t, project, egressEvent(egress.EventEnded, "EG_unknown", "https://example.com/hook")))
	b.became(t, webhook.Unknown)
	require.NotContains(t, b.log.String(), "workflowID")
}

// What is no egress ID of LiveKit's names no request of ours.
func TestAnEventWithAnotherNameForItsEgressReachesNoRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Equal(t, 200, b.post(t, project, egressEvent(egress.EventEnded, "req-1", "https://example.com/hook")))
	require.Empty(t, b.temporal.taken())
	b.became(t, webhook.Unknown)
}
