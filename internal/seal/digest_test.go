package seal

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAMACVerifiesForItsOwnRequestAndPartAlone(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	mac := k.Token("req-1", 1).MAC
	verify := func(requestID string, part int, mac string) bool {
		return k.Verify(egress.Token{RequestID: requestID, Part: part, MAC: mac})
	}
	require.True(t, verify("req-1", 1, mac))
	require.False(t, verify("req-1", 2, mac))
	require.False(t, verify("req-2", 1, mac))
	require.False(t, verify("req-1", 1, mac[:len(mac)-1]))
	require.False(t, verify("req-1", 1, mac+"A"))
	require.False(t, verify("req-1", 1, ""))
}

func TestAMACHas128BitsAndNeedsNoEscapeInAURL(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	for part := range 100 {
		mac := k.Token("req-1", part).MAC
		require.Len(t, mac, 22)
		require.Equal(t, mac, url.PathEscape(mac))
	}
}

func TestAMACVerifiesAfterARotationThatKeepsItsSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range rotations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := keysOf(t, tc.before).Token("req-1", 1)
			require.Equal(t, tc.known, keysOf(t, tc.after).Verify(token))
		})
	}
}

func TestATokenIsFoundInItsOwnURL(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	want := k.Token("req-1", 2)
	got, ok := egress.ParseToken("https://reel.example.com/below" + want.Path())
	require.True(t, ok)
	require.Equal(t, want, got)
	require.True(t, k.Verify(got))
}

func TestAFingerprintTellsBytesAndSecretsApart(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	require.Equal(t, k.fingerprint([]byte("x")), k.fingerprint([]byte("x")))
	require.NotEqual(t, k.fingerprint([]byte("x")), k.fingerprint([]byte("y")))
	require.NotEqual(t, k.fingerprint([]byte("x")), keysOf(t, Config{Secret: "two"}).fingerprint([]byte("x")))
}

// LiveKit holds the MACs of running egresses, and histories hold fingerprints.
func TestTheFormatOfDigestsStays(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	require.Equal(t, "do7YY6xCbNHHC9kx5lkT5Q", k.Token("req-1", 1).MAC)
	require.Equal(t, "l7pKjmlcKrFdhqHUfOLhaQ", k.fingerprint([]byte("x")))
}
