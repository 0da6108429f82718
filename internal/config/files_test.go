package config

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// secretFile writes a secret's file, and returns its path.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestTheSecretsAreThoseThatMayBeInAFile(t *testing.T) {
	t.Parallel()
	want := []string{
		"LIVEKIT_API_SECRET", "LIVEKIT_KEYS", "REELKEEPER_CODEC_TOKEN", "REELKEEPER_NOTIFY_URL",
		"REELKEEPER_PREVIOUS_SECRETS", "REELKEEPER_SEAL_KEY", "REELKEEPER_WEBHOOK_SECRETS", "TEMPORAL_API_KEY",
	}
	require.ElementsMatch(t, want, Secrets())
}

func TestASecretsFileIsReadAsItsVariable(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string
		get     func(Config) string
		want    string
	}{
		"LIVEKIT_API_SECRET":          {" hush\n", func(c Config) string { return c.LiveKit.APISecret }, "hush"},
		"LIVEKIT_KEYS":                {"APIa: x\nAPIb: y\n", func(c Config) string { return c.LiveKit.Keys["APIb"] }, "y"},
		"REELKEEPER_CODEC_TOKEN":      {"sesame\r\n", func(c Config) string { return c.Payloads.CodecToken }, "sesame"},
		"REELKEEPER_NOTIFY_URL":       {"https://hooks.example/x\n", func(c Config) string { return c.Announce.NotifyURL }, "https://hooks.example/x"},
		"REELKEEPER_PREVIOUS_SECRETS": {"a, b\n", func(c Config) string { return c.Sealing.PreviousSecrets[1] }, "b"},
		"REELKEEPER_SEAL_KEY":         {"key", func(c Config) string { return c.Sealing.Key }, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := with(name+"_FILE", secretFile(t, tc.content))
			delete(environ, name)
			c, err := Load(environ, Serve)
			require.NoError(t, err)
			require.Equal(t, tc.want, tc.get(c))
		})
	}
}

func TestAnEmptyFileLeavesASecretUnset(t *testing.T) {
	t.Parallel()
	environ := least()
	environ["REELKEEPER_SEAL_KEY_FILE"] = secretFile(t, "\n")
	environ["LIVEKIT_KEYS_FILE"] = " "
	c, err := Load(environ, Serve)
	require.NoError(t, err)
	require.Empty(t, c.Sealing.Key)
	require.Nil(t, c.LiveKit.Keys)
	delete(environ, "LIVEKIT_API_SECRET")
	environ["LIVEKIT_API_SECRET_FILE"] = secretFile(t, "")
	_, err = Load(environ, Serve)
	wantInvalid(t, err, "LIVEKIT_API_SECRET_FILE", "is empty, and the starter's `serve` needs it")
}

func TestWhatIsWrongWithASecretsFileIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		variable, value string
		message         string
	}{
		"both are set":       {"LIVEKIT_API_SECRET_FILE", secretFile(t, "hunter2"), "is set, and so is LIVEKIT_API_SECRET: set only one of the two"},
		"it is not there":    {"REELKEEPER_SEAL_KEY_FILE", "/nowhere/seal", "names no file that can be read (no such file or directory)"},
		"it is a folder":     {"REELKEEPER_CODEC_TOKEN_FILE", "/", "names no file that can be read (is a directory)"},
		"it is the secret":   {"REELKEEPER_NOTIFY_URL_FILE", "https://hooks.example/hunter2", "names no file that can be read (no such file or directory)"},
		"it has a mark":      {"REELKEEPER_SEAL_KEY_FILE", secretFile(t, "\ufeffhunter2"), "begins with a byte-order mark; save it without one, which makes it another secret"},
		"it is of no secret": {"REELKEEPER_ANNOUNCE_FOR_FILE", "/x", "is not a setting; did you mean REELKEEPER_ANNOUNCE_FOR?"},
		"our prefix":         {"REELKEEPER_LIVEKIT_API_SECRET_FILE", "/x", "is not a setting; did you mean LIVEKIT_API_SECRET_FILE?"},
		"Temporal's":         {"REELKEEPER_TEMPORAL_ADDRESS", "x:1", "is not a setting; did you mean TEMPORAL_ADDRESS?"},
		"a typing error":     {"REELKEEPER_SEAL_KEYS_FILE", "/x", "is not a setting; did you mean REELKEEPER_SEAL_KEY_FILE?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(with(tc.variable, tc.value), Worker)
			wantInvalid(t, err, tc.variable, tc.message)
		})
	}
	for name, content := range map[string]string{"UTF-16": "\xff\xfeh\x00", "zeros": "\x00\x00", "two lines": "hunter2\nhunter3"} {
		t.Run("it has "+name, func(t *testing.T) {
			t.Parallel()
			environ := with("LIVEKIT_API_SECRET_FILE", secretFile(t, content))
			delete(environ, "LIVEKIT_API_SECRET")
			_, err := Load(environ, Worker)
			wantInvalid(t, err, "LIVEKIT_API_SECRET_FILE", "is not one line of text")
		})
	}
	t.Run("its content is wrong", func(t *testing.T) {
		t.Parallel()
		_, err := Load(with("LIVEKIT_KEYS_FILE", secretFile(t, "hunter2")), Worker)
		wantInvalid(t, err, "LIVEKIT_KEYS_FILE", "want `key: secret` pairs, separated by lines or commas, each with a space after its colon")
	})
}

func TestTemporalsAPIKeyMayBeInAFile(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"TEMPORAL_CONFIG_FILE": file(t, ""), "TEMPORAL_API_KEY_FILE": secretFile(t, "hunter2\n")}
	before := maps.Clone(environ)
	opts, err := TemporalOptions(environ)
	require.NoError(t, err)
	require.NotNil(t, opts.Credentials)
	require.Equal(t, before, environ, "it is the caller's")
	_, err = TemporalOptions(map[string]string{"TEMPORAL_API_KEY_FILE": "hunter2"})
	wantInvalid(t, err, "TEMPORAL_API_KEY_FILE", "names no file that can be read (no such file or directory)")
	_, err = TemporalOptions(map[string]string{"TEMPORAL_API_KEY_FILE": secretFile(t, "hunter2\nhunter3")})
	wantInvalid(t, err, "TEMPORAL_API_KEY_FILE", "is not one line of printable ASCII")
	environ["TEMPORAL_API_KEY"] = "hunter3"
	_, err = TemporalOptions(environ)
	wantInvalid(t, err, "TEMPORAL_API_KEY_FILE", "is set, and so is TEMPORAL_API_KEY: set only one of the two")
}
