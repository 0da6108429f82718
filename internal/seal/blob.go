package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/reelkeeper/reelkeeper/egress"
)

// version is the first byte of a blob: version, key ID, nonce, ciphertext and tag.
const version = 1

const headerSize = 1 + len(keyID{})

// seal encrypts plaintext for one request and one readable part: the blob opens only together with
// both, so it cannot be replayed with another destination.
func (k *Keys) seal(plaintext []byte, requestID string, readable []byte) []byte {
	header := append([]byte{version}, k.current.id[:]...)
	return k.current.aead.Seal(header, nil, plaintext, bound(header, requestID, readable))
}

// open is the inverse of seal. Its error is an egress.Error with Reason Sealed.
func (k *Keys) open(blob []byte, requestID string, readable []byte) ([]byte, error) {
	if len(blob) < headerSize || blob[0] != version {
		return nil, cannotOpen("sealed", "is not a blob of version %d", version)
	}
	header, body := blob[:headerSize], blob[headerSize:]
	set := k.find(keyID(header[1:]))
	if set == nil {
		return nil, cannotOpen(variablePrevious, "the worker lacks the secret that sealed the request (key %s); do starter and worker have the same LIVEKIT_API_SECRET or REELKEEPER_SEAL_KEY? One that was changed is to be named here", hex.EncodeToString(header[1:]))
	}
	plaintext, err := set.aead.Open(nil, nil, body, bound(header, requestID, readable))
	if err != nil {
		return nil, cannotOpen("sealed", "was changed, or belongs to another request or summary")
	}
	return plaintext, nil
}

func (k *Keys) find(id keyID) *keySet {
	for _, set := range k.all {
		if set.id == id {
			return set
		}
	}
	return nil
}

// bound returns the additional data of a blob. Each part has a fixed length or is preceded by its
// length, so that no two requests share it.
func bound(header []byte, requestID string, readable []byte) []byte {
	b := append([]byte(nil), header...)
	b = appendField(b, []byte(requestID))
	sum := sha256.Sum256(readable)
	return append(b, sum[:]...)
}

func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func cannotOpen(field, format string, args ...any) error {
	return &egress.Error{Reason: egress.Sealed, Field: field, Message: fmt.Sprintf(format, args...)}
}
