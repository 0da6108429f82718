package webhook

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/webhook"
)

// read reads the body within the cap and the deadline. LiveKit's own verifier would read without a
// limit. The reason is empty on success.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, Reason) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, TooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, SlowBody
	case err != nil:
		return nil, CutBody
	}
	// If it were kept, the deadline would end the connection while Temporal is asked.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, ""
}

// verify has LiveKit's own verifier check the signature and the hash of the raw bytes, first with
// our keys and then, if only the key does not match, with each previous secret. The reason is empty
// on success.
func (h *Handler) verify(header http.Header, body []byte) Reason {
	first := reasonOf(receive(header, body, h.cfg.Keys))
	if first != UnknownKey && first != BadSignature {
		return first
	}
	for _, secret := range h.cfg.Previous {
		if reason := reasonOf(receive(header, body, anyName(secret))); reason != BadSignature {
			return reason
		}
	}
	return first
}

// signsBody reports whether a verified token holds the hash of a body, as those of all webhooks do.
// A participant's is signed with our key, too, and holds none.
func signsBody(header http.Header) bool {
	var claims struct {
		jwt.RegisteredClaims
		auth.ClaimGrants
	}
	_, _, err := jwt.NewParser().ParseUnverified(header.Get("Authorization"), &claims)
	return err == nil && claims.Sha256 != ""
}

func receive(header http.Header, body []byte, keys auth.KeyProvider) error {
	_, err := webhook.Receive(&http.Request{Header: header, Body: io.NopCloser(bytes.NewReader(body))}, keys)
	return err
}

func reasonOf(err error) Reason {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, webhook.ErrSecretNotFound):
		return UnknownKey
	case errors.Is(err, webhook.ErrInvalidChecksum):
		return WrongHash
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return BadSignature
	case errors.Is(err, jwt.ErrTokenExpired):
		return Expired
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return NotYetValid
	default:
		return BadToken
	}
}

// anyName is a secret under any key name: a rotation often creates a new name, and only the secret
// is kept.
type anyName string

// GetSecret returns the secret.
func (s anyName) GetSecret(string) string { return string(s) }

// NumKeys returns 1.
func (s anyName) NumKeys() int { return 1 }
