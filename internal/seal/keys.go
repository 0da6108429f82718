// Package seal keeps the credentials of a request out of Temporal. It seals whole requests for the
// activities that need them, and makes the keyed digests that route a webhook and distinguish two
// requests. It must never log, and its errors must never contain, anything that it sealed or
// derived.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Names of the settings, as errors show them.
const (
	variableSecret   = "LIVEKIT_API_SECRET"
	variableSealKey  = "REELKEEPER_SEAL_KEY"
	variablePrevious = "REELKEEPER_PREVIOUS_SECRETS"
)

// minSealKey is the shortest seal key, in characters: 32 random ones cannot be guessed in any usual
// alphabet. LiveKit's own secret is accepted at any length, since `livekit-server --dev` uses a
// short one.
const minSealKey = 32

// Config holds the secrets from which the keys are derived.
type Config struct {
	// Secret is LiveKit's API secret (LIVEKIT_API_SECRET). Required if there is no SealKey.
	Secret string
	// SealKey (REELKEEPER_SEAL_KEY) replaces Secret, so that a rotation of LiveKit's secret does
	// not change the keys. What was made with Secret before a seal key was set still opens and
	// verifies. At least 32 characters. Default: none.
	SealKey string
	// Previous (REELKEEPER_PREVIOUS_SECRETS) are earlier secrets and seal keys: what was made with
	// them still opens and verifies, but nothing new is made with them. Default: none.
	Previous []string
}

// Validate names the invalid variable.
func (c Config) Validate() error {
	switch {
	case c.Secret == "" && c.SealKey == "":
		return egress.Invalidf(variableSecret, "is empty, and so is %s", variableSealKey)
	case c.SealKey != "" && len(c.SealKey) < minSealKey:
		return egress.Invalidf(variableSealKey, "must have at least %d characters, has %d", minSealKey, len(c.SealKey))
	case strings.ContainsAny(c.SealKey, ",\n"):
		return egress.Invalidf(variableSealKey, "must not have a comma or a line break, at which %s is split once it is rotated", variablePrevious)
	}
	for i, p := range c.Previous {
		if p == "" {
			return egress.Invalidf(variablePrevious, "entry %d is empty", i+1)
		}
	}
	return nil
}

// Keys seals, opens and makes digests. It is safe for concurrent use.
type Keys struct {
	current *keySet
	all     []*keySet // the current one, and those that only open and verify
}

// New derives the keys.
func New(c Config) (*Keys, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	k := &Keys{}
	for _, s := range append([]string{c.SealKey, c.Secret}, c.Previous...) {
		if s == "" {
			continue
		}
		set, err := derive(s)
		if err != nil {
			return nil, fmt.Errorf("derive keys: %w", err)
		}
		k.all = append(k.all, set)
	}
	k.current = k.all[0]
	return k, nil
}

// keySet is derived from one secret: a key for each purpose, none of which reveals the others.
type keySet struct {
	id          keyID
	aead        cipher.AEAD
	mac         []byte
	fingerprint []byte
}

// keyID identifies in a blob the secret that sealed it.
type keyID [8]byte

func derive(secret string) (*keySet, error) {
	set := &keySet{}
	for _, purpose := range []struct {
		label string
		size  int
		use   func([]byte) error
	}{
		{"key ID", len(set.id), func(b []byte) error { copy(set.id[:], b); return nil }},
		{"seal", 32, func(b []byte) (err error) { set.aead, err = gcm(b); return err }},
		{"mac", 32, func(b []byte) error { set.mac = b; return nil }},
		{"fingerprint", 32, func(b []byte) error { set.fingerprint = b; return nil }},
	} {
		b, err := hkdf.Key(sha256.New, []byte(secret), nil, "reelkeeper v1 "+purpose.label, purpose.size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", purpose.label, err)
		}
		if err := purpose.use(b); err != nil {
			return nil, fmt.Errorf("%s: %w", purpose.label, err)
		}
	}
	return set, nil
}

// gcm is AES-256-GCM with random nonces, which is safe for 2³² texts per key: requests, or
// payloads, which at twenty per recording suffices for two hundred million recordings. A new
// REELKEEPER_SEAL_KEY restarts the count.
func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
