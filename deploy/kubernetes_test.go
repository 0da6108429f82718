package deploy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/config"
)

// Tests in deploy/strict check the manifests with Kubernetes' own types.
func TestTheSettingsOfAClusterAreValid(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"LIVEKIT_API_KEY": "APIkey"} // from the Secret
	for _, name := range []string{"base/settings.env", "overlays/production/settings.env"} {
		for line := range strings.Lines(read(t, "deploy/kubernetes/"+name)) {
			if variable, value, is := strings.Cut(strings.TrimSpace(line), "="); is && !strings.HasPrefix(line, "#") {
				environ[variable] = value
			}
		}
	}
	for variable, path := range environ {
		if strings.HasSuffix(variable, "_FILE") {
			assert.True(t, strings.HasPrefix(path, "/run/secrets/reelkeeper/"), variable)
			environ[variable] = secretFile(t, "APIold: "+strings.Repeat("s", 32))
		}
	}
	for _, role := range []config.Role{config.Worker, config.Serve} {
		_, err := config.Load(environ, role)
		require.NoError(t, err)
	}
	_, err := config.TemporalOptions(environ)
	require.NoError(t, err)
	assert.Equal(t, "0.0.0.0:7980", environ["REELKEEPER_LISTEN"], "as the manifests' ports have it")
	assert.Equal(t, "0.0.0.0:7981", environ["REELKEEPER_ADMIN_LISTEN"])
}

func TestAnUpgradeNamesDeploymentsAndContainersThatAreThere(t *testing.T) {
	t.Parallel()
	deployment := regexp.MustCompile(`(?s)kind: Deployment\nmetadata:\n  name: (\S+)\n.*?\n +containers:\n +- name: (\S+)\n`)
	there := map[string]string{}
	for _, name := range []string{"worker", "starter"} {
		m := deployment.FindStringSubmatch(read(t, "deploy/kubernetes/base/"+name+".yaml"))
		require.NotNil(t, m, name)
		there[m[1]] = m[2]
	}
	page := read(t, "docs/upgrades.md")
	for _, m := range regexp.MustCompile(` deployment/(\S+)`).FindAllStringSubmatch(page, -1) {
		assert.Contains(t, there, m[1])
	}
	set := map[string]string{}
	for _, m := range regexp.MustCompile(`set image deployment/(\S+) (\S+)=`).FindAllStringSubmatch(page, -1) {
		set[m[1]] = m[2]
	}
	assert.Equal(t, there, set)
}

// If one of the two is down, the commands run in the other.
func TestTheCommandsHaveTwoPlacesToRunInWithTheSameSettings(t *testing.T) {
	t.Parallel()
	_, where, _ := strings.Cut(read(t, "docs/operations.md"), "## Where the commands run\n")
	where, _, _ = strings.Cut(where, "\n## ")
	var services, deployments []string
	for _, m := range regexp.MustCompile("`docker compose exec (\\S+) starter ").FindAllStringSubmatch(where, -1) {
		services = append(services, m[1])
	}
	for _, m := range regexp.MustCompile("`kubectl [^`]* exec deploy/reelkeeper-(\\S+) -- starter ").FindAllStringSubmatch(where, -1) {
		deployments = append(deployments, m[1])
	}
	assert.ElementsMatch(t, ours, services)
	assert.ElementsMatch(t, ours, deployments)

	c := load(t).Services
	for _, name := range ours {
		delete(c[name].Environment, "GOMEMLIMIT")
	}
	assert.Equal(t, c["worker"].Environment, c["starter"].Environment)
	assert.Equal(t, c["worker"].Secrets, c["starter"].Secrets)
	from := regexp.MustCompile(`configMapRef: .*|secretKeyRef: .*|secretName: .*|mountPath: /run/secrets.*`)
	assert.Equal(t, from.FindAllString(read(t, "deploy/kubernetes/base/worker.yaml"), -1), from.FindAllString(read(t, "deploy/kubernetes/base/starter.yaml"), -1))
}
