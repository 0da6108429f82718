package config

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestADurationMayBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		d     time.Duration
		shown string
	}{
		"off":   {0, "off"},
		"OFF":   {0, "off"},
		"2s":    {2 * time.Second, "2s"},
		"90m":   {90 * time.Minute, "1h30m"},
		"0.5s":  {500 * time.Millisecond, "500ms"},
		"1h0m":  {time.Hour, "1h"},
		"250us": {250 * time.Microsecond, "250µs"},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var got DurationOrOff
			require.NoError(t, got.UnmarshalText([]byte(text)))
			require.Equal(t, want.d, got.D())
			require.Equal(t, want.shown, got.String())
		})
	}
}

func TestADurationThatNobodyHasReadIsOff(t *testing.T) {
	t.Parallel()
	var d DurationOrOff
	require.Zero(t, d.D())
	require.Equal(t, "off", d.String())
}

func TestWhatIsSwitchedOffIsNotComparedWithTheCallersWait(t *testing.T) {
	t.Parallel()
	environ := least()
	maps.Copy(environ, map[string]string{
		"REELKEEPER_REQUEST_TIMEOUT": "1s", "REELKEEPER_FAIL_OPEN_AFTER": "off", "REELKEEPER_DELETE_ROOM_WAIT": "off",
	})
	_, err := Load(environ, Serve)
	require.NoError(t, err)
	environ["REELKEEPER_REQUEST_TIMEOUT"], environ["REELKEEPER_FAIL_OPEN_AFTER"] = "2s", "999ms"
	_, err = Load(environ, Serve)
	require.NoError(t, err)
	environ["REELKEEPER_FAIL_OPEN_AFTER"] = "1s"
	_, err = Load(environ, Serve)
	wantInvalid(t, err, "REELKEEPER_FAIL_OPEN_AFTER", "must be more than 1s below REELKEEPER_REQUEST_TIMEOUT (2s), got 1s")
}

func TestATokenForTheCodecNeedsAnOrigin(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]Role{"worker": Worker, "serve": Serve} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := with("REELKEEPER_CODEC_TOKEN", "hunter2")
			environ["REELKEEPER_CODEC_ORIGIN"] = ""
			_, err := Load(environ, role)
			wantInvalid(t, err, "REELKEEPER_CODEC_ORIGIN", "is not set, and REELKEEPER_CODEC_TOKEN needs it")
		})
	}
}

func TestPayloadsAreInTheClearUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "0": false, "true": true, "1": true} {
		c, err := Load(with("REELKEEPER_ENCRYPT_PAYLOADS", value), Worker)
		require.NoError(t, err, value)
		require.Equal(t, want, c.Payloads.Encrypt, value)
	}
}
