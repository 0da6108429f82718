package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of differences into docs/real-livekit.md")

func TestTheDocsHaveTheTableOfDifferences(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- differences -->\n", "<!-- /differences -->"
	path := filepath.Join("..", "docs", "real-livekit.md")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, begins := strings.Cut(string(b), begin)
	table, after, ends := strings.Cut(rest, end)
	require.True(t, begins && ends)
	want := captures.table() + "\n" + doubles.table()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+want+end+after), 0o600))
		return
	}
	require.Equal(t, want, table, "go test ./e2e -run TableOfDifferences -update")
}

// table is the differences in Markdown.
func (s *sameness) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Between %s and %s:\n\n| scenario: step | field | why |\n|---|---|---|\n", s.one, s.other)
	for n, d := range s.differences {
		because := d.because
		if strings.HasPrefix(because, "the same") && n > 0 {
			because = "as above" + strings.TrimPrefix(because, "the same")
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", d.step, d.path, because)
	}
	return b.String()
}
