package deploy_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheImageIsBuiltFromAllThatItsCommandsNeed(t *testing.T) {
	t.Parallel()
	const module = "github.com/reelkeeper/reelkeeper/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./worker", "./starter")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	sent := strings.Split(read(t, ".dockerignore"), "\n")
	for pkg := range strings.Lines(string(out)) {
		if path, ours := strings.CutPrefix(strings.TrimSpace(pkg), module); ours {
			folder, _, _ := strings.Cut(path, "/")
			assert.Contains(t, sent, "!"+folder, "%s does not reach the builder", pkg)
		}
	}
}

func TestOneGoCompilesWhatIsReleased(t *testing.T) {
	t.Parallel()
	inImage := regexp.MustCompile(`golang:(\S+)-alpine`).FindStringSubmatch(read(t, "Dockerfile"))
	require.NotNil(t, inImage)
	assert.Contains(t, read(t, "release.sh"), " GOTOOLCHAIN=go"+inImage[1]+" ", "as in the image")
	for _, name := range []string{".ci/run", "CONTRIBUTING.md"} {
		assert.Contains(t, read(t, name), " golang:"+inImage[1]+"-bookworm ", name)
	}
}
