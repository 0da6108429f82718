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
