package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unpasted are the pages whose blocks are exempt from this test.
var unpasted = map[string]string{
	"docs/agents/curl.md": "its script is run from a file",
}

var (
	shellBlock = regexp.MustCompile("(?ms)^ *```(?:sh)?\n(.*?)^ *```$|^ *```.+?^ *```$")
	comment    = regexp.MustCompile(`(^|\s)#(\s|$)`)
)

// An interactive zsh, as on a Mac, does not support comments: their words become arguments, and
// their punctuation globs, quotes and ends of commands.
func TestCommandsThatArePastedHaveNoComments(t *testing.T) {
	t.Parallel()
	blocks := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/agents/*.md"} {
		pages, err := filepath.Glob(filepath.Join("..", pattern))
		require.NoError(t, err)
		for _, page := range pages {
			name, err := filepath.Rel("..", page)
			require.NoError(t, err)
			if unpasted[filepath.ToSlash(name)] != "" {
				continue
			}
			b, err := os.ReadFile(page)
			require.NoError(t, err)
			for _, block := range shellBlock.FindAllStringSubmatch(string(b), -1) {
				blocks += min(1, len(block[1]))
				for line := range strings.Lines(block[1]) {
					assert.NotRegexp(t, comment, line, name)
				}
			}
		}
	}
	require.Greater(t, blocks, 20)
}
