package seal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	testSecret = "a secret of LiveKit's, 32 or more"
	testKey    = "a seal key of our own of 32 or more"
)

func keysOf(t *testing.T, c Config) *Keys {
	t.Helper()
	k, err := New(c)
	require.NoError(t, err)
	return k
}

func TestASettingThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"no secret at all":        {Config{}, "LIVEKIT_API_SECRET: is empty, and so is REELKEEPER_SEAL_KEY"},
		"a seal key with a comma": {Config{Secret: testSecret, SealKey: strings.Repeat("k", 31) + ",k"}, "REELKEEPER_SEAL_KEY: must not have a comma or a line break, at which REELKEEPER_PREVIOUS_SECRETS is split once it is rotated"},
		"a seal key too short":    {Config{Secret: testSecret, SealKey: strings.Repeat("k", 31)}, "REELKEEPER_SEAL_KEY: must have at least 32 characters, has 31"},
		"an empty previous entry": {Config{Secret: testSecret, Previous: []string{"x", ""}}, "REELKEEPER_PREVIOUS_SECRETS: entry 2 is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.config)
			require.EqualError(t, err, tc.want)
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
		})
	}
}

func TestTheShortSecretOfADevelopmentServerIsTaken(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Secret: "secret"})
	require.NoError(t, err)
}

func TestASealKeyOfTheLeastLengthIsTaken(t *testing.T) {
	t.Parallel()
	_, err := New(Config{SealKey: strings.Repeat("k", minSealKey)})
	require.NoError(t, err)
}

func TestEachPurposeHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	set := keysOf(t, Config{Secret: testSecret}).current
	require.NotEqual(t, set.mac, set.fingerprint)
	require.Len(t, set.mac, 32)
	require.Len(t, set.fingerprint, 32)
	require.NotEqual(t, keyID{}, set.id)
}

// rotations are the ways in which one setting meets what was made with another.
func rotations() map[string]struct {
	before, after Config
	known         bool
} {
	return map[string]struct {
		before, after Config
		known         bool
	}{
		"the same secret":                 {Config{Secret: "one"}, Config{Secret: "one"}, true},
		"another secret":                  {Config{Secret: "one"}, Config{Secret: "two"}, false},
		"the old secret is kept":          {Config{Secret: "one"}, Config{Secret: "two", Previous: []string{"zero", "one"}}, true},
		"only others are kept":            {Config{Secret: "one"}, Config{Secret: "two", Previous: []string{"zero"}}, false},
		"a seal key is added":             {Config{Secret: "one"}, Config{Secret: "one", SealKey: testKey}, true},
		"the secret below a seal key":     {Config{Secret: "one", SealKey: testKey}, Config{Secret: "two", SealKey: testKey}, true},
		"the seal key is taken away":      {Config{Secret: "one", SealKey: testKey}, Config{Secret: "one"}, false},
		"the seal key becomes a previous": {Config{SealKey: testKey}, Config{Secret: "one", Previous: []string{testKey}}, true},
	}
}
