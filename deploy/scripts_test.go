package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// run runs one of our scripts with its own environment, and returns its output.
func run(t *testing.T, script string, environ ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", script)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// secretFile writes a secret as Compose mounts it.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestTheScriptsAreShell(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("*.sh")
	require.NoError(t, err)
	more, err := filepath.Glob("*/*.sh")
	require.NoError(t, err)
	require.NotEmpty(t, more)
	ours, err := filepath.Glob("../*.sh")
	require.NoError(t, err)
	require.NotEmpty(t, ours)
	for _, script := range slices.Concat(scripts, more, ours) {
		out, err := exec.CommandContext(t.Context(), "sh", "-n", script).CombinedOutput()
		assert.NoError(t, err, "%s: %s", script, out)
	}
}

func TestLiveKitStartsWithTheKeyAndTheStartersWebhook(t *testing.T) {
	t.Parallel()
	said := filepath.Join(t.TempDir(), "server") // instead of the server: it prints its configuration
	needs.Executable(t, said, "#!/bin/sh\nprintf '# %s\\n%s' \"$LIVEKIT_KEYS\" \"$LIVEKIT_CONFIG\"\n")
	out, err := run(t, "livekit/livekit.sh", "CONFIG=livekit/livekit.yaml", "LIVEKIT_API_KEY=APIkey",
		"SECRET_FILE="+secretFile(t, "hush\n"), "SERVER="+said)
	require.NoError(t, err, out)
	assert.True(t, strings.HasPrefix(out, "# APIkey: hush\n"), "as livekit-server reads it")
	var conf struct {
		Port  int `yaml:"port"`
		Redis struct {
			Address string `yaml:"address"`
		} `yaml:"redis"`
		Webhook struct {
			APIKey string   `yaml:"api_key"`
			URLs   []string `yaml:"urls"`
		} `yaml:"webhook"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(out), &conf), out)
	assert.Equal(t, 7880, conf.Port)
	assert.Equal(t, "redis:6379", conf.Redis.Address)
	assert.Equal(t, "APIkey", conf.Webhook.APIKey)
	assert.Equal(t, []string{"http://starter:7980/webhooks/livekit"}, conf.Webhook.URLs)
}

func TestLiveKitDoesNotStartWithoutASecret(t *testing.T) {
	t.Parallel()
	for name, environ := range map[string][]string{
		"no key":    {"SECRET_FILE=" + secretFile(t, "hush")},
		"no secret": {"LIVEKIT_API_KEY=APIkey", "SECRET_FILE=" + secretFile(t, "")},
	} {
		out, err := run(t, "livekit/livekit.sh", append(environ, "CONFIG=livekit/livekit.yaml", "SERVER=env")...)
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, name)
		assert.Equal(t, 2, exit.ExitCode(), name)
		assert.Contains(t, out, "secrets/livekit_api_secret", name)
	}
}

func TestTheEgressServiceGetsItsSecretAndAPlaceToRun(t *testing.T) {
	t.Parallel()
	place := filepath.Join(t.TempDir(), "run")
	out, err := run(t, "livekit/egress.sh", "SECRET_FILE="+secretFile(t, "hush\n"), "XDG_RUNTIME_DIR="+place, "SERVER=env")
	require.NoError(t, err, out)
	assert.Contains(t, out, "LIVEKIT_API_SECRET=hush\n")
	assert.DirExists(t, place)
}

// secretless returns a folder in which secrets.sh makes secrets, and the script in it.
func secretless(t *testing.T) (place, script string) {
	t.Helper()
	place = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(place, "deploy"), 0o700))
	script = filepath.Join(place, "deploy", "secrets.sh")
	require.NoError(t, os.WriteFile(script, []byte(read(t, "deploy/secrets.sh")), 0o600))
	return place, script
}

func TestSecretsAreMadeOnceAndAtRandom(t *testing.T) {
	t.Parallel()
	place, script := secretless(t)
	out, err := run(t, script)
	require.NoError(t, err, out)
	assert.Contains(t, out, "docs/backup.md", "a new seal key is to be copied")
	folder, err := os.Stat(filepath.Join(place, "secrets"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm(), "its owner's alone")

	first := map[string]string{}
	secrets, err := filepath.Glob(filepath.Join(place, "secrets", "*"))
	require.NoError(t, err)
	for _, path := range secrets {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		first[filepath.Base(path)] = string(b)
	}
	assert.Len(t, first, 9)
	for _, name := range []string{"seal_key", "postgres_password", "grafana_admin_password"} {
		assert.Regexp(t, `^[0-9a-f]{64}\n$`, first[name], name)
	}
	assert.NotEqual(t, first["seal_key"], first["postgres_password"])
	assert.Empty(t, first["livekit_api_secret"], "it is LiveKit's")

	require.NoError(t, os.WriteFile(filepath.Join(place, "secrets", "notify_url"), []byte("https://hooks.example\n"), 0o600))
	out, err = run(t, script)
	require.NoError(t, err, out)
	assert.Empty(t, out)
	again, err := os.ReadFile(filepath.Join(place, "secrets", "seal_key"))
	require.NoError(t, err)
	assert.Equal(t, first["seal_key"], string(again), "a second run changes nothing")
	kept, err := os.ReadFile(filepath.Join(place, "secrets", "notify_url"))
	require.NoError(t, err)
	assert.Equal(t, "https://hooks.example\n", string(kept))
}

func TestASecretThatIsNotRandomIsNotKept(t *testing.T) {
	t.Parallel()
	place, script := secretless(t)
	tools := t.TempDir()
	needs.Executable(t, filepath.Join(tools, "od"), "#!/bin/sh\necho ' 01 02'\nexit 1\n")
	out, err := run(t, script, "PATH="+tools+":"+os.Getenv("PATH"))
	require.Error(t, err, out)
	assert.NoFileExists(t, filepath.Join(place, "secrets", "seal_key"))
	out, err = run(t, script)
	require.NoError(t, err, out)
	assert.FileExists(t, filepath.Join(place, "secrets", "seal_key"))
}

func TestTheSchemaJobHandsItsPasswordOver(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	tool := "#!/bin/sh\necho \"$SQL_PASSWORD: $*\"\n"
	needs.Executable(t, filepath.Join(tools, "temporal-sql-tool"), tool)
	out, err := run(t, "temporal-schema.sh", "PATH="+tools+":"+os.Getenv("PATH"), "SQL_PASSWORD_FILE="+secretFile(t, "hush\n"))
	require.NoError(t, err, out)
	assert.Contains(t, out, "hush: --db temporal create\n")
	assert.Contains(t, out, "hush: --db temporal_visibility update-schema --schema-dir /etc/temporal/schema/postgresql/v12/visibility/versioned\n")
}

func TestInCINothingRunsWithoutTheRaceDetector(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	needs.Executable(t, filepath.Join(tools, "go"), "#!/bin/sh\n[ \"$1 $2\" != 'build -race' ]\n") // as one without a C compiler
	path := "PATH=" + tools + ":" + os.Getenv("PATH")
	out, err := run(t, "../test.sh", path, "CI=")
	require.NoError(t, err, out)
	assert.Contains(t, out, "Without the race detector")
	out, err = run(t, "../test.sh", path, "CI=true")
	require.Error(t, err, out)
}
