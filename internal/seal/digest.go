package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/reelkeeper/reelkeeper/egress"
)

// digestSize is the length of our digests in bytes: 128 bits, 22 characters in a URL.
const digestSize = 16

// Verify reports whether a token's MAC is ours, even under a previous secret. It takes equally long
// for a wrong one and a right one.
func (k *Keys) Verify(t egress.Token) bool {
	ok := 0
	for _, set := range k.all {
		ok |= subtle.ConstantTimeCompare([]byte(set.macOf(t.RequestID, t.Part)), []byte(t.MAC))
	}
	return ok == 1
}

// Token returns the token of a request and a part, which the webhook URL carries.
func (k *Keys) Token(requestID string, part int) egress.Token {
	return egress.Token{RequestID: requestID, Part: part, MAC: k.current.macOf(requestID, part)}
}

// fingerprint is a keyed digest by which two requests can be compared without revealing anything of
// them. It uses only the current secret: after a rotation, the same bytes have another fingerprint.
func (k *Keys) fingerprint(b []byte) string {
	return digest(k.current.fingerprint, b)
}

func (s *keySet) macOf(requestID string, part int) string {
	return digest(s.mac, binary.BigEndian.AppendUint64(appendField(nil, []byte(requestID)), uint64(part)))
}

func digest(key, message []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:digestSize])
}
