package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/faults/check"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// scenario says what happens in a run, and how often. Rates go from 0 (never) to 1.
type scenario struct {
	// Lives is the number of recordings, AtOnce how many of them run at a time.
	Lives  int `yaml:"lives"`
	AtOnce int `yaml:"at_once"`
	// Call is how long people stay in a room, or a page is recorded.
	Call span `yaml:"call"`
	// Kinds are the weights of the kinds of request, 1 to 1000.
	Kinds map[string]int `yaml:"kinds"`
	// Stop and DeleteRoom are the rates of agents that end a recording themselves. The others let
	// the people leave. A web egress is always stopped.
	Stop       float64 `yaml:"stop"`
	DeleteRoom float64 `yaml:"delete_room"`
	// Forge is the rate of lives for which somebody who is not LiveKit sends us an end.
	Forge float64 `yaml:"forge"`
	// Neighbour is the rate of lives alongside which another Reelkeeper records, under the same
	// idempotency key on the same LiveKit.
	Neighbour float64 `yaml:"neighbour"`
	// Elsewhere is the rate of lives that another door starts again, past Temporal, once their
	// egress has failed.
	Elsewhere float64 `yaml:"elsewhere"`
	// OwnWebhook is the rate of requests that carry a webhook of their own.
	OwnWebhook float64 `yaml:"own_webhook"`
	// Agent configures the agents.
	Agent agentSpec `yaml:"agent"`
	// LiveKit configures the fake.
	LiveKit livekitSpec `yaml:"livekit"`
	// Consumer configures the consumer.
	Consumer consumerSpec `yaml:"consumer"`
	// Step configures the pipeline's step.
	Step stepSpec `yaml:"step"`
	// Replicas are how many workers and doors there are at a time. Default: 1.
	Replicas map[string]int `yaml:"replicas"`
	// Kills names the parts to be killed or asked to stop. Of several workers or doors, each is.
	Kills map[string]killSpec `yaml:"kills"`
	// Settings are for worker and starter: they shorten the waits.
	Settings map[string]string `yaml:"settings"`
	// DeepRounds is how often the reconciler is told to compare all that LiveKit remembers. Zero:
	// only when it does so by itself, every 15 min.
	DeepRounds time.Duration `yaml:"deep_rounds"`
	// Bound is how late a consumer may be told. Settle is the longest wait for the last ones, once
	// all agents are done.
	Bound  time.Duration `yaml:"bound"`
	Settle time.Duration `yaml:"settle"`
}

// span is a range of durations.
type span struct {
	From time.Duration `yaml:"from"`
	To   time.Duration `yaml:"to"`
}

// agentSpec configures the agents.
type agentSpec struct {
	// Timeout is how long an agent waits for one answer, and Patience for any answer.
	Timeout  time.Duration `yaml:"timeout"`
	Patience time.Duration `yaml:"patience"`
}

// livekitSpec configures the fake LiveKit.
type livekitSpec struct {
	// Speed multiplies all of LiveKit's recorded times.
	Speed float64 `yaml:"speed"`
	// ReplyHang is the delay of a hanging reply. Default: according to Speed.
	ReplyHang time.Duration `yaml:"reply_hang"`
	// Remember is how long it lists what has ended. Default: according to Speed.
	Remember time.Duration `yaml:"remember"`
	// Faults are the rates of its faults.
	Faults map[fakelivekit.Fault]float64 `yaml:"faults"`
}

func (s livekitSpec) timings() fakelivekit.Timings {
	timings := fakelivekit.DefaultTimings().Scaled(s.Speed)
	if s.ReplyHang > 0 {
		timings.ReplyHang = s.ReplyHang
	}
	if s.Remember > 0 {
		timings.Remember = s.Remember
	}
	return timings
}

// consumerSpec configures the consumer: the rates of answers that take 2 s, that are 500, and that
// are cut after handling; and how often it is down, and for how long.
type consumerSpec struct {
	Slow  float64 `yaml:"slow"`
	Error float64 `yaml:"error"`
	Cut   float64 `yaml:"cut"`
	Away  outage  `yaml:"away"`
}

// stepSpec configures the pipeline's step: the rates of attempts that take 2 s after their work,
// that fail before it, and whose answer gets lost.
type stepSpec struct {
	Slow  float64 `yaml:"slow"`
	Error float64 `yaml:"error"`
	Cut   float64 `yaml:"cut"`
}

// outage is how often something goes down, on average, and for how long, at most.
type outage struct {
	Every time.Duration `yaml:"every"`
	Down  time.Duration `yaml:"down"`
}

// killSpec is how often a part is killed, and at which rate it is asked to stop instead (SIGTERM),
// as for an upgrade. Only worker and door are asked.
type killSpec struct {
	outage `yaml:",inline"`
	Asked  float64 `yaml:"asked"`
}

// Parts that can be killed.
const (
	partWorker   = "worker"
	partDoor     = "door"
	partTemporal = "temporal"
	partLiveKit  = "livekit"
	partStep     = "step" // the worker of the step
	partStore    = "store"
)

var parts = []string{partWorker, partDoor, partTemporal, partLiveKit, partStep, partStore}

// ours reports whether a part is a command that ships.
func ours(part string) bool { return part == partWorker || part == partDoor }

// each names all workers, or all doors.
func (s scenario) each(part string) (names []string) {
	for n := range max(s.Replicas[part], 1) {
		names = append(names, nth(part, n+1))
	}
	return names
}

// readScenario reads a scenario. An error names line and field.
func readScenario(path string) (scenario, []byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return scenario{}, nil, egress.Invalidf("--scenario", "%v", err)
	}
	s, err := parseScenario(text)
	if err != nil {
		return scenario{}, nil, egress.Invalidf("--scenario", "%s: %v", path, err)
	}
	return s, text, nil
}

func parseScenario(text []byte) (scenario, error) {
	var s scenario
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			return s, errors.New("is empty")
		}
		return s, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  ", ""))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return s, err
	}
	for _, p := range s.problems() {
		return s, fmt.Errorf("line %d: %s: %s", lineOf(&root, p.field), p.field, p.words)
	}
	return s, nil
}

// problem says what is wrong with a field, whose name has a dot for each level.
type problem struct{ field, words string }

func (s scenario) problems() (found []problem) {
	say := func(wrong bool, field, format string, args ...any) {
		if wrong {
			found = append(found, problem{field, fmt.Sprintf(format, args...)})
		}
	}
	say(s.Lives < 1 || s.Lives > 1_000_000, "lives", "want 1 to 1000000, got %d", s.Lives)
	say(s.AtOnce < 1 || s.AtOnce > 1000, "at_once", "want 1 to 1000, got %d", s.AtOnce)
	say(s.Call.From <= 0 || s.Call.To < s.Call.From, "call", "from must be positive, and to must not be below it")
	say(len(s.Kinds) == 0, "kinds", "is missing or empty")
	for _, k := range slices.Sorted(maps.Keys(s.Kinds)) {
		say(!slices.Contains(kinds, k), "kinds."+k, "want one of %s", strings.Join(kinds, ", "))
		say(s.Kinds[k] < 1 || s.Kinds[k] > 1000, "kinds."+k, "want a weight from 1 to 1000, got %d", s.Kinds[k])
	}
	say(s.Agent.Timeout <= 0, "agent.timeout", "must be positive")
	say(s.Agent.Patience <= 0, "agent.patience", "must be positive")
	say(s.LiveKit.Remember < 0, "livekit.remember", "must be 0 or more")
	say(s.LiveKit.Speed <= 0 || s.LiveKit.Speed > 1, "livekit.speed", "must be over 0 and at most 1, got %v", s.LiveKit.Speed)
	for _, f := range slices.Sorted(maps.Keys(s.LiveKit.Faults)) {
		known := slices.ContainsFunc(fakelivekit.Faults(), func(d fakelivekit.FaultDoc) bool { return d.Name == f })
		say(!known, "livekit.faults."+string(f), "is not a fault of LiveKit's")
	}
	for field, rate := range s.rates() {
		say(!(rate >= 0 && rate <= 1), field, "want a rate from 0 to 1, got %v", rate)
	}
	for _, p := range slices.Sorted(maps.Keys(s.Replicas)) {
		say(!ours(p), "replicas."+p, "want one of %s, %s", partWorker, partDoor)
		say(s.Replicas[p] < 1 || s.Replicas[p] > 9, "replicas."+p, "want 1 to 9, got %d", s.Replicas[p])
	}
	for _, p := range slices.Sorted(maps.Keys(s.Kills)) {
		say(!slices.Contains(parts, p), "kills."+p, "want one of %s", strings.Join(parts, ", "))
		say(s.Kills[p].Every <= 0 || s.Kills[p].Down < 0, "kills."+p, "every must be positive, and down 0 or more")
		say(s.Kills[p].Asked != 0 && !ours(p), "kills."+p+".asked", "only worker and door are asked to stop")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		say(!strings.HasPrefix(name, "REELKEEPER_"), "settings."+name, "want a setting that begins with REELKEEPER_")
	}
	say(s.DeepRounds < 0, "deep_rounds", "must be 0 or more")
	say(s.Bound <= 0, "bound", "must be positive")
	say(s.Settle <= 0, "settle", "must be positive")
	return found
}

// rules returns the rules by which a run of it is judged.
func (s scenario) rules() check.Rules {
	return check.Rules{
		Path: announcePath, Bound: s.Bound, Past: pastTemporal, Hang: s.LiveKit.timings().ReplyHang, Step: stepName,
		Recover: s.Settings["REELKEEPER_RECOVER"] != "", Media: s.Settings["REELKEEPER_VERIFY_FOR"] != "off",
	}
}

// rates returns all rates by the name of their field.
func (s scenario) rates() map[string]float64 {
	rates := map[string]float64{
		"stop": s.Stop, "delete_room": s.DeleteRoom, "forge": s.Forge, "own_webhook": s.OwnWebhook, "neighbour": s.Neighbour, "elsewhere": s.Elsewhere,
		"consumer.slow": s.Consumer.Slow, "consumer.error": s.Consumer.Error, "consumer.cut": s.Consumer.Cut,
		"step.slow": s.Step.Slow, "step.error": s.Step.Error, "step.cut": s.Step.Cut,
	}
	for f, rate := range s.LiveKit.Faults {
		rates["livekit.faults."+string(f)] = rate
	}
	for p, k := range s.Kills {
		rates["kills."+p+".asked"] = k.Asked
	}
	return rates
}

// lineOf returns the line of a field, or of its nearest parent.
func lineOf(root *yaml.Node, field string) int {
	node, line := root.Content[0], 1
	for name := range strings.SplitSeq(field, ".") {
		i := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == name })
		if i < 0 || i+1 >= len(node.Content) {
			break
		}
		line, node = node.Content[i].Line, node.Content[i+1]
	}
	return line
}
