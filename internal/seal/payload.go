package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// payloadVersion is the first byte of an encrypted payload: version, key ID, nonce, ciphertext and
// tag, as in a blob. It differs from a blob's, so that neither passes for the other.
const payloadVersion = 0x81

// Payloads encrypts Temporal's payloads. It is safe for concurrent use.
type Payloads struct {
	current keyID
	keys    map[keyID]cipher.AEAD
}

// Payloads returns the keys for payloads, one from each secret. They are derived from the key of
// the MACs, since the secrets themselves are not kept.
func (k *Keys) Payloads() (*Payloads, error) {
	p := &Payloads{current: k.current.id, keys: map[keyID]cipher.AEAD{}}
	for _, set := range k.all {
		key, err := hkdf.Key(sha256.New, set.mac, nil, "reelkeeper v1 payload", 32)
		if err == nil {
			p.keys[set.id], err = gcm(key)
		}
		if err != nil {
			return nil, fmt.Errorf("derive key for payloads: %w", err)
		}
	}
	return p, nil
}

// KeyID identifies the secret that Encrypt uses, without revealing anything of it.
func (p *Payloads) KeyID() string { return hex.EncodeToString(p.current[:]) }

// Encrypt encrypts plaintext with the current key, whose ID is included.
func (p *Payloads) Encrypt(plaintext []byte) []byte {
	header := append([]byte{payloadVersion}, p.current[:]...)
	return p.keys[p.current].Seal(header, nil, plaintext, header)
}

// Decrypt is the inverse of Encrypt, even under a previous secret. Its error is an egress.Error
// with Reason Sealed.
func (p *Payloads) Decrypt(encrypted []byte) ([]byte, error) {
	if len(encrypted) < headerSize || encrypted[0] != payloadVersion {
		return nil, cannotOpen("payload", "is not encrypted in a way that this version knows")
	}
	header, body := encrypted[:headerSize], encrypted[headerSize:]
	key := p.keys[keyID(header[1:])]
	if key == nil {
		return nil, cannotOpen(variablePrevious, "lacks the secret that encrypted the payload (key %s)", hex.EncodeToString(header[1:]))
	}
	plaintext, err := key.Open(nil, nil, body, header)
	if err != nil {
		return nil, cannotOpen("payload", "was changed after it was encrypted")
	}
	return plaintext, nil
}
