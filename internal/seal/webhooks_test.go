package seal_test

import (
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

func TestWebhooksOfACallerAreSealedForTheirRequestAlone(t *testing.T) {
	t.Parallel()
	old, err := seal.New(seal.Config{Secret: "an old secret of LiveKit's own"})
	require.NoError(t, err)
	rotated, err := seal.New(seal.Config{Secret: "a new secret of LiveKit's own", Previous: []string{"an old secret of LiveKit's own"}})
	require.NoError(t, err)
	other, err := seal.New(seal.Config{Secret: "another secret altogether"})
	require.NoError(t, err)
	hooks := []*livekit.WebhookConfig{{Url: "https://a.example.com/?key=CANARY", SigningKey: "k"}, {Url: "https://b.example.com"}}

	sealed, err := old.SealWebhooks("req-1", hooks)
	require.NoError(t, err)
	require.NotContains(t, sealed, "CANARY")
	for _, keys := range []*seal.Keys{old, rotated} {
		got, err := keys.OpenWebhooks("req-1", sealed)
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, hooks[0].String(), got[0].String())
	}
	for name, open := range map[string]func() ([]*livekit.WebhookConfig, error){
		"another request's": func() ([]*livekit.WebhookConfig, error) { return old.OpenWebhooks("req-2", sealed) },
		"with another key":  func() ([]*livekit.WebhookConfig, error) { return other.OpenWebhooks("req-1", sealed) },
		"changed": func() ([]*livekit.WebhookConfig, error) {
			return old.OpenWebhooks("req-1", sealed[:len(sealed)-4]+"AAAA")
		},
		"cut":               func() ([]*livekit.WebhookConfig, error) { return old.OpenWebhooks("req-1", sealed[:3]) },
		"what is no base64": func() ([]*livekit.WebhookConfig, error) { return old.OpenWebhooks("req-1", "%%") },
	} {
		_, err := open()
		var e *egress.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, egress.Sealed, e.Reason, name)
	}
}
