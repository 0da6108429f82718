package seal

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func requireSealed(t *testing.T, err error, want string) {
	t.Helper()
	require.ErrorContains(t, err, want)
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, egress.Sealed, e.Reason)
}

func TestWhatIsSealedOpensAndIsNotReadable(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	blob := k.seal([]byte("the S3 key"), "req-1", []byte("readable"))
	require.NotContains(t, string(blob), "the S3 key")

	got, err := k.open(blob, "req-1", []byte("readable"))
	require.NoError(t, err)
	require.Equal(t, "the S3 key", string(got))
}

func TestSealingTwiceGivesTwoBlobs(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	one := k.seal([]byte("x"), "req-1", nil)
	two := k.seal([]byte("x"), "req-1", nil)
	require.NotEqual(t, one, two)
}

func TestABlobOpensBesideItsOwnRequestAndReadablePartAlone(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	blob := k.seal([]byte("x"), "req-1", []byte("1readable"))
	for name, tc := range map[string]struct{ id, readable string }{
		"another request":       {"req-2", "1readable"},
		"another readable part": {"req-1", "1Readable"},
		"no readable part":      {"req-1", ""},
		"the cut moved":         {"req-11", "readable"},
		"no request":            {"", "1readable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := k.open(blob, tc.id, []byte(tc.readable))
			requireSealed(t, err, "sealed: was changed, or belongs to another request or summary")
		})
	}
}

func TestABlobWithAnyBitChangedDoesNotOpen(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	blob := k.seal([]byte("x"), "req-1", nil)
	for i := range blob {
		changed := append([]byte(nil), blob...)
		changed[i] ^= 1
		_, err := k.open(changed, "req-1", nil)
		requireSealed(t, err, "")
	}
	for n := range blob {
		_, err := k.open(blob[:n], "req-1", nil)
		requireSealed(t, err, "")
	}
}

func TestABlobOfAnotherVersionSaysSo(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	blob := k.seal([]byte("x"), "req-1", nil)
	blob[0] = 2
	_, err := k.open(blob, "req-1", nil)
	requireSealed(t, err, "sealed: is not a blob of version 1")
	_, err = k.open(nil, "req-1", nil)
	requireSealed(t, err, "sealed: is not a blob of version 1")
}

func TestABlobOpensAfterARotationThatKeepsItsSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range rotations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blob := keysOf(t, tc.before).seal([]byte("x"), "req-1", nil)
			_, err := keysOf(t, tc.after).open(blob, "req-1", nil)
			require.Equal(t, tc.known, err == nil, "%v", err)
		})
	}
}

func TestABlobOfALostSecretNamesTheSettingAndTheKey(t *testing.T) {
	t.Parallel()
	old := keysOf(t, Config{Secret: "one"})
	blob := old.seal([]byte("x"), "req-1", nil)
	_, err := keysOf(t, Config{Secret: "two"}).open(blob, "req-1", nil)
	requireSealed(t, err, fmt.Sprintf("REELKEEPER_PREVIOUS_SECRETS: the worker lacks the secret that sealed the request (key %x); do starter and worker have the same LIVEKIT_API_SECRET or REELKEEPER_SEAL_KEY? One that was changed is to be named here", old.current.id))
}

// A blob of a released version must open for as long as a workflow may run. If this test fails,
// raise the version and keep the old way of opening.
func TestTheFormatOfABlobStays(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	blob, err := hex.DecodeString(knownBlob)
	require.NoError(t, err)
	got, err := k.open(blob, "req-1", []byte("readable"))
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(got))
}

const knownBlob = "01924cbda78ea09ab10597112935af960b4f781a690e5c4d5f68c8627fc4bbcb3f8a8f83775e1114a0d6dda2cb94"
