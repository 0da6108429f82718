package fakelivekit_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

var update = flag.Bool("update", false, "write the table of faults into the docs")

const (
	beginFaults = "<!-- faults -->\n"
	endFaults   = "<!-- /faults -->"
)

func TestTheDocsHaveTheTableOfFaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "failure-modes.md")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, begins := strings.Cut(string(b), beginFaults)
	table, after, ends := strings.Cut(rest, endFaults)
	require.True(t, begins && ends, "%s has no table between %s and %s", path, strings.TrimSpace(beginFaults), endFaults)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+beginFaults+fakelivekit.FaultTable()+endFaults+after), 0o644))
		return
	}
	require.Equal(t, fakelivekit.FaultTable(), table, "the docs are out of date: go test ./internal/fakelivekit -run TableOfFaults -update")
}

func TestTheTableSaysWhatEachFaultIsDecidedFor(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"| `webhook-lost` | event | ", "| `room-webhook-lost` | event | ",
		"| `reply-lost` | egress | ", "| `zombie` | egress | ", "| `no-echo` | egress | ",
		"| `start-refused` | call | ", "| `rate-limited` | call | ", "| `api-down` | call | ",
	} {
		assert.Contains(t, fakelivekit.FaultTable(), want)
	}
}
