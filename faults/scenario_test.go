package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

const whole = `lives: 3
at_once: 2
call: {from: 1s, to: 2s}
kinds: {web: 1}
agent: {timeout: 1s, patience: 2s}
livekit:
  speed: 0.1
  faults:
    zombie: 0.5
step: {slow: 0.1, error: 0.2, cut: 0.3}
replicas: {worker: 2}
kills:
  worker: {every: 3s, down: 1s, asked: 0.5}
  step: {every: 4s}
settings:
  REELKEEPER_LOOK_ACTIVE: 3s
bound: 1m
settle: 1m
`

func TestAScenarioIsReadStrictly(t *testing.T) {
	t.Parallel()
	s, err := parseScenario([]byte(whole))
	require.NoError(t, err)
	require.Equal(t, scenario{
		Lives: 3, AtOnce: 2, Call: span{time.Second, 2 * time.Second}, Kinds: map[string]int{"web": 1},
		Agent:    agentSpec{time.Second, 2 * time.Second},
		LiveKit:  livekitSpec{Speed: 0.1, Faults: map[fakelivekit.Fault]float64{fakelivekit.Zombie: 0.5}},
		Step:     stepSpec{Slow: 0.1, Error: 0.2, Cut: 0.3},
		Replicas: map[string]int{"worker": 2},
		Kills:    map[string]killSpec{"worker": {outage{3 * time.Second, time.Second}, 0.5}, "step": {outage{4 * time.Second, 0}, 0}},
		Settings: map[string]string{"REELKEEPER_LOOK_ACTIVE": "3s"}, Bound: time.Minute, Settle: time.Minute,
	}, s)
	for name, tc := range map[string]struct{ old, now, want string }{
		"unknown field":       {"bound: 1m", "bounds: 1m", "line 17: field bounds not found"},
		"not a number":        {"lives: 3", "lives: many", "line 1: cannot unmarshal"},
		"not a duration":      {"settle: 1m", "settle: long", "line 18: cannot unmarshal"},
		"no lives":            {"lives: 3", "lives: 0", "line 1: lives: want 1 to 1000000, got 0"},
		"too many at once":    {"at_once: 2", "at_once: 1001", "line 2: at_once: want 1 to 1000, got 1001"},
		"a call that is none": {"from: 1s, to: 2s", "from: 2s, to: 1s", "line 3: call: from must be positive"},
		"no kinds":            {"kinds: {web: 1}", "kinds: {}", "line 4: kinds: is missing or empty"},
		"unknown kind":        {"web: 1", "film: 1", "line 4: kinds.film: want one of room_composite"},
		"a kind of no weight": {"web: 1", "web: 0", "line 4: kinds.web: want a weight from 1 to 1000, got 0"},
		"a kind too heavy":    {"web: 1", "web: 1001", "line 4: kinds.web: want a weight from 1 to 1000, got 1001"},
		"no patience":         {", patience: 2s", "", "line 5: agent.patience: must be positive"},
		"no timeout":          {"timeout: 1s", "timeout: 0s", "line 5: agent.timeout: must be positive"},
		"too fast":            {"speed: 0.1", "speed: 0", "line 7: livekit.speed: must be over 0 and at most 1, got 0"},
		"unknown fault":       {"zombie: 0.5", "ghost: 0.5", "line 9: livekit.faults.ghost: is not a fault of LiveKit's"},
		"a fault beyond 1":    {"zombie: 0.5", "zombie: 1.5", "line 9: livekit.faults.zombie: want a rate from 0 to 1, got 1.5"},
		"a rate below zero":   {"lives: 3", "forge: -1\nlives: 3", "line 1: forge: want a rate from 0 to 1, got -1"},
		"a step too slow":     {"slow: 0.1", "slow: 1.1", "line 10: step.slow: want a rate from 0 to 1, got 1.1"},
		"a step that fails":   {"error: 0.2", "error: -0.2", "line 10: step.error: want a rate from 0 to 1, got -0.2"},
		"a step that is cut":  {"cut: 0.3", "cut: .nan", "line 10: step.cut: want a rate from 0 to 1, got NaN"},
		"unknown of a step":   {"cut: 0.3", "cuts: 0.3", "line 10: field cuts not found"},
		"a step killed often": {"every: 4s", "every: -4s", "line 14: kills.step: every must be positive"},
		"two steps":           {"{worker: 2}", "{step: 2}", "line 11: replicas.step: want one of worker, door"},
		"no workers":          {"{worker: 2}", "{worker: 0}", "line 11: replicas.worker: want 1 to 9, got 0"},
		"unknown part":        {"  worker: {", "  wroker: {", "line 13: kills.wroker: want one of worker, door, temporal, livekit, step, store"},
		"killed without end":  {"every: 3s", "every: 0s", "line 13: kills.worker: every must be positive"},
		"asked too often":     {"asked: 0.5", "asked: 5", "line 13: kills.worker.asked: want a rate from 0 to 1, got 5"},
		"a step asked":        {"every: 4s", "every: 4s, asked: 0.5", "line 14: kills.step.asked: only worker and door are asked to stop"},
		"a foreign setting":   {"REELKEEPER_LOOK_ACTIVE", "LIVEKIT_URL", "line 16: settings.LIVEKIT_URL: want a setting that begins with REELKEEPER_"},
		"rounds back in time": {"bound: 1m", "deep_rounds: -1s\nbound: 1m", "line 17: deep_rounds: must be 0 or more"},
		"no bound":            {"bound: 1m\n", "", "line 1: bound: must be positive"},
		"no settling":         {"settle: 1m\n", "", "line 1: settle: must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, whole, tc.old)
			_, err := parseScenario([]byte(strings.Replace(whole, tc.old, tc.now, 1)))
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err = parseScenario(nil)
	require.EqualError(t, err, "is empty")
	path := filepath.Join(t.TempDir(), "x.yaml")
	require.NoError(t, os.WriteFile(path, []byte("lives: 0"), 0o600))
	_, _, err = readScenario(path)
	require.ErrorContains(t, err, path)
	_, _, err = readScenario(path + ".none")
	require.ErrorContains(t, err, "no such file")
}

// A new fault of the fake must get an entry in the scenarios that every change is tested with, even
// if its rate is zero, with the reason.
func TestTheScenariosThatShipNameEveryFault(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ci.yaml", "full.yaml"} {
		s, _, err := readScenario(name)
		require.NoError(t, err)
		for _, doc := range fakelivekit.Faults() {
			rate, named := s.LiveKit.Faults[doc.Name]
			require.True(t, named, "%s: %s", name, doc.Name)
			require.Equal(t, doc.Name == fakelivekit.NoEcho, rate == 0, "%s: %s", name, doc.Name)
		}
		require.Len(t, s.Kills, len(parts), name)
		require.Len(t, s.Kinds, len(kinds), name)
		require.NotZero(t, s.Step.Slow*s.Step.Error*s.Step.Cut, name)
	}
}
