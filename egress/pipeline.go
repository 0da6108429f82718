package egress

import (
	"cmp"
	"regexp"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Pipeline is what happens to a recording after its end, beyond what its request names. It travels
// with each egress from its start on, so that an egress keeps the pipeline that it began with. It
// holds no secret, since the history keeps it.
type Pipeline struct {
	Name      string     `json:"name,omitempty"`
	Consumers []Consumer `json:"consumers,omitempty"` // told of each end, in parallel
	Steps     []Step     `json:"steps,omitempty"`     // run one after the other, once the consumers have been told
}

// Consumer receives `egress_ended` as LiveKit would have sent it.
type Consumer struct {
	Name string   `json:"name"` // its delivery step is announce-<name>
	URL  string   `json:"url"`
	Key  string   `json:"key,omitempty"`  // name of the API key that signs; default: LIVEKIT_API_KEY
	When []Status `json:"when,omitempty"` // ends that it is told about; default: all
}

// Step is one of the user's own steps: any activity on any task queue, in any language.
type Step struct {
	Name      string   `json:"name"`
	Activity  string   `json:"activity"`
	TaskQueue string   `json:"task_queue"`
	When      []Status `json:"when,omitempty"`      // ends that it is run for; default: all
	Timeout   Duration `json:"timeout"`             // of one attempt
	Heartbeat Duration `json:"heartbeat,omitempty"` // interval within which a running attempt must heartbeat; default: none
	Attempts  int      `json:"attempts,omitempty"`  // the maximum number of attempts; default: unlimited
	For       Duration `json:"for"`                 // how long it is tried in all, including the wait for a worker
	Backoff   Backoff  `json:"backoff"`
	// Clear says that its input is never encrypted, for a worker without our codec.
	Clear bool `json:"clear,omitempty"`
	// With is passed to the activity unchanged.
	With map[string]any `json:"with,omitempty"`
}

// Backoff is the wait between two attempts: First, doubled each time up to Max.
type Backoff struct {
	First Duration `json:"first"`
	Max   Duration `json:"max"`
}

// WithDefaults fills in what a step leaves out: attempts of 10 min each, 1 s to 5 min apart, for
// 72 h in all.
func (s Step) WithDefaults() Step {
	s.Timeout = cmp.Or(s.Timeout, Duration(10*time.Minute))
	s.For = cmp.Or(s.For, Duration(72*time.Hour))
	s.Backoff.First = cmp.Or(s.Backoff.First, Duration(time.Second))
	s.Backoff.Max = cmp.Or(s.Backoff.Max, max(s.Backoff.First, Duration(5*time.Minute)))
	return s
}

// RunsFor reports whether the step is run for an egress that ended with this status.
func (s Step) RunsFor(end Status) bool { return end.among(s.When) }

// Ends lists the statuses that an egress can end with, as `when` names them.
func Ends() []Status {
	return []Status{
		statusOf(livekit.EgressStatus_EGRESS_COMPLETE), statusOf(livekit.EgressStatus_EGRESS_LIMIT_REACHED),
		statusOf(livekit.EgressStatus_EGRESS_FAILED), statusOf(livekit.EgressStatus_EGRESS_ABORTED), Lost,
	}
}

// Pipelines are all pipelines that a worker knows, and the one used if none is named. The zero
// value has none: only what the settings and a request name happens.
type Pipelines struct {
	Default string // empty: an egress that names none has none
	Named   map[string]Pipeline
}

// Choose returns the named pipeline, or the default for an empty name. For an unknown name it
// returns the default together with an error of reason Invalid.
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
		return byDefault, Invalidf("pipeline", "this worker has no pipelines, so %q is unknown; set REELKEEPER_PIPELINE to their file", name)
	default:
		return byDefault, Invalidf("pipeline", "there is no %q; want one of %s", name, strings.Join(sortedKeys(p.Named), ", "))
	}
}

var pipelineName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// BadPipeline returns the error for a string that cannot be a pipeline's name.
func BadPipeline(name string) error {
	return Invalidf("pipeline", "want 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit, got %q", name)
}

// ValidName reports whether s can name a pipeline, consumer or step: 1 to 64 of [A-Za-z0-9._-], a
// letter or digit first.
func ValidName(name string) bool { return pipelineName.MatchString(name) }
