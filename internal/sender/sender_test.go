package sender_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/webhook"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/sender"
)

const key, secret = "devkey", "CANARY, a secret of 32 characters"

func TestLiveKitsOwnReceiverTakesTheRequest(t *testing.T) {
	t.Parallel()
	req, err := sender.Request(t.Context(), "http://127.0.0.1/hook", key, secret, []byte(`{"event":"egress_ended","id":"EV_1"}`))
	require.NoError(t, err)
	require.Equal(t, http.MethodPost, req.Method)
	require.Equal(t, "LiveKit", req.Header.Get("User-Agent"))
	require.Equal(t, "application/webhook+json", req.Header.Get("Content-Type"))

	token, err := auth.ParseAPIToken(req.Header.Get("Authorization"))
	require.NoError(t, err)
	claims, _, err := token.Verify(secret)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(5*time.Minute), claims.ExpiresAt.Time, 10*time.Second)

	e, err := webhook.ReceiveWebhookEvent(req, auth.NewSimpleKeyProvider(key, secret))
	require.NoError(t, err)
	require.Equal(t, "EV_1", e.GetId())
}

func TestTheTokenIsOfThisBodyAlone(t *testing.T) {
	t.Parallel()
	req, err := sender.Request(t.Context(), "http://127.0.0.1/hook", key, secret, []byte(`{"id":"EV_1"}`))
	require.NoError(t, err)
	other := httptest.NewRequest(http.MethodPost, "/hook", http.NoBody)
	other.Header = req.Header
	_, err = webhook.Receive(other, auth.NewSimpleKeyProvider(key, secret))
	require.ErrorIs(t, err, webhook.ErrInvalidChecksum)
}

func TestNoErrorShowsTheURLOrTheSecret(t *testing.T) {
	t.Parallel()
	_, err := sender.Request(t.Context(), "http://a b/CANARY", key, secret, nil)
	require.ErrorIs(t, err, sender.ErrURL)
	require.NotContains(t, err.Error(), "CANARY")
	for _, pair := range [][2]string{{"", secret}, {key, ""}} {
		_, err = sender.Request(t.Context(), "http://127.0.0.1/CANARY", pair[0], pair[1], nil)
		require.ErrorIs(t, err, auth.ErrKeysMissing)
		require.NotContains(t, err.Error(), "CANARY")
	}
}
