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
	want := captures.table() + "\n" + doubles.table() + "\n" + unplayedTable()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+want+end+after), 0o600))
		return
	}
	require.Equal(t, want, table, "go test ./e2e -run TableOfDifferences -update")
}

// Each capture is played on both sides, or is in the table of those that are not.
func TestEachCaptureIsPlayedOrSaidNotToBe(t *testing.T) {
	t.Parallel()
	const captured = 66
	seen := map[string]bool{}
	once := func(dir string) {
		require.False(t, seen[dir], dir)
		seen[dir] = true
	}
	for _, sc := range scenarios {
		if !sc.uncaught {
			once(sc.dir)
		}
	}
	for _, o := range breakdowns {
		once(o.dir)
	}
	for _, u := range unplayed {
		for dir := range strings.FieldsSeq(u.dirs) {
			once(dir)
		}
	}
	require.Len(t, seen, captured)
}

// unplayedTable returns what is not played, in Markdown.
func unplayedTable() string {
	var b strings.Builder
	b.WriteString("Captured, and played to neither:\n\n| capture | why |\n|---|---|\n")
	for _, u := range unplayed {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(u.dirs, " ", "`, `"), u.because)
	}
	return b.String()
}

// table returns the differences in Markdown.
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
