package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of settings into the README")

const (
	beginTable = "<!-- settings -->\n"
	endTable   = "<!-- /settings -->"
)

func TestTheReadmeHasTheTableOfSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "README.md")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, begins := strings.Cut(string(b), beginTable)
	table, after, ends := strings.Cut(rest, endTable)
	require.True(t, begins && ends, "%s has no table between %s and %s", path, strings.TrimSpace(beginTable), endTable)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+beginTable+Table()+endTable+after), 0o644))
		return
	}
	require.Equal(t, Table(), table, "the README is out of date: go test ./internal/config -run Readme -update")
}

func TestTheReadmeNamesTheSecretsThatMayBeInAFile(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(b), "A secret may be in a file instead")
	line, _, _ := strings.Cut(after, "\n")
	for _, name := range Secrets() {
		assert.Contains(t, line, "`"+name+"`")
	}
}

func TestEverySettingSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	for _, s := range settings(&Config{}) {
		assert.Regexp(t, `^[^|\n]+\.$`, s.doc, s.name)
	}
}

func TestTheTableShowsDefaultsAsAPersonWritesThem(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"| `REELKEEPER_ANNOUNCE_FOR` | How long an announcement is tried before a person is asked. | `72h` | – |\n",
		"| `15s,30s,1m` |", "| `1m30s` |", "| `500` |", "| `info` |", "| `false` |", "| `9s` |", "| `2s` |",
		"| worker, serve |\n",
	} {
		assert.Contains(t, Table(), want)
	}
}

func TestNearestSuggestsOnlyWhatIsNear(t *testing.T) {
	t.Parallel()
	names := []string{"REELKEEPER_LISTEN", "REELKEEPER_SEAL_KEY", "REELKEEPER_CODEC_ORIGIN", "REELKEEPER_CODEC_TOKEN_FILE", "LIVEKIT_URL"}
	for typed, want := range map[string]string{
		"REELKEEPER_LISTN":             "REELKEEPER_LISTEN",
		"REELKEEPER_SEALKEY":           "REELKEEPER_SEAL_KEY",
		"REELKEEPER_SEAL_KEYS":         "REELKEEPER_SEAL_KEY",
		"REELKEEPER_NONSENSE":          "",
		"REELKEEPER_LIVEKIT_URL":       "LIVEKIT_URL",
		"REELKEEPER_LIVKIT_URL":        "LIVEKIT_URL",
		"REELKEEPER_CODEC_ORIGIN_FILE": "REELKEEPER_CODEC_ORIGIN",
		"REELKEEPER_":                  "",
	} {
		assert.Equal(t, want, nearestVariable(typed, names), typed)
	}
}
