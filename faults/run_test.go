package main

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the runs; default: a new one, which is printed")

// seedOf returns the seed of a run, which is printed so that the run can be repeated.
func seedOf(t *testing.T) string {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1_000_000)
	}
	t.Logf("seed %d", seed)
	return strconv.FormatUint(seed, 10)
}

// The promise, with every fault at once.
func TestThreeHundredLivesUnderAllFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	dir, err := os.MkdirTemp("", "reelkeeper-faults-") //nolint:usetesting // a failed run leaves its logs
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	o := perform(t, "--scenario", "ci.yaml", "--seed", seedOf(t), "--state", dir, "--bin", built(t), "--json")
	t.Log(o.stderr, o.stdout)
	require.Zero(t, o.status)
	var r struct {
		Figures check.Figures
		Counts  map[check.Kind]int
	}
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.Equal(t, 300, r.Figures.Lives)
	require.Greater(t, r.Figures.Outcomes[check.Accepted], 200, "faults were survived, not avoided")
	require.Equal(t, r.Figures.Handled, sum(r.Figures.Verdicts))
	for _, p := range parts {
		require.NotZero(t, r.Figures.Kills[p], "%s was killed", p)
	}
	require.NotZero(t, r.Figures.Webhooks["suppressed"])
	for _, became := range []string{"died", "forgotten", "EGRESS_FAILED", "EGRESS_ABORTED", "EGRESS_LIMIT_REACHED"} {
		require.NotZero(t, r.Figures.Became[became], became)
	}
	require.NotZero(t, r.Figures.Steps[check.Knew], "keys were needed")
	for _, word := range []string{"present", "missing", "empty"} {
		require.NotZero(t, r.Figures.Media[word], word)
	}
	for _, n := range r.Counts {
		require.Zero(t, n)
	}
}

func sum[K comparable](counts map[K]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// short is a scenario of a few lives without faults, which a test changes.
const short = `lives: 12
at_once: 12
call: {from: 2s, to: 5s}
kinds: {room_composite: 2, participant: 1, web: 1}
agent: {timeout: 5s, patience: 40s}
livekit: {speed: 0.1}
settings:
  REELKEEPER_REQUEST_TIMEOUT: 4500ms
  REELKEEPER_START_CALL_TIMEOUT: 4s
  REELKEEPER_TOKEN_SEARCH: 4s
  REELKEEPER_TOKEN_SEARCH_EVERY: 300ms
  REELKEEPER_LOOK_STARTING: 2s,2s,3s
  REELKEEPER_LOOK_ACTIVE: 3s
  REELKEEPER_LOOK_ENDING: 1s,1s,2s
  REELKEEPER_LOST_AFTER: 3s
  REELKEEPER_HOLD_FOR: 3s
  REELKEEPER_CORRECT_FOR: "off"
  REELKEEPER_RECONCILE_EVERY: "off"
  REELKEEPER_CANARY_EVERY: "off"
  REELKEEPER_PREFLIGHT: "off"
  REELKEEPER_VERIFY_FOR: "off"
  REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE: "30000"
bound: 60s
settle: 40s
`

// scenarioFor writes the short scenario with some texts replaced: old, new, old, new.
func scenarioFor(t *testing.T, changes ...string) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		require.Contains(t, short, changes[i])
	}
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(short)), 0o600))
	return path
}

// A run that is killed with all its parts continues where it was, and is judged as one.
func TestARunThatIsKilledIsResumed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	dir := filepath.Join(t.TempDir(), "run")
	path := scenarioFor(t, "lives: 12", "lives: 40", "at_once: 12", "at_once: 3\nreplicas: {worker: 2, door: 2}", "bound: 60s", "bound: 120s", "settle: 40s", "settle: 90s")
	seed := seedOf(t)
	p := asProcess(t, "--scenario", path, "--seed", seed, "--state", dir, "--bin", built(t))
	require.NoError(t, p.Start())
	dones := func() int {
		l, err := check.Read(dir)
		require.NoError(t, err)
		n := 0
		for _, a := range l.Agents {
			if a.Did == check.Done {
				n++
			}
		}
		return n
	}
	for begin := time.Now(); dones() < 4; <-time.After(20 * time.Millisecond) {
		require.Less(t, time.Since(begin), 5*time.Minute, "four lives are done")
	}
	require.NoError(t, p.Process.Kill())
	_ = p.Wait() // it was killed
	before := dones()
	require.Less(t, before, 40, "it was killed in the middle")

	o := perform(t, "--resume", dir, "--bin", built(t))
	t.Log(o.stderr, o.stdout)
	require.Zero(t, o.status)
	require.Equal(t, 40, dones(), "each life is done once")
	require.Contains(t, o.stdout, "40 lives")
	l, err := check.Read(dir)
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(l.Agents, func(a check.Agent) bool { return a.Did == check.Began && a.Call < 2*time.Second }), "its log says how long a call is")
	again := perform(t, "--check", dir)
	require.Equal(t, outcome{0, o.stdout, ""}, again, "the logs tell the same later")
}
