package deploy_test

import (
	"os/exec"
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
