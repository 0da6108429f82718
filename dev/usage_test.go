package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatIsTypedWrongIsToldInOneLineAndNothingIsStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full, file := filepath.Join(dir, "full"), filepath.Join(dir, "file")
	require.NoError(t, os.Mkdir(full, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(full, "reel.db"), nil, 0o600))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, tc := range map[string]struct {
		args string
		says string
	}{
		"an unknown command":                 {"play", `dev: play: is not a command`},
		"an unknown flag":                    {"--prot-base 9000", "dev: --prot-base: is not a flag of dev; see dev --help"},
		"a port that is no number":           {"--port-base http", `dev: --port-base: "http" is not a valid value: want a whole number`},
		"a port for root alone":              {"--port-base 80", "dev: --port-base: want a port from 1024 to 65531, got 80"},
		"a port of zero":                     {"--port-base 0", "dev: --port-base: want a port from 1024 to 65531, got 0"},
		"ports beyond the last":              {"--port-base 65532", "dev: --port-base: want a port from 1024 to 65531, got 65532"},
		"a flag without its value":           {"--state", "dev: --state: needs a value"},
		"a state that is nowhere":            {"--state=", "dev: --state: is empty: name a folder, or leave it out"},
		"help as a command":                  {"help", "dev: help: is not a command"},
		"a demo of something":                {"demo twice", "dev: twice: is not an argument of demo"},
		"a demo with an unknown flag":        {"demo --fast", "dev: --fast: is not a flag of dev demo; see dev demo --help"},
		"ports for a demo":                   {"demo --port-base 9000 --faults", "dev: --port-base: is not a flag of dev demo; see dev demo --help"},
		"ports for a demo before it":         {"--port-base 9000 demo --faults", "dev: --port-base: stands before demo, which does not read it; see dev demo --help"},
		"a state before the demo":            {"--state /nowhere demo --faults", "dev: --state: stands before demo, which does not read it; see dev demo --help"},
		"a format before the demo":           {"--json demo --faults", "dev: --json: stands before demo, which does not read it; see dev demo --help"},
		"more lost than all":                 {"demo --webhook-loss 1.1", "dev: --webhook-loss: want a rate from 0 to 1, got 1.1"},
		"fewer lost than none":               {"demo --webhook-loss=-0.1", "dev: --webhook-loss: want a rate from 0 to 1, got -0.1"},
		"a loss that is no number":           {"demo --webhook-loss NaN", "dev: --webhook-loss: want a rate from 0 to 1, got NaN"},
		"a loss in percent":                  {"demo --webhook-loss 30%", `dev: --webhook-loss: "30%" is not a valid value: want a number`},
		"a fault that is none":               {"demo --fault zombi=0.2", `dev: --fault: "zombi" is not a fault; did you mean zombie?`},
		"a fault like no other":              {"demo --fault earthquake=0.2", `dev: --fault: "earthquake" is not a fault; --faults lists them`},
		"a fault without a rate":             {"demo --fault zombie", `dev: --fault: want NAME=RATE, got "zombie"`},
		"a fault more often than always":     {"demo --fault zombie=1.5", `dev: --fault: zombie: want a rate from 0 to 1, got "1.5"`},
		"a fault less often than never":      {"demo --fault zombie=-1", `dev: --fault: zombie: want a rate from 0 to 1, got "-1"`},
		"a fault whose rate is no number":    {"demo --fault zombie=NaN", `dev: --fault: zombie: want a rate from 0 to 1, got "NaN"`},
		"a fault in percent":                 {"demo --fault zombie=30%", `dev: --fault: zombie: want a rate from 0 to 1, got "30%"`},
		"a fault twice":                      {"demo --fault zombie=0 --fault zombie=1", "dev: --fault: zombie is given twice"},
		"nothing to record":                  {"demo --egresses 0", "dev: --egresses: want 1 to 10000, got 0"},
		"less than nothing":                  {"demo --egresses=-1", "dev: --egresses: want 1 to 10000, got -1"},
		"more than one machine can":          {"demo --egresses 10001", "dev: --egresses: want 1 to 10000, got 10001"},
		"some":                               {"demo --egresses some", `dev: --egresses: "some" is not a valid value: want a whole number`},
		"a seed below zero":                  {"demo --seed=-1", `dev: --seed: "-1" is not a valid value: want a whole number, 0 or more`},
		"a demo on another instance's state": {"demo --state " + full, "dev: --state: " + full + " is not empty"},
		"a demo whose state is a file":       {"demo --state " + file, "dev: --state: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			require.Equal(t, 2, run(append([]string{"dev"}, strings.Fields(tc.args)...), &stdout, &stderr), stderr.String())
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
			require.True(t, strings.HasPrefix(stderr.String(), "dev: "), stderr.String())
			require.Contains(t, stderr.String(), tc.says)
			require.Empty(t, stdout.String())
		})
	}
	require.NoDirExists(t, ".reelkeeper")
}

func TestABusyPortIsNamedBeforeAnythingIsStarted(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", loopback(0))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, busy.Close()) })
	base := busy.Addr().(*net.TCPAddr).Port
	state := filepath.Join(t.TempDir(), "state")

	var stdout, stderr bytes.Buffer
	require.Equal(t, 2, run([]string{"dev", "--state", state, "--port-base", strconv.Itoa(base)}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "dev: starter: port "+strconv.Itoa(base)+" is taken; --port-base moves all ports")
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	require.Empty(t, stdout.String())
	require.NoDirExists(t, state)
}

func TestEachBusyPortIsNamedByWhatWantsIt(t *testing.T) {
	t.Parallel()
	for what, pick := range map[string]func(*ports) *int{
		"starter":      func(p *ports) *int { return &p.starter },
		"admin":        func(p *ports) *int { return &p.admin },
		"fake LiveKit": func(p *ports) *int { return &p.livekit },
		"Temporal":     func(p *ports) *int { return &p.temporal },
		"Temporal UI":  func(p *ports) *int { return &p.ui },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p, err := freePorts()
			require.NoError(t, err)
			busy, err := net.Listen("tcp", loopback(0))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, busy.Close()) })
			*pick(&p) = busy.Addr().(*net.TCPAddr).Port

			_, err = startInstance(t.Context(), options(t, p))
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
			require.Equal(t, what, e.Field)
			require.Contains(t, e.Message, "--port-base moves all ports")
		})
	}
}

func TestATemporalThatHasThePortIsUsedOrFound(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", loopback(0))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, busy.Close()) })
	port := strconv.Itoa(busy.Addr().(*net.TCPAddr).Port)

	err = checkTemporal(busy.Addr().(*net.TCPAddr).Port)
	for _, want := range []string{"TEMPORAL_ADDRESS=127.0.0.1:" + port + " uses it", "lsof -nP -iTCP:" + port + " -sTCP:LISTEN finds it"} {
		require.ErrorContains(t, err, want)
	}
}

func TestThePortsOfAUsersOwnServersMayBeTakenByThem(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	for _, port := range []*int{&p.livekit, &p.temporal, &p.ui} {
		busy, err := net.Listen("tcp", loopback(0))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, busy.Close()) })
		*port = busy.Addr().(*net.TCPAddr).Port
	}
	o := options(t, p)
	o.environ = ownServers()
	requireNone(t, o.checkPorts)
}

func ownServers() map[string]string {
	return map[string]string{
		"LIVEKIT_URL": "wss://live.example.com", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "their-secret",
		"TEMPORAL_ADDRESS": "temporal.example.com:7233", "TEMPORAL_NAMESPACE": "recordings",
	}
}

func options(t *testing.T, p ports) instanceOptions {
	t.Helper()
	return instanceOptions{stateDir: filepath.Join(t.TempDir(), "state"), ports: p, environ: map[string]string{}, progress: io.Discard, log: io.Discard}
}

func TestAStateThatIsInUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	held, err := lockState(o.stateDir)
	require.NoError(t, err)
	word := filepath.Join(o.stateDir, "dev.json")
	require.NoError(t, os.WriteFile(word, []byte("{}"), 0o600))

	busy, err := listen("starter", p.starter) // like its ports
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, busy.Close()) })

	_, err = startInstance(t.Context(), o)
	var stderr bytes.Buffer
	require.Equal(t, 2, app.Exit(&stderr, "dev", err))
	require.Equal(t, "dev: --state: "+o.stateDir+" is in use by another dev, or by the Temporal of one that was killed; lsof "+
		filepath.Join(o.stateDir, "lock")+" finds it; to run beside it, give another --state and --port-base\n", stderr.String())
	require.FileExists(t, word, "the other instance's")

	require.NoError(t, held.Close())
	requireFree(t, o.stateDir)
}

// requireFree waits until nobody holds a state. A process that another test is just starting holds
// it for a moment, with all files that were open then.
func requireFree(t *testing.T, dir string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		held, err := lockState(dir)
		require.NoError(c, err)
		require.NoError(c, held.Close())
	}, time.Minute, 10*time.Millisecond)
}

// requireNone waits until a check finds nothing on its ports, which such a process holds, too.
func requireNone(t *testing.T, check func() error) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.NoError(c, check()) }, time.Minute, 10*time.Millisecond)
}

func TestAStateThatCannotBeMadeIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err := lockState(dir)
		var e *egress.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "--state", e.Field)
	}
}

func TestPortsAreNextToEachOtherFromTheBaseOn(t *testing.T) {
	t.Parallel()
	for base, want := range map[int]ports{
		1024:  {1024, 1025, 1026, 1027, 1028},
		65531: {65531, 65532, 65533, 65534, 65535},
	} {
		got, err := portsFrom(base, true)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := portsFrom(0, false)
	require.NoError(t, err)
	require.Equal(t, defaultPorts, got)
}

func TestFreePortsAreAllDifferentAndFree(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	all := map[int]bool{p.starter: true, p.admin: true, p.livekit: true, p.temporal: true, p.ui: true}
	require.Len(t, all, 5)
	require.NotContains(t, all, 0)
}

func TestBeingToldToStopIsNoFailure(t *testing.T) {
	t.Parallel()
	require.NoError(t, ignoreCancel(context.Canceled))
	require.ErrorIs(t, ignoreCancel(io.ErrUnexpectedEOF), io.ErrUnexpectedEOF)
}

func TestEachCommandHasAManual(t *testing.T) {
	t.Parallel()
	dev := command(io.Discard, io.Discard)
	for _, c := range append(dev.Commands, dev) {
		require.Regexp(t, `(?m)^Examples:\n  go run ./dev`, c.Description, c.Name)
		require.Regexp(t, `(?m)^Exit status: 0 .*1 .*`, c.Description, c.Name)
		for _, f := range c.Flags {
			require.LessOrEqual(t, strings.Count(f.String(), "(default:"), 1, f)
		}
	}
}
