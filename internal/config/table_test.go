package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	if !begins || !ends {
		t.Fatalf("%s has no table between %s and %s", path, strings.TrimSpace(beginTable), endTable)
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+beginTable+Table()+endTable+after), 0o644))
		return
	}
	if table != Table() {
		t.Errorf("the table of settings in %s is out of date: go test ./internal/config -run Readme -update", path)
	}
}

func TestTheReadmeNamesTheSecretsThatMayBeInAFile(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(b), "A secret may be in a file instead")
	line, _, _ := strings.Cut(after, "\n")
	for _, name := range Secrets() {
		if !found || !strings.Contains(line, "`"+name+"`") {
			t.Errorf("the README does not say that %s may be in a file", name)
		}
	}
}

func TestEverySettingSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	for _, s := range settings(&Config{}) {
		if !strings.HasSuffix(s.doc, ".") || strings.ContainsAny(s.doc, "|\n") {
			t.Errorf("%s: the meaning %q is no sentence for a table", s.name, s.doc)
		}
	}
}

func TestTheTableShowsDefaultsAsAPersonWritesThem(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"| `REELKEEPER_ANNOUNCE_FOR` | How long an announcement is tried before a person is asked. | `72h` | – |\n",
		"| `15s,30s,1m` |", "| `1m30s` |", "| `500` |", "| `info` |", "| `false` |", "| `9s` |", "| `2s` |",
		"| worker, serve |\n",
	} {
		if !strings.Contains(Table(), want) {
			t.Errorf("the table lacks %q", want)
		}
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
		if got := nearest(typed, names); got != want {
			t.Errorf("%s: got %q, want %q", typed, got, want)
		}
	}
}
