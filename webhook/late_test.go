package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

func TestTheWebhookOfAnEndThatComesTooLateIsNoted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event  string
		named  bool // by the token in the URL, or else by its egress ID
		answer error
		err    error
		reason webhook.Reason
		noted  []string
	}{
		"its workflow has closed":            {egress.EventEnded, true, errClosed, nil, webhook.Late, []string{"egress/req-1 by EV_1"}},
		"the workflow with its egress ID":    {egress.EventEnded, false, errClosed, nil, webhook.Late, []string{"egress/found by EV_1"}},
		"an event of the way says nothing":   {egress.EventUpdated, true, errClosed, nil, webhook.Late, nil},
		"its workflow runs":                  {egress.EventEnded, true, nil, nil, webhook.Accepted, nil},
		"its workflow has failed":            {egress.EventEnded, true, errClosed, nil, webhook.Adopted, nil},
		"Temporal does not take it just now": {egress.EventEnded, true, errClosed, errors.New("down"), webhook.TemporalFailed, []string{"egress/req-1 by EV_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.late = tc.err
			if tc.reason != webhook.Adopted {
				b.temporal.adopt = errOver
			}
			b.temporal.answer = func(context.Context, string) error { return tc.answer }
			path := project
			if tc.named {
				path = b.path("req-1")
			}
			status := http.StatusOK
			if tc.err != nil {
				status = http.StatusServiceUnavailable // LiveKit retries
			}

			require.Equal(t, status, b.post(t, path, egressEvent(tc.event, egressID, "https://example.com/hook")))

			require.Equal(t, tc.noted, b.temporal.noted)
			b.became(t, tc.reason)
		})
	}
}

// A consumer's URL may lead to us, or it may pass on what it gets: we are no witness of an end.
func TestOurOwnAnnouncementIsNoNews(t *testing.T) {
	t.Parallel()
	info, err := egress.NewInfo(&livekit.EgressInfo{EgressId: egressID, RoomName: room, Status: livekit.EgressStatus_EGRESS_COMPLETE, EndedAt: 7e9})
	require.NoError(t, err)
	complete := egress.Outcome{Status: info.StatusName()}
	for name, s := range map[string]egress.State{
		"a loss":       {ID: egressID, Latest: info, Outcome: egress.Outcome{Status: egress.Lost, LostBecause: "its worker died"}},
		"a missed end": {ID: egressID, Latest: info, Outcome: complete},
		"a correction": {ID: egressID, Latest: info, Outcome: complete, Corrects: egress.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event, err := s.Announcement()
			require.NoError(t, err)
			for _, path := range []string{project, newBench(t).path("req-1")} {
				b := newBench(t)
				require.Equal(t, http.StatusOK, b.post(t, path, string(event.Raw())))
				require.Empty(t, b.temporal.taken())
				require.Empty(t, b.temporal.noted)
				b.became(t, webhook.Ignored)
			}
		})
	}
}
