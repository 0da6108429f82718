package strict_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// As docs/upgrades.md has it.
func TestAnOldVersionsWorkersRunBesideTheNewAndAreScraped(t *testing.T) {
	t.Parallel()
	snippet := regexp.MustCompile("(?s)```yaml\n(services:\n  worker-v1:.*?)```").FindSubmatch(read(t, "docs/upgrades.md"))
	require.NotNil(t, snippet)
	file := filepath.Join(t.TempDir(), "old.yml")
	require.NoError(t, os.WriteFile(file, snippet[1], 0o600))
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	name, err := filepath.Rel(here, file)
	require.NoError(t, err)
	p, err := loaded(t, root, map[string]string{"IMAGE": "reelkeeper:v2"}, nil, "docker-compose.yml", name)
	require.NoError(t, err)
	was, old, now := composed(t).Services["worker"], p.Services["worker-v1"], p.Services["worker"]
	assert.Equal(t, "reelkeeper:v2", now.Image)
	assert.Equal(t, "reelkeeper:v1", old.Image)
	assert.Nil(t, old.Build, "the next build would put new code under the old version")
	assert.Equal(t, was.Command, old.Command)
	assert.Equal(t, was.Environment, old.Environment)
	assert.Contains(t, string(read(t, "deploy/prometheus/prometheus.yml")), "names: [worker],")
	assert.Equal(t, []string{"worker"}, old.Networks["default"].Aliases)
	assert.Contains(t, p.Services["prometheus"].Networks, "default")
	for network := range now.Networks {
		assert.Contains(t, old.Networks, network)
	}
}
