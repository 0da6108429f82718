package fakelivekit_test

import (
	"encoding/json"
	"testing"

	"github.com/livekit/protocol/auth"
)

func tokenFor(t *testing.T, key, secret string, grant *auth.VideoGrant) string {
	t.Helper()
	token, err := auth.NewAccessToken(key, secret).SetVideoGrant(grant).ToJWT()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func unmarshal(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
