package egress

import (
	"cmp"
	"regexp"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Pipeline is what happens to a recording after its end, beside what its request names.
// It travels with each egress from its start on, so that an egress keeps the one that it
// began with. It holds no secret: it is in the history.
type Pipeline struct {
	Name      string     `json:"name,omitempty"`
	Consumers []Consumer `json:"consumers,omitempty"` // told of each end, beside each other
	Steps     []Step     `json:"steps,omitempty"`     // run one after the other, once the consumers were asked
}

// Consumer takes `egress_ended` as LiveKit would have sent it.
type Consumer struct {
	Name string   `json:"name"` // its delivery step is announce-<name>
	URL  string   `json:"url"`
	Key  string   `json:"key,omitempty"`  // name of the API key that signs; default: LIVEKIT_API_KEY
	When []Status `json:"when,omitempty"` // ends that it is told of; default: all
}

// Step is one of the user's own: any activity on any task queue, in any language.
type Step struct {
	Name      string   `json:"name"`
	Activity  string   `json:"activity"`
	TaskQueue string   `json:"task_queue"`
	When      []Status `json:"when,omitempty"`      // ends that it is run for; default: all
	Timeout   Duration `json:"timeout"`             // of one attempt
	Heartbeat Duration `json:"heartbeat,omitempty"` // within which a running attempt shows that it lives; default: it need not
	Attempts  int      `json:"attempts,omitempty"`  // how often it is tried; default: without bound
	For       Duration `json:"for"`                 // how long it is tried in all, the wait for a worker included
	Backoff   Backoff  `json:"backoff"`
	// Clear says that its input is never encrypted, for a worker without our codec.
	Clear bool `json:"clear,omitempty"`
	// With is handed to the activity as it is.
	With map[string]any `json:"with,omitempty"`
}

// Backoff is the wait between two attempts: First, then twice as long each time, up to Max.
type Backoff struct {
	First Duration `json:"first"`
	Max   Duration `json:"max"`
}

// WithDefaults fills in what a step does not say: attempts of 10 min, for 72 h in all,
// 1 s to 5 min apart.
func (s Step) WithDefaults() Step {
	s.Timeout = cmp.Or(s.Timeout, Duration(10*time.Minute))
	s.For = cmp.Or(s.For, Duration(72*time.Hour))
	s.Backoff.First = cmp.Or(s.Backoff.First, Duration(time.Second))
	s.Backoff.Max = cmp.Or(s.Backoff.Max, max(s.Backoff.First, Duration(5*time.Minute)))
	return s
}

// RunsFor reports whether the step is to be run for how an egress ended.
func (s Step) RunsFor(end Status) bool { return end.among(s.When) }

// Ends lists how an egress can end, as `when` names it.
func Ends() []Status {
	return []Status{
		statusOf(livekit.EgressStatus_EGRESS_COMPLETE), statusOf(livekit.EgressStatus_EGRESS_LIMIT_REACHED),
		statusOf(livekit.EgressStatus_EGRESS_FAILED), statusOf(livekit.EgressStatus_EGRESS_ABORTED), Lost,
	}
}

// Pipelines are all that a worker knows, and which one is taken where none is named.
// The zero value is none: nothing but what the settings and a request name happens.
type Pipelines struct {
	Default string // empty: an egress that names none has none
	Named   map[string]Pipeline
}

// Choose is the pipeline of a name, or the default for an empty one. One that is not
// known is an error of reason Invalid, beside the default.
func (p Pipelines) Choose(name string) (Pipeline, error) {
	byDefault := p.Named[p.Default]
	if name == "" {
		return byDefault, nil
	}
	chosen, known := p.Named[name]
	switch {
	case known:
		return chosen, nil
	case len(p.Named) == 0:
		return byDefault, Invalidf("pipeline", "this worker has none, so not %q either; REELKEEPER_PIPELINE names their file", name)
	default:
		return byDefault, Invalidf("pipeline", "there is no %q; want one of %s", name, strings.Join(sortedKeys(p.Named), ", "))
	}
}

var pipelineName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// BadPipeline refuses what cannot be the name of a pipeline.
func BadPipeline(name string) error {
	return Invalidf("pipeline", "want 1 to 64 of [A-Za-z0-9._-], a letter or digit first, got %q", name)
}

// ValidName says whether a pipeline, consumer or step can be called that: 1 to 64 of
// [A-Za-z0-9._-], a letter or digit first.
func ValidName(name string) bool { return pipelineName.MatchString(name) }
