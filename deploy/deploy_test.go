// Package deploy_test checks in docker-compose.yml what an operator relies on: no Docker engine,
// which would find a mistake, runs with the tests.
package deploy_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// compose is the part of docker-compose.yml that the tests read.
type compose struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image       string                `yaml:"image"`
	Command     []string              `yaml:"command"`
	Entrypoint  []string              `yaml:"entrypoint"`
	Restart     string                `yaml:"restart"`
	ReadOnly    bool                  `yaml:"read_only"`
	Environment map[string]*string    `yaml:"environment"`
	Secrets     []string              `yaml:"secrets"`
	Ports       []string              `yaml:"ports"`
	Volumes     []string              `yaml:"volumes"`
	Healthcheck *healthcheck          `yaml:"healthcheck"`
	DependsOn   map[string]dependency `yaml:"depends_on"`
}

type healthcheck struct {
	Test []string `yaml:"test"`
}

type dependency struct {
	Condition string `yaml:"condition"`
}

// ours are the services that run our own image.
var ours = []string{"starter", "worker"}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", name))
	require.NoError(t, err)
	return string(b)
}

func load(t *testing.T) compose {
	t.Helper()
	var c compose
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c))
	require.Subset(t, slices.Collect(maps.Keys(c.Services)), ours)
	return c
}

// settings returns the variables of the settings table.
func settings() []string {
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` ").FindAllStringSubmatch(config.Table(), -1) {
		names = append(names, m[1])
	}
	return names
}

func TestEveryImageIsPinned(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		if slices.Contains(ours, name) {
			assert.Equal(t, "${IMAGE:-reelkeeper:local}", s.Image, "one release beside another")
			continue
		}
		_, tag, tagged := strings.Cut(s.Image, ":")
		assert.True(t, tagged, "%s: %q has no tag", name, s.Image)
		assert.NotEqual(t, "latest", tag, name)
		assert.NotContains(t, s.Image, "auto-setup", "%s: the set-up is a job of its own", name)
		assert.NotContains(t, s.Image, "$", "%s: a version is no setting", name)
		assert.Regexp(t, `^v?\d+\.\d+`, tag, "%s: %q names no version", name, s.Image)
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		assert.Regexp(t, `:\d+\.\d+\.\d+`, from[1], "Dockerfile")
	}
}

// Services that authenticate their callers can be published elsewhere; no variable publishes the
// others.
func TestNothingIsPublishedBeyondThisMachine(t *testing.T) {
	t.Parallel()
	asks := []string{"starter", "livekit"}
	for name, s := range load(t).Services {
		where := `127\.0\.0\.1`
		if slices.Contains(asks, name) {
			where = `\$\{PUBLISH_ADDRESS:-127\.0\.0\.1\}`
		}
		for _, port := range s.Ports {
			assert.Regexp(t, `^`+where+`:\d+:\d+(/udp)?$`, port, name)
		}
	}
	assert.Regexp(t, `(?m)^PUBLISH_ADDRESS=127\.0\.0\.1$`, read(t, ".env.example"))
}

func TestEverySettingReachesBothProcesses(t *testing.T) {
	t.Parallel()
	c := load(t)
	want := []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "GOMEMLIMIT"} // the last is Go's own
	for _, name := range settings() {
		if slices.Contains(config.Secrets(), name) {
			name += "_FILE"
		}
		want = append(want, name)
	}
	slices.Sort(want)
	for _, name := range ours {
		got := slices.Sorted(maps.Keys(c.Services[name].Environment))
		assert.Equal(t, want, got, "%s: a variable that is missing could not be set in .env, and one too many is none of ours", name)
	}
}

func TestTheFixedSettingsAreValid(t *testing.T) {
	t.Parallel()
	environ := map[string]string{
		"LIVEKIT_URL": "wss://livekit.example", "LIVEKIT_API_KEY": "key", "REELKEEPER_PUBLIC_URL": "https://recordings.example",
	}
	secret, unused := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "unused")
	require.NoError(t, os.WriteFile(secret, []byte("secret\n"), 0o600))
	require.NoError(t, os.WriteFile(unused, nil, 0o600))
	for _, name := range ours {
		for variable, value := range load(t).Services[name].Environment {
			switch {
			case variable == "LIVEKIT_API_SECRET_FILE":
				environ[variable] = secret
			case strings.HasSuffix(variable, "_FILE"):
				environ[variable] = unused
			case value != nil && !strings.Contains(*value, "$"):
				environ[variable] = *value
			}
		}
		for _, role := range []config.Role{config.Worker, config.Serve} {
			_, err := config.Load(environ, role)
			require.NoError(t, err, name)
		}
		_, err := config.TemporalOptions(environ)
		require.NoError(t, err, name)
	}
}

func TestTheExampleHoldsOnlyWhatComposeReads(t *testing.T) {
	t.Parallel()
	known := settings()
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(read(t, "docker-compose.yml"), -1) {
		known = append(known, m[1])
	}
	for line := range strings.Lines(read(t, ".env.example")) {
		if name, _, isSetting := strings.Cut(line, "="); isSetting && !strings.HasPrefix(line, "#") {
			assert.Contains(t, known, name)
		}
	}
	for _, required := range []string{"LIVEKIT_URL", "LIVEKIT_API_KEY", "REELKEEPER_PUBLIC_URL"} {
		assert.Regexp(t, `(?m)^`+required+`=$`, read(t, ".env.example"), "what is yours belongs into .env alone")
	}
	for _, secret := range config.Secrets() {
		assert.NotContains(t, read(t, ".env.example"), "\n"+secret+"=", "secrets are in files")
	}
}

func TestOursAreCheckedRestartedAndLockedUp(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, name := range ours {
		s := c.Services[name]
		assert.NotNil(t, s.Healthcheck, name)
		assert.Equal(t, "unless-stopped", s.Restart, name)
		assert.True(t, s.ReadOnly, name)
		assert.NotEmpty(t, s.DependsOn, name)
	}
	assert.Contains(t, c.Services["worker"].Healthcheck.Test, "http://127.0.0.1:7981/readyz", "the worker has no other listener")
	assert.Contains(t, c.Services["starter"].Healthcheck.Test, "http://127.0.0.1:7980/readyz")
	assert.Regexp(t, `(?m)^USER [1-9]`, read(t, "Dockerfile"), "not as root")
}

// Ours can write no file, as the test above has it.
func TestNoCommandOfAPageHasAContainerWriteAFile(t *testing.T) {
	t.Parallel()
	writes := regexp.MustCompile(`starter .*--out\b`)
	for _, page := range files(t, ".md") {
		for _, block := range fenced.FindAllString(read(t, page), -1) {
			assert.Empty(t, writes.FindString(block), page)
		}
	}
}

func TestWhatAServiceWaitsForExistsAndCanHappen(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, s := range c.Services {
		for other, d := range s.DependsOn {
			on, exists := c.Services[other]
			require.True(t, exists, "%s waits for %s", name, other)
			switch d.Condition {
			case "service_healthy":
				assert.NotNil(t, on.Healthcheck, "%s waits until %s is healthy", name, other)
			case "service_completed_successfully":
				assert.True(t, strings.HasPrefix(on.Restart, "on-failure"), "%s waits for the end of %s, which is started again", name, other)
			default:
				t.Errorf("%s waits for %s without saying for what", name, other)
			}
		}
	}
}

func TestWhatIsMountedExists(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if source == "./out" { // deploy/secrets.sh creates it
				continue
			}
			if strings.HasPrefix(source, ".") {
				_, err := os.Stat(filepath.Join("..", source))
				assert.NoError(t, err, name)
				continue
			}
			assert.Contains(t, c.Volumes, source, name)
		}
	}
}

func TestTheNamespaceJobMakesEverySearchAttribute(t *testing.T) {
	t.Parallel()
	script := read(t, "deploy/temporal-namespace.sh")
	made := map[string]string{}
	for _, m := range regexp.MustCompile(`--name (\S+) --type (\S+)`).FindAllStringSubmatch(script, -1) {
		made[m[1]] = m[2]
	}
	assert.Equal(t, egress.Attributes(), made)
	assert.Equal(t, "168h", *load(t).Services["temporal-namespace"].Environment["RETENTION"], "seven days at least")
}

func TestComposeAcceptsTheFile(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "docker", "compose", "version").Run(); err != nil {
		t.Skip("docker compose is not installed here; the other tests read the file by themselves")
	}
	for _, env := range []string{"/dev/null", "../.env.example"} {
		cmd := exec.CommandContext(t.Context(), "docker", "compose", "--env-file", env, "--file", "../docker-compose.yml", "config", "--quiet")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "with %s: %s", env, out)
		assert.Empty(t, string(out), "with %s: warnings", env)
	}
}
