package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

func TestEachCommandHasAManualWhoseExamplesAreUnderstood(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	wantExamples(t, deps{}.root(), "", documented)
	for name, text := range manual {
		require.True(t, documented[name], "the manual has %q, which is no command", name)
		for line := range strings.Lines(text) {
			if example, ok := strings.CutPrefix(line, "  starter "); ok {
				requireUnderstood(t, name, example)
			}
		}
	}
}

// wantExamples requires an example of a command, and of each one below it.
func wantExamples(t *testing.T, c *cli.Command, name string, documented map[string]bool) {
	t.Helper()
	documented[name] = true
	require.Regexp(t, `(?m)^  `+strings.TrimSpace("starter "+name)+`( |$)`, c.Description, "an example of %q", name)
	for _, sub := range c.Commands {
		wantExamples(t, sub, strings.TrimSpace(name+" "+sub.Name), documented)
	}
}

func TestTheHelpOfEachFlagHasOneDefault(t *testing.T) {
	t.Parallel()
	wantOneDefault(t, deps{}.root())
}

// wantOneDefault requires it of the flags of a command and of each one below it. The help must also
// say what a default of 0 means.
func wantOneDefault(t *testing.T, c *cli.Command) {
	t.Helper()
	for _, f := range c.Flags {
		require.LessOrEqual(t, strings.Count(f.String(), "(default:"), 1, "%s: %s", c.Name, f)
		if strings.Contains(f.String(), "(default: 0") {
			require.Contains(t, f.String(), "; 0 ", "%s: what a zero means", c.Name)
		}
	}
	for _, sub := range c.Commands {
		wantOneDefault(t, sub)
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

var (
	fenced = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	// command matches a command line, also one that another program is to run.
	command  = regexp.MustCompile(`(?m)^(?:.*[ /])?starter (\S.*)$`)
	redirect = regexp.MustCompile(` [<>].*`)
)

func TestEachCommandInTheDocsIsUnderstood(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	commands := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range fenced.FindAllString(string(text), -1) {
			for _, m := range command.FindAllStringSubmatch(block, -1) {
				requireUnderstood(t, page, m[1])
				commands++
			}
		}
	}
	require.Greater(t, commands, 20)
}

// requireUnderstood requires that a command line gets as far as its first call, which fails so that
// nothing is written.
func requireUnderstood(t *testing.T, where, line string) {
	t.Helper()
	s := newShell()
	s.stdin, s.err = `{"room_composite": {"room_name": "standup"}}`, errors.New("called")
	got := s.run(t, words(t, line)...)
	require.NotEqual(t, 2, got.status, "%s: %s: %s", where, line, got.stderr)
	require.Contains(t, got.stdout+got.stderr, "called", "%s: %s", where, line)
}

// words splits a line as a shell would. A script in the docs sets $day first.
func words(t *testing.T, line string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `each() { printf '%s\0' "$@"; }; each `+redirect.ReplaceAllString(line, ""))
	cmd.Env = append(os.Environ(), "day=2026-05-04")
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}
