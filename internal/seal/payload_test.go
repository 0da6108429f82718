package seal

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func payloadsOf(t *testing.T, c Config) *Payloads {
	t.Helper()
	p, err := keysOf(t, c).Payloads()
	require.NoError(t, err)
	return p
}

func TestAPayloadDecryptsAndIsNotReadable(t *testing.T) {
	t.Parallel()
	p := payloadsOf(t, Config{Secret: testSecret})
	for name, plaintext := range map[string]string{"text": "the room's name", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			encrypted := p.Encrypt([]byte(plaintext))
			require.NotContains(t, string(encrypted), "room")
			got, err := p.Decrypt(encrypted)
			require.NoError(t, err)
			require.Equal(t, plaintext, string(got))
		})
	}
}

func TestEncryptingTwiceGivesTwoTexts(t *testing.T) {
	t.Parallel()
	p := payloadsOf(t, Config{Secret: testSecret})
	require.NotEqual(t, p.Encrypt([]byte("x")), p.Encrypt([]byte("x")))
}

func TestAPayloadWithAnyBitChangedDoesNotDecrypt(t *testing.T) {
	t.Parallel()
	p := payloadsOf(t, Config{Secret: testSecret})
	encrypted := p.Encrypt([]byte("x"))
	for i := range encrypted {
		changed := append([]byte(nil), encrypted...)
		changed[i] ^= 1
		_, err := p.Decrypt(changed)
		requireSealed(t, err, "")
	}
	for n := range encrypted {
		_, err := p.Decrypt(encrypted[:n])
		requireSealed(t, err, "")
	}
}

func TestWhatKeepsAPayloadFromDecryptingIsSaid(t *testing.T) {
	t.Parallel()
	p := payloadsOf(t, Config{Secret: "two"})
	lost := payloadsOf(t, Config{Secret: "one"})
	changed := p.Encrypt([]byte("x"))
	changed[len(changed)-1] ^= 1
	for name, tc := range map[string]struct {
		encrypted []byte
		want      string
	}{
		"nothing":       {nil, "payload: is not encrypted in a way that this version knows"},
		"a lost secret": {lost.Encrypt(nil), fmt.Sprintf("REELKEEPER_PREVIOUS_SECRETS: lacks the secret that encrypted the payload (key %s)", lost.KeyID())},
		"a changed one": {changed, "payload: was changed after it was encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := p.Decrypt(tc.encrypted)
			requireSealed(t, err, tc.want)
		})
	}
}

func TestAPayloadDecryptsAfterARotationThatKeepsItsSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range rotations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := payloadsOf(t, tc.after).Decrypt(payloadsOf(t, tc.before).Encrypt([]byte("x")))
			require.Equal(t, tc.known, err == nil, "%v", err)
		})
	}
}

func TestANewSecretEncryptsWhatIsNew(t *testing.T) {
	t.Parallel()
	before := payloadsOf(t, Config{Secret: "one"})
	after := payloadsOf(t, Config{Secret: "two", Previous: []string{"one"}})
	require.NotEqual(t, before.KeyID(), after.KeyID())
	_, err := before.Decrypt(after.Encrypt(nil))
	requireSealed(t, err, after.KeyID())
}

func TestARequestAndAPayloadAreNotTakenForEachOther(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	p, err := k.Payloads()
	require.NoError(t, err)
	blob := k.seal(nil, "req-1", nil)
	_, err = p.Decrypt(blob)
	requireSealed(t, err, "payload: ")
	_, err = k.open(p.Encrypt(nil), "req-1", nil)
	requireSealed(t, err, "sealed: ")

	blob[0] = payloadVersion // with another version, a different key applies
	_, err = p.Decrypt(blob)
	requireSealed(t, err, "payload: was changed")
}

// Histories hold encrypted payloads for as long as the namespace keeps them. If this test fails,
// raise the version and keep the old way of decrypting.
func TestTheFormatOfAPayloadStays(t *testing.T) {
	t.Parallel()
	p := payloadsOf(t, Config{Secret: testSecret})
	require.Equal(t, "924cbda78ea09ab1", p.KeyID())
	encrypted, err := hex.DecodeString(knownPayload)
	require.NoError(t, err)
	got, err := p.Decrypt(encrypted)
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(got))
}

const knownPayload = "81924cbda78ea09ab17903bb9d22b0b5f732277e121888727fce786aa8150cc998d2982de7d95011c9fecc22a110"
