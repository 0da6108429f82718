package config

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// file writes a profile and returns its path. Otherwise, the user's own would be read.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTemporalIsFoundByItsOwnSettings(t *testing.T) {
	t.Parallel()
	toml := "[profile.default]\naddress = \"file:1\"\nnamespace = \"from-file\"\n[profile.prod]\naddress = \"prod:2\"\n"
	for name, tc := range map[string]struct {
		toml                string
		environ             map[string]string
		address, nameWanted string
	}{
		"nothing is set":                {"", nil, "127.0.0.1:7233", "default"},
		"a file":                        {toml, nil, "file:1", "from-file"},
		"a profile":                     {toml, map[string]string{"TEMPORAL_PROFILE": "prod"}, "prod:2", "default"},
		"variables come before a file":  {toml, map[string]string{"TEMPORAL_ADDRESS": "env:3", "TEMPORAL_NAMESPACE": "n"}, "env:3", "n"},
		"an empty one is unset":         {toml, map[string]string{"TEMPORAL_ADDRESS": ""}, "file:1", "from-file"},
		"space around it is none of it": {toml, map[string]string{"TEMPORAL_ADDRESS": " env:3\r", "TEMPORAL_NAMESPACE": "n\n", "TEMPORAL_TLS": "false\r"}, "env:3", "n"},
		"nor of a profile":              {toml, map[string]string{"TEMPORAL_PROFILE": "prod\r"}, "prod:2", "default"},
		"nor is an empty line set":      {toml, map[string]string{"TEMPORAL_ADDRESS": "\r"}, "file:1", "from-file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := map[string]string{"TEMPORAL_CONFIG_FILE": file(t, tc.toml)}
			maps.Copy(environ, tc.environ)
			opts, err := TemporalOptions(environ)
			require.NoError(t, err)
			require.Equal(t, tc.address, opts.HostPort)
			require.Equal(t, tc.nameWanted, opts.Namespace)
			require.NotNil(t, opts.DataConverter)
		})
	}
}

func TestWhatIsWrongWithTemporalsSettingsIsNamed(t *testing.T) {
	t.Parallel()
	good := file(t, "")
	broken := file(t, "address = {")
	for name, tc := range map[string]struct {
		environ        map[string]string
		field, message string
	}{
		"address":    {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_ADDRESS": "temporal"}, "TEMPORAL_ADDRESS", `want host:port, got "temporal"`},
		"high port":  {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_ADDRESS": "temporal:99999"}, "TEMPORAL_ADDRESS", `want host:port, got "temporal:99999"`},
		"no port":    {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_ADDRESS": "temporal:"}, "TEMPORAL_ADDRESS", `want host:port, got "temporal:"`},
		"port zero":  {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_ADDRESS": "temporal:0"}, "TEMPORAL_ADDRESS", `want host:port, got "temporal:0"`},
		"port name":  {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_ADDRESS": "temporal:abc"}, "TEMPORAL_ADDRESS", `want host:port, got "temporal:abc"`},
		"key":        {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_API_KEY": "hunter2\nhunter3"}, "TEMPORAL_API_KEY", "is not one line of printable ASCII"},
		"key umlaut": {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_API_KEY": "hünter2"}, "TEMPORAL_API_KEY", "is not one line of printable ASCII"},
		"profile":    {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_PROFILE": "prod"}, "TEMPORAL_PROFILE", `no profile "prod" in ` + good},
		"no file":    {map[string]string{"TEMPORAL_CONFIG_FILE": "/nowhere.toml"}, "TEMPORAL_CONFIG_FILE", "stat /nowhere.toml: no such file or directory"},
		"bool":       {map[string]string{"TEMPORAL_TLS": "yes"}, "TEMPORAL_TLS", `want true or false, got "yes"`},
		"half cert":  {map[string]string{"TEMPORAL_CONFIG_FILE": good, "TEMPORAL_TLS_CLIENT_CERT_PATH": "x"}, "TEMPORAL_TLS_CLIENT_CERT_PATH", "invalid TLS config: if either client cert or key path is present, other must be present too"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := TemporalOptions(tc.environ)
			wantInvalid(t, err, tc.field, tc.message)
		})
	}
	_, err := TemporalOptions(map[string]string{"TEMPORAL_CONFIG_FILE": broken})
	require.Error(t, err)
	require.Regexp(t, "^TEMPORAL_CONFIG_FILE: ", err.Error())
}
