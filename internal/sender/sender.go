// Package sender writes a webhook as LiveKit's own sender does, whose package has no function to
// write a single one. A URL may hold a credential: no error ever contains a URL or a secret.
package sender

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/livekit/protocol/auth"
)

// ErrURL reports an invalid URL, without showing it.
var ErrURL = errors.New("is not a URL")

// Request builds the POST of an event, signed now: its token is valid for 5 minutes. It fails with
// ErrURL if the URL is invalid, and if the key or its secret is empty.
func Request(ctx context.Context, url, key, secret string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, ErrURL
	}
	sum := sha256.Sum256(body)
	token, err := auth.NewAccessToken(key, secret).
		SetValidFor(5 * time.Minute).
		SetSha256(base64.StdEncoding.EncodeToString(sum[:])).ToJWT()
	if err != nil {
		return nil, fmt.Errorf("sign webhook: %w", err)
	}
	req.Header.Set("Authorization", token)
	req.Header.Set("Content-Type", "application/webhook+json")
	req.Header.Set("User-Agent", "LiveKit")
	return req, nil
}
