package strict_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the repository.
const root = "../.."

// composed returns docker-compose.yml as Docker Compose reads it, with the settings of .env.example
// and every profile. Compose's own schema rejects what it does not know.
func composed(t *testing.T) *types.Project {
	t.Helper()
	p, err := composedWith(t, nil)
	require.NoError(t, err)
	require.Len(t, p.Services, 12)
	return p
}

// composedWith is composed with additional settings and files.
func composedWith(t *testing.T, settings map[string]string, beside ...string) (*types.Project, error) {
	t.Helper()
	return loaded(t, root, settings, []string{"*"}, append([]string{"docker-compose.yml"}, beside...)...)
}

// loaded returns files of a folder as Compose reads them, with these profiles, and with settings in
// addition to those of .env.example.
func loaded(t *testing.T, folder string, settings map[string]string, profiles []string, names ...string) (*types.Project, error) {
	t.Helper()
	env, err := dotenv.Read(filepath.Join(root, ".env.example"))
	require.NoError(t, err)
	maps.Copy(env, settings)
	var files []types.ConfigFile
	for _, name := range names {
		files = append(files, types.ConfigFile{Filename: filepath.Join(folder, name)})
	}
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{WorkingDir: folder, ConfigFiles: files, Environment: env},
		func(o *loader.Options) { o.Profiles = profiles })
}

// once reports whether a service is a job that runs to completion.
func once(s types.ServiceConfig) bool { return strings.HasPrefix(s.Restart, "on-failure") }

func TestComposeTakesTheFile(t *testing.T) {
	t.Parallel()
	p := composed(t)
	assert.Equal(t, "reelkeeper", p.Name)
	for name, s := range p.Services {
		if slices.Contains(s.Profiles, "livekit") {
			assert.Contains(t, []string{"livekit", "egress", "redis"}, name)
		} else {
			assert.Empty(t, s.Profiles, name)
		}
	}
}

func TestEveryServiceIsPinnedCheckedAndRestarted(t *testing.T) {
	t.Parallel()
	for name, s := range composed(t).Services {
		if s.Image != "reelkeeper:local" {
			assert.Regexp(t, `^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-alpine)?$`, s.Image, "%s: a version, no floating one", name)
			assert.Regexp(t, `\d+\.\d+\.\d+|^postgres:\d+\.\d+-`, s.Image, "%s: to the last digit", name)
		}
		if once(s) {
			assert.Nil(t, s.HealthCheck, "%s ends", name)
			continue
		}
		assert.Equal(t, "unless-stopped", s.Restart, name)
		require.NotNil(t, s.HealthCheck, name)
		assert.NotNil(t, s.HealthCheck.Interval, name)
		assert.NotNil(t, s.HealthCheck.Timeout, name)
		assert.NotNil(t, s.HealthCheck.StartPeriod, name)
		assert.Equal(t, "CMD", s.HealthCheck.Test[0], "%s: no shell is needed", name)
		if s.HealthCheck.Test[1] == "wget" { // Docker may hand the proxy of its own settings to every container
			without := "-Y off" // BusyBox's, which knows no NO_PROXY
			if name == "egress" {
				without = "--no-proxy" // GNU's
			}
			assert.Contains(t, strings.Join(s.HealthCheck.Test, " "), " "+without+" ", name)
		}
	}
}

// Two services that build one image export it at the same time, and the second fails if containerd stores the
// images.
func TestEachImageIsBuiltByOneService(t *testing.T) {
	t.Parallel()
	p := composed(t)
	built := map[string]string{}
	for name, s := range p.Services {
		if s.Build != nil {
			assert.Empty(t, built[s.Image], "%s builds %s, too", name, s.Image)
			built[s.Image] = name
		}
	}
	assert.Equal(t, map[string]string{"reelkeeper:local": "worker"}, built)
	starter := p.Services["starter"]
	assert.Equal(t, "reelkeeper:local", starter.Image)
	assert.Equal(t, types.PullPolicyNever, starter.PullPolicy, "no registry has it")
}

func TestARollbackFindsTheImageOfItsRelease(t *testing.T) {
	t.Parallel()
	p, err := composedWith(t, map[string]string{"IMAGE": "reelkeeper:v0.1.0", "VERSION": "v0.1.0", "COMMIT": "abc"})
	require.NoError(t, err)
	for _, name := range []string{"worker", "starter"} {
		assert.Equal(t, "reelkeeper:v0.1.0", p.Services[name].Image, name)
	}
	args := p.Services["worker"].Build.Args.ToMapping()
	assert.Equal(t, types.Mapping{"VERSION": "v0.1.0", "COMMIT": "abc"}, args)
	for name := range args {
		assert.Regexp(t, `(?m)^ARG .*\b`+name+`=`, string(read(t, "Dockerfile")))
	}
}

func TestNoServiceFillsTheDiskWithLogs(t *testing.T) {
	t.Parallel()
	for name, s := range composed(t).Services {
		if assert.NotNil(t, s.Logging, name) {
			assert.Equal(t, "local", s.Logging.Driver, name)
			assert.Regexp(t, `^\d+m$`, s.Logging.Options["max-size"], name)
			assert.Regexp(t, `^\d$`, s.Logging.Options["max-file"], name)
		}
	}
}

func TestOursMayTakeTheMemoryThatTheyMayInACluster(t *testing.T) {
	t.Parallel()
	p := composed(t)
	inCluster := pods(render(t, "production"))
	for _, name := range []string{"worker", "starter"} {
		limit := inCluster["reelkeeper-"+name].Spec.Containers[0].Resources.Limits.Memory().Value()
		assert.Equal(t, limit, int64(p.Services[name].MemLimit), name)
		assert.Equal(t, *p.Services[name].Environment["GOMEMLIMIT"], goLimit(inCluster["reelkeeper-"+name]), name)
	}
	for _, name := range []string{"prometheus", "grafana", "temporal-ui", "redis"} {
		assert.NotZero(t, p.Services[name].MemLimit, name)
	}
}

// A typo in .env must fail in the process, and a file of storage profiles may name variables set there.
func TestAllOfTheEnvironmentFileReachesOurs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "docker-compose.yml"), read(t, "docker-compose.yml"), 0o600))
	given := map[string]string{
		"REELKEEPER_ANOUNCE_URL": "https://consumer.example", "S3_ACCESS_KEY": "key",
		"REELKEEPER_LISTEN": "127.0.0.1:1", "TEMPORAL_ADDRESS": "elsewhere:7233",
	}
	var lines strings.Builder
	for name, value := range given {
		lines.WriteString(name + "=" + value + "\n")
	}
	for _, there := range []bool{false, true} {
		if there {
			require.NoError(t, os.WriteFile(filepath.Join(folder, ".env"), []byte(lines.String()), 0o600))
		}
		p, err := loaded(t, folder, nil, nil, "docker-compose.yml")
		require.NoError(t, err)
		for _, name := range []string{"worker", "starter"} {
			environ := p.Services[name].Environment.ToMapping()
			for _, variable := range []string{"REELKEEPER_ANOUNCE_URL", "S3_ACCESS_KEY"} {
				value, has := environ[variable]
				assert.Equal(t, there, has, "%s: %s", name, variable)
				if there {
					assert.Equal(t, given[variable], value, name)
				}
			}
			assert.Equal(t, "0.0.0.0:7980", environ["REELKEEPER_LISTEN"], name)
			assert.Equal(t, "temporal:7233", environ["TEMPORAL_ADDRESS"], name)
		}
	}
}

func TestEveryServiceIsLockedUp(t *testing.T) {
	t.Parallel()
	for name, s := range composed(t).Services {
		assert.NotRegexp(t, `^(0(:|$)|root)`, s.User, name)
		assert.NotEmpty(t, s.User, "%s: whom an image runs as by itself may change", name)
		assert.True(t, s.ReadOnly, name)
		assert.Equal(t, []string{"ALL"}, s.CapDrop, name)
		assert.Equal(t, []string{"no-new-privileges:true"}, s.SecurityOpt, name)
		assert.False(t, s.Privileged, name)
		assert.Empty(t, s.NetworkMode, name)
		assert.NotEmpty(t, s.Networks, name)
		assert.Empty(t, s.CapAdd, name)
		for _, v := range s.Volumes {
			assert.True(t, v.ReadOnly || v.Type == types.VolumeTypeVolume || v.Target == "/out", "%s can write to %s", name, v.Source)
			assert.NotContains(t, v.Source, "docker.sock", name)
		}
	}
}

func TestPortsAreOfThisMachineAlone(t *testing.T) {
	t.Parallel()
	taken := map[string]string{}
	for name, s := range composed(t).Services {
		for _, port := range s.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, name)
			where := port.Published + "/" + port.Protocol
			assert.Empty(t, taken[where], "%s wants %s too", name, where)
			taken[where] = name
		}
	}
	assert.Equal(t, []string{
		"3000/tcp", "7233/tcp", "7880/tcp", "7881/tcp", "7882/udp", "7980/tcp", "8233/tcp", "9090/tcp",
	}, slices.Sorted(maps.Keys(taken)), "no admin address, no database")
}

func TestNetworksKeepApartWhatNeedNotMeet(t *testing.T) {
	t.Parallel()
	p := composed(t)
	members := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		for network := range p.Services[name].Networks {
			members[network] = append(members[network], name)
		}
	}
	assert.Equal(t, []string{"postgresql", "temporal", "temporal-schema"}, members["store"])
	assert.Equal(t, []string{"egress", "livekit", "redis"}, members["livekit"])
	assert.Equal(t, []string{"egress"}, members["recorder"])
	assert.NotContains(t, members["default"], "egress", "a page that it records could reach Temporal")
	assert.True(t, p.Networks["store"].Internal)
	assert.True(t, p.Networks["livekit"].Internal)
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	p := composed(t)
	made := string(read(t, "deploy/secrets.sh"))
	used := map[string]bool{}
	for name, s := range p.Services {
		for _, secret := range s.Secrets {
			used[secret.Source] = true
		}
		for variable, value := range s.Environment {
			if value == nil {
				continue
			}
			if strings.HasSuffix(variable, "_FILE") && strings.HasPrefix(*value, "/run/secrets/") {
				assert.True(t, slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return "/run/secrets/"+c.Source == *value }),
					"%s: %s is not mounted", name, *value)
				continue
			}
			assert.NotRegexp(t, `(SECRET|PASSWORD|TOKEN|PWD|SEAL_KEY)$`, variable, "%s: a secret is in its environment", name)
		}
	}
	for name, secret := range p.Secrets {
		assert.True(t, used[name], "%s is used by nobody", name)
		assert.Equal(t, name, filepath.Base(secret.File))
		assert.Regexp(t, `(?m)^for name in .*\b`+name+`\b`, made, "deploy/secrets.sh does not make it")
	}
}

// Nothing waits for a Temporal of its own or a job that sets one up, and everything else is as without
// Cloud.
func TestWhatIsForTemporalCloudNeedsNoTemporalBesideIt(t *testing.T) {
	t.Parallel()
	alone := composed(t)
	for name, brings := range map[string]map[string]string{
		"api-key": {"TEMPORAL_API_KEY_FILE": "/run/secrets/temporal_api_key"},
		"mtls": {
			"TEMPORAL_TLS_CLIENT_CERT_PATH": "/run/secrets/temporal_tls_cert",
			"TEMPORAL_TLS_CLIENT_KEY_PATH":  "/run/secrets/temporal_tls_key",
		},
	} {
		file := filepath.Join("deploy", "cloud", name+".yml")
		_, err := composedWith(t, nil, file)
		require.ErrorContains(t, err, "TEMPORAL_ADDRESS", name)
		p, err := composedWith(t, map[string]string{"TEMPORAL_ADDRESS": "cloud:7233", "TEMPORAL_NAMESPACE": "recordings.a1b2c"}, file)
		require.NoError(t, err, name)
		for _, of := range []string{"worker", "starter"} {
			s := p.Services[of]
			assert.Empty(t, s.DependsOn, name)
			want := map[string]string{"TEMPORAL_ADDRESS": "cloud:7233", "TEMPORAL_NAMESPACE": "recordings.a1b2c"}
			maps.Copy(want, brings)
			mounted := map[string]bool{}
			for _, secret := range s.Secrets {
				mounted["/run/secrets/"+secret.Source] = true
				assert.Contains(t, p.Secrets, secret.Source, name)
			}
			for _, path := range brings {
				assert.True(t, mounted[path], "%s: %s is not mounted", name, path)
			}
			for variable, value := range alone.Services[of].Environment {
				if _, changed := want[variable]; !changed && value != nil {
					want[variable] = *value
				}
			}
			got := map[string]string{}
			for variable, value := range s.Environment {
				if value != nil {
					got[variable] = *value
				}
			}
			assert.Equal(t, want, got, name)
			assert.Len(t, s.Secrets, len(alone.Services[of].Secrets)+len(brings), name)
		}
	}
}

// With the files that COMPOSE_FILE names, as set in .env by a user who follows the head of the
// file.
func TestTemporalCloudStartsNoTemporalBesideIt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"api-key", "mtls"} {
		file := "deploy/cloud/" + name + ".yml"
		line := regexp.MustCompile(`(?m)^#   COMPOSE_FILE=(\S+)$`).FindSubmatch(read(t, file))
		require.NotNil(t, line, file)
		names := strings.Split(string(line[1]), ":")
		assert.Equal(t, []string{"docker-compose.yml", file}, names)
		p, err := loaded(t, root, map[string]string{"TEMPORAL_ADDRESS": "cloud:7233"}, nil, names...)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"grafana", "prometheus", "starter", "worker"}, p.ServiceNames(), name)
		p, err = loaded(t, root, map[string]string{"TEMPORAL_ADDRESS": "cloud:7233"}, []string{"livekit"}, names...)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"egress", "grafana", "livekit", "prometheus", "redis", "starter", "worker"}, p.ServiceNames(), name)
	}
	assert.Contains(t, string(read(t, ".env.example")), "\n#COMPOSE_FILE=docker-compose.yml:deploy/cloud/api-key.yml\n")
}

func TestOursHaveTheTimeToStop(t *testing.T) {
	t.Parallel()
	p := composed(t)
	for _, name := range []string{"worker", "starter"} {
		assert.GreaterOrEqual(t, time.Duration(*p.Services[name].StopGracePeriod), stopping[name], name)
	}
}

// The line is run as Compose leaves it, with a server that prints what it was given.
func TestTemporalGetsThePasswordOfItsFile(t *testing.T) {
	t.Parallel()
	entrypoint := composed(t).Services["temporal"].Entrypoint
	require.Len(t, entrypoint, 3)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("hush\n"), 0o600))
	line := strings.ReplaceAll(entrypoint[2], "/run/secrets/postgres_password", file)
	require.NotEqual(t, entrypoint[2], line)
	line = strings.ReplaceAll(line, "/etc/temporal/entrypoint.sh", "env")
	out, err := exec.CommandContext(t.Context(), entrypoint[0], entrypoint[1], line).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "POSTGRES_PWD=hush\n")
}

func TestWhatIsMountedIsThere(t *testing.T) {
	t.Parallel()
	for name, s := range composed(t).Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && v.Target != "/out" {
				_, err := os.Stat(v.Source)
				assert.NoError(t, err, name)
			}
		}
	}
}

// read returns a file of the repository.
func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return b
}
