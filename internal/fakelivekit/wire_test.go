package fakelivekit_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/auth"
)

func tokenFor(t *testing.T, key, secret string, grant *auth.VideoGrant) string {
	t.Helper()
	token, err := auth.NewAccessToken(key, secret).SetVideoGrant(grant).ToJWT()
	require.NoError(t, err)
	return token
}

func unmarshal(t *testing.T, text []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, into))
}
