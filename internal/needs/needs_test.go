package needs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A first run of CI fetches them all before its tests, which then do not wait for a registry.
func TestTheNodeModulesOfAllProjectsCanBeHad(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("may download for minutes")
	}
	for _, project := range []string{"e2e/node", "examples/pipeline/typescript", "storage/testdata/azurite"} {
		require.DirExists(t, NodeModules(t, filepath.Join("..", "..", project)))
	}
}

// failing returns a PATH with an npm that fails so many times, and says how often it ran.
func failing(t *testing.T, times string) (path string, tried func() int) {
	t.Helper()
	bin := t.TempDir()
	log := filepath.Join(bin, "log")
	Executable(t, filepath.Join(bin, "npm"), "#!/bin/sh\necho \"$@\" >>"+log+"\n[ -e package-lock.json ] && [ ! -e half ] && [ $(wc -l <"+log+") -gt "+times+
		" ] && mkdir node_modules && exit\ntouch half; echo cut >&2; exit 1\n")
	return bin + ":" + os.Getenv("PATH"), func() int {
		b, err := os.ReadFile(log)
		require.NoError(t, err)
		return strings.Count(string(b), "ci ")
	}
}

// project makes a Node project, and an empty cache.
func project(t *testing.T) string {
	t.Helper()
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // for other systems
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600))
	}
	return dir
}

func left(t *testing.T) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	all, err := filepath.Glob(filepath.Join(cache, "reelkeeper", "unfinished-*"))
	require.NoError(t, err)
	return all
}

func TestADownloadThatIsCutIsTriedAgainInANewFolder(t *testing.T) {
	path, tried := failing(t, "2")
	t.Setenv("PATH", path)
	modules, err := nodeModules(project(t))
	require.NoError(t, err)
	require.DirExists(t, modules)
	require.Equal(t, 3, tried())
	require.Empty(t, left(t))
}

func TestARegistryThatIsDownIsToldInNpmsWords(t *testing.T) {
	path, tried := failing(t, "9")
	t.Setenv("PATH", path)
	_, err := nodeModules(project(t))
	require.ErrorContains(t, err, "npm ci: exit status 1: cut")
	require.Equal(t, 3, tried())
	require.Empty(t, left(t))
}
