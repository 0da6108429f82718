package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

// commandVariable makes the test binary the command, so that a test can kill it.
const commandVariable = "REELKEEPER_FAULTS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" || os.Getenv(commandVariable) != "" {
		os.Exit(start())
	}
	code := m.Run()
	_ = os.RemoveAll(binaries)
	os.Exit(code)
}

// binaries holds worker and starter, built once for all tests.
var binaries = filepath.Join(os.TempDir(), fmt.Sprintf("reelkeeper-faults-test-%d", os.Getpid()))

var buildOnce = sync.OnceValue(func() error {
	_, err := build(context.Background(), binaries, os.Stderr)
	return err
})

func built(t *testing.T) string {
	t.Helper()
	require.NoError(t, buildOnce())
	return binaries
}

// outcome is the result of a command line.
type outcome struct {
	status         int
	stdout, stderr string
}

func perform(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := command(t.Context(), append([]string{"faults"}, args...), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// asProcess returns the command as a process of its own.
func asProcess(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), commandVariable+"=1")
	return c
}

func TestWhatIsTypedWrongIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	taken := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(taken, "x"), nil, 0o600))
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"an argument":         {[]string{"now"}, "faults: now: is not an argument of faults\n"},
		"an unknown flag":     {[]string{"--loud"}, "faults: --loud: is not a flag of faults; see faults --help\n"},
		"no such scenario":    {[]string{"--scenario", "none.yaml"}, "faults: --scenario: open none.yaml: no such file or directory\n"},
		"no lives":            {[]string{"--scenario", "ci.yaml", "--lives", "0"}, "faults: --lives: want 1 to 1000000, got 0\n"},
		"a folder in use":     {[]string{"--scenario", "ci.yaml", "--state", taken}, "faults: --state: " + taken + " is not empty; --resume goes on with a run\n"},
		"nothing to resume":   {[]string{"--resume", taken}, "faults: --resume: " + taken + " holds no run\n"},
		"nothing to judge":    {[]string{"--check", taken}, "faults: --check: " + taken + " holds no run\n"},
		"no folder to judge":  {[]string{"--check", ""}, "faults: --check: is empty: give it a value, or leave it out\n"},
		"no folder to resume": {[]string{"--resume", ""}, "faults: --resume: is empty: give it a value, or leave it out\n"},
		"an old run's lives":  {[]string{"--resume", taken, "--lives", "5"}, "faults: --lives: does not go with --resume, whose folder holds all of the run\n"},
		"judge and resume":    {[]string{"--resume", taken, "--check", taken}, "faults: --check: does not go with --resume, whose folder holds all of the run\n"},
		"no binaries there":   {[]string{"--bin", taken}, "faults: --bin: stat " + filepath.Join(taken, "worker") + ": no such file or directory\n"},
		"a seed that is none": {[]string{"--seed", "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := perform(t, tc.args...)
			require.Equal(t, 2, o.status)
			require.Empty(t, o.stdout)
			if tc.want != "" {
				require.Equal(t, tc.want, o.stderr)
			}
		})
	}
}

func TestTheHelpIsAManual(t *testing.T) {
	t.Parallel()
	o := perform(t, "--help")
	require.Zero(t, o.status, o.stderr)
	require.Regexp(t, `(?m)^ *Examples:\n +go run ./faults\n`, o.stdout)
	require.Regexp(t, `(?m)^ *Exit status: 0 .*1 .*`, o.stdout)
}

func TestARunIsHeldByOneProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	s, err := newState(dir, []byte(whole), 7, 5)
	require.NoError(t, err)
	o := perform(t, "--resume", dir)
	require.Equal(t, 2, o.status)
	require.Contains(t, o.stderr, "is in use by another run")
	require.NoError(t, s.close())
	again, err := oldState("--resume", dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = again.close() })
	require.Equal(t, []any{uint64(7), 5, s.Ports}, []any{again.Seed, again.Lives, again.Ports}, "URLs with these ports are in requests")
}

// finished makes a folder of a run with seed 7 whose one life is over, and returns it.
func finished(t *testing.T, body string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	s, err := newState(dir, []byte(whole), 7, 1)
	require.NoError(t, err)
	require.NoError(t, s.close())
	add := func(name string, lines ...any) {
		r, err := openRecord(dir, name)
		require.NoError(t, err)
		for _, line := range lines {
			require.NoError(t, r.add(line))
		}
		require.NoError(t, r.close())
	}
	add(check.AgentLog, check.Agent{Life: 1, Did: check.Began}, check.Agent{Life: 1, Did: check.Answered, Outcome: check.Refused}, check.Agent{Life: 1, Did: check.Done})
	add(check.ConsumerLog, check.Request{Path: announcePath, Verified: true, Answer: http.StatusOK, Body: body})
	return dir
}

func TestARunThatIsNotOverIsNotCalledKept(t *testing.T) {
	t.Parallel()
	dir := finished(t, "{}")
	require.Zero(t, perform(t, "--check", dir).status)
	log, err := openRecord(dir, check.AgentLog)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filepath.Join(dir, check.AgentLog), 0))
	o := perform(t, "--check", dir)
	require.Equal(t, 1, o.status)
	require.Equal(t, "faults: only 0 of 1 lives are done; continue with --resume "+dir+"\n", o.stderr)
	require.NoError(t, log.add(check.Agent{Life: 1, Did: check.Began}))
	require.Equal(t, o.stderr, perform(t, "--check", dir).stderr, "it only began")
	require.NoError(t, log.close())
}

func TestACredentialInWhatTheConsumerIsToldIsFound(t *testing.T) {
	t.Parallel()
	require.Zero(t, perform(t, "--check", finished(t, `{"event":"egress_updated"}`)).status)
	o := perform(t, "--check", finished(t, `{"event":"egress_updated","url":"https://example.com/?token=`+canaryOf(7)+`hook1"}`))
	require.Equal(t, 1, o.status)
	require.Contains(t, o.stdout, "secret: life 0, : 1 credentials in a request to the consumer at /announced\n")
}

func TestALogLosesNoMoreThanATornLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.jsonl")
	add := func(v any) {
		r, err := openRecord(dir, "x.jsonl")
		require.NoError(t, err)
		require.NoError(t, r.add(v))
		require.NoError(t, r.close())
	}
	add(1)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"torn`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	add(2)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "1\n2\n", string(text))
}
