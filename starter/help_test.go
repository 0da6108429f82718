package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachCommandHasAManualWhoseExamplesAreUnderstood(t *testing.T) {
	t.Parallel()
	root := deps{}.root()
	for _, c := range root.Commands {
		require.Contains(t, c.Description, "\n  starter "+c.Name, "an example of %s", c.Name)
	}
	for name, text := range manual {
		for line := range strings.Lines(text) {
			example, ok := strings.CutPrefix(line, "  starter ")
			if !ok {
				continue
			}
			s := newShell()
			s.waiting = waitingFor("announce")
			got := s.run(t, words(t, example)...)
			require.NotEqual(t, 2, got.status, "%s: %s: %s", name, example, got.stderr)
		}
	}
}

func TestTheHelpOfEachKindNamesThePlaceholdersOfItsPaths(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"room-composite":  "{room_name}, {room_id}, {time} and {part}",
		"participant":     "{room_name}, {room_id}, {time}, {publisher_identity} and {part}",
		"track-composite": "{room_name}, {room_id}, {time}, {publisher_identity} and {part}",
		"track":           "{room_name}, {room_id}, {time}, {publisher_identity}, {track_id}, {track_type}, {track_source} and {part}",
		"web":             "{time} and {part}",
	} {
		require.Contains(t, newShell().run(t, "start", kind, "--help").stdout, "which may hold "+want+"\n")
	}
}

// words splits a line as a shell would.
func words(t *testing.T, line string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `each() { printf '%s\0' "$@"; }; each `+strings.Split(line, " >")[0])
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}
