package config

import (
	"maps"
	"testing"
	"time"
)

func TestADurationMayBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		d     time.Duration
		on    bool
		shown string
	}{
		"off":   {0, false, "off"},
		"OFF":   {0, false, "off"},
		"2s":    {2 * time.Second, true, "2s"},
		"90m":   {90 * time.Minute, true, "1h30m"},
		"0.5s":  {500 * time.Millisecond, true, "500ms"},
		"1h0m":  {time.Hour, true, "1h"},
		"250us": {250 * time.Microsecond, true, "250µs"},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var got DurationOrOff
			if err := got.UnmarshalText([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if d, on := got.D(); d != want.d || on != want.on || got.String() != want.shown {
				t.Errorf("got %s, %t and %q", d, on, got)
			}
		})
	}
}

func TestADurationThatNobodyHasReadIsOff(t *testing.T) {
	t.Parallel()
	if d, on := DurationOrOff(0).D(); on || d != 0 {
		t.Errorf("got %s", d)
	}
}

func TestWhatIsSwitchedOffIsNotComparedWithTheCallersWait(t *testing.T) {
	t.Parallel()
	environ := least()
	maps.Copy(environ, map[string]string{
		"REELKEEPER_REQUEST_TIMEOUT": "1s", "REELKEEPER_FAIL_OPEN_AFTER": "off", "REELKEEPER_DELETE_ROOM_WAIT": "off",
	})
	if _, err := Load(environ, Serve); err != nil {
		t.Error(err)
	}
	environ["REELKEEPER_FAIL_OPEN_AFTER"] = "999ms"
	if _, err := Load(environ, Serve); err != nil {
		t.Error(err)
	}
	environ["REELKEEPER_FAIL_OPEN_AFTER"] = "1s"
	_, err := Load(environ, Serve)
	wantInvalid(t, err, "REELKEEPER_FAIL_OPEN_AFTER", "wants to be below REELKEEPER_REQUEST_TIMEOUT (1s), got 1s")
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
		if err != nil || c.Payloads.Encrypt != want {
			t.Errorf("%q: got %t and %v", value, c.Payloads.Encrypt, err)
		}
	}
}
