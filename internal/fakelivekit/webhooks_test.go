package fakelivekit_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// hooked starts an egress with per-request webhooks, and waits until it is active.
func (f *fake) hooked(room string, hooks ...*livekit.WebhookConfig) string {
	f.Helper()
	req := person(room)
	req.Webhooks = hooks
	info, err := f.egress.StartParticipantEgress(f.Context(), req)
	require.NoError(f, err)
	return info.EgressId
}

func TestEveryURLGetsTheSameEventIDs(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) {
		cfg.WebhookURLs = append(cfg.WebhookURLs, cfg.WebhookURLs[0]+"2")
	})
	f.room("daily", fakelivekit.RoomScript{})
	id := f.hooked("daily", &livekit.WebhookConfig{Url: f.endpoint.URL + "/mine?token=1", SigningKey: otherKey})
	got := f.await(3, named(webhook.EventEgressStarted, id))
	var paths []string
	for _, r := range got {
		paths = append(paths, r.path)
		require.Equal(t, got[0].Id, r.Id, r.path)
	}
	require.ElementsMatch(t, []string{"/mine?token=1", "/project", "/project2"}, paths)
}

func TestPerRequestWebhooksComeInOrderUpToAnUnknownKey(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	hook := func(path, key string) *livekit.WebhookConfig {
		return &livekit.WebhookConfig{Url: f.endpoint.URL + path, SigningKey: key}
	}
	id := f.hooked("daily", hook("/first", apiKey), hook("/second", ""), hook("/third", "APIunknown"), hook("/fourth", apiKey))
	f.active(id)
	f.deleteRoom("daily")
	f.await(3, named(webhook.EventEgressEnded, id))
	var paths []string
	got, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo != nil && r.path != "/project" })
	for _, r := range got {
		paths = append(paths, r.path)
	}
	require.Equal(t, []string{"/first", "/second", "/first", "/second", "/first", "/second", "/first", "/second"}, paths)
}

func TestWebhooksNeedNoProjectURL(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.WebhookURLs = nil })
	f.room("daily", fakelivekit.RoomScript{})
	f.active(f.hooked("daily", &livekit.WebhookConfig{Url: f.endpoint.URL + "/mine"}))
}

func TestEgressStartedComesBeforeTheReply(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	const lead = 270 * time.Millisecond // a reply waits no longer, so one that took longer shows nothing
	for judged, deadline := 0, time.Now().Add(patience); judged < 5; {
		begun := time.Now()
		id := f.record("daily")
		took := time.Since(begun)
		got, _ := f.endpoint.all(named(webhook.EventEgressStarted, id))
		switch {
		case took < lead && len(got) != 1:
			t.Errorf("%s: %d before the reply, which took %v", id, len(got), took)
			fallthrough
		case took < lead:
			judged++
		case time.Now().After(deadline):
			t.Fatalf("%d replies came within %v", judged, lead)
		}
	}
}

func TestLiveKitRetriesWith5xxOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ status, attempts int }{
		{http.StatusServiceUnavailable, 5}, {http.StatusInternalServerError, 5}, {http.StatusTooManyRequests, 5},
		{http.StatusNotFound, 1}, {http.StatusUnauthorized, 1}, {http.StatusNotImplemented, 1}, {http.StatusOK, 1},
	} {
		t.Run(http.StatusText(c.status), func(t *testing.T) {
			t.Parallel()
			f := start(t, func(cfg *fakelivekit.Config) {
				cfg.Timings.WebhookRetryMin, cfg.Timings.WebhookRetryMax = time.Millisecond, 2*time.Millisecond
			})
			f.endpoint.answers(func(received) int { return c.status })
			f.room("daily", fakelivekit.RoomScript{Empty: true})
			f.await(c.attempts, named(webhook.EventRoomStarted, ""))
			f.waitUntil("the outcome", func() bool {
				n := f.Deliveries()[webhook.EventRoomStarted]
				return n.Sent+n.Failed == 1
			})
			got, _ := f.endpoint.all(named(webhook.EventRoomStarted, ""))
			n := f.Deliveries()[webhook.EventRoomStarted]
			require.Len(t, got, c.attempts)
			require.Equal(t, c.attempts > 1, n.Failed == 1, "it gave up")
		})
	}
}

func TestAReplyDoesNotWaitForADeadEndpoint(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	f := start(t, nil)
	f.endpoint.answers(func(received) int { <-release; return http.StatusOK })
	t.Cleanup(func() { close(release) })
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.waitUntil("active", func() bool { return f.listed(id).Status == livekit.EgressStatus_EGRESS_ACTIVE })
}

func TestRoomsCarryTheirTurnPassword(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	got := f.await(1, named(webhook.EventRoomStarted, ""))[0]
	require.GreaterOrEqual(t, len(got.Room.TurnPassword), 40)
}
