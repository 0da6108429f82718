package egress

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
	When      []Status `json:"when,omitempty"`     // ends that it is run for; default: all
	Timeout   Duration `json:"timeout"`            // of one attempt
	Attempts  int      `json:"attempts,omitempty"` // how often it is tried; default: without bound
	For       Duration `json:"for"`                // how long it is tried in all
	// With is handed to the activity as it is.
	With map[string]any `json:"with,omitempty"`
}
