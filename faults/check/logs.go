// Package check says whether the promise was kept, from what others wrote down: the
// agents, LiveKit, the consumer and the pipeline's step. It must know nothing of ours, neither types nor
// state nor the way in which we mark requests: what it cannot learn from outside, a
// user could not either.
package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Names of the logs in the folder of a run.
const (
	AgentLog    = "agents.jsonl"
	LiveKitLog  = "livekit.jsonl"
	ConsumerLog = "consumer.jsonl"
	StepLog     = "steps.jsonl"
	KillLog     = "kills.jsonl"
)

// Deed is what an agent did.
type Deed string

// What agents do.
const (
	Began    Deed = "began"    // is about to ask for a recording
	Answered Deed = "answered" // has the last answer that it waits for
	Stopped  Deed = "stopped"  // asked for the end and has an answer, whichever
	Forged   Deed = "forged"   // somebody else told us of an end that is not true
	Done     Deed = "done"     // wants nothing more

	// Somebody else than the agent, who shares LiveKit with us, records a page that is none
	// of ours; and asks for its end.
	Neighbour     Deed = "neighbour"
	NeighbourOver Deed = "neighbour_over"

	// Elsewhere is the same request, begun once more by another door, after its egress had
	// failed. The answer reached nobody.
	Elsewhere Deed = "elsewhere"
)

// Outcome is what an agent was told in the end.
type Outcome string

// What agents are told.
const (
	Accepted Outcome = "accepted" // it records, as that egress
	Refused  Outcome = "refused"  // it does not, and asking again changes nothing
	Unknown  Outcome = "unknown"  // no answer in all the time that the agent had
)

// Agent is one line of the agents' log.
type Agent struct {
	At       time.Time `json:"at"`
	Life     int       `json:"life"`
	Did      Deed      `json:"did"`
	Subject  string    `json:"subject,omitempty"` // the room, or the page of a web egress: no other life has it
	Kind     string    `json:"kind,omitempty"`
	Own      string    `json:"own,omitempty"` // path of the webhook that the request names itself, where it names one
	Outcome  Outcome   `json:"outcome,omitempty"`
	EgressID string    `json:"egress_id,omitempty"`
	Tries    int       `json:"tries,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// Egress is the truth about one egress at a moment.
type Egress struct {
	ID        string    `json:"id"`
	Room      string    `json:"room"`
	URL       string    `json:"url"`
	Host      string    `json:"host"`  // by which its start called LiveKit
	Hooks     []string  `json:"hooks"` // paths to which LiveKit itself sends its webhooks
	Status    string    `json:"status"`
	Faults    []string  `json:"faults"`
	Accepted  time.Time `json:"accepted"`
	Ended     time.Time `json:"ended"`
	Recorded  bool      `json:"recorded"`
	Dead      bool      `json:"dead"`
	Forgotten bool      `json:"forgotten"`
}

// Webhook is what became of one event of LiveKit's.
type Webhook struct {
	ID       string `json:"id"`
	Event    string `json:"event"`
	EgressID string `json:"egress_id"`
	Outcome  string `json:"outcome"`
	Path     string `json:"path"` // of the endpoint, where it was sent
}

// LiveKit is one line of LiveKit's log.
type LiveKit struct {
	At      time.Time `json:"at"`
	Up      bool      `json:"up"`
	Start   string    `json:"start"`
	Egress  *Egress   `json:"egress"`
	Webhook *Webhook  `json:"webhook"`
}

// Request is one line of the consumer's log: a request as it came.
type Request struct {
	At       time.Time   `json:"at"`
	Path     string      `json:"path"`
	Header   http.Header `json:"header"`
	Body     string      `json:"body"`
	Verified bool        `json:"verified"` // by LiveKit's own verifier, when it came
	Answer   int         `json:"answer"`   // 200: it was handled, even where the answer got lost
}

// Work is what an attempt of a step did.
type Work string

// What attempts of a step do.
const (
	Failed Work = "failed" // nothing, and wants to be tried again
	Worked Work = "worked" // its work: the key was new
	Knew   Work = "knew"   // nothing: the work under its key was done before
)

// Step is one line of the log of the pipeline's step: one attempt, with what it was given.
type Step struct {
	At        time.Time `json:"at"`
	Step      string    `json:"step"`
	Key       string    `json:"key"` // its idempotency key
	RequestID string    `json:"request_id"`
	EgressID  string    `json:"egress_id"`
	Status    string    `json:"status"` // of the verdict
	EndedAt   time.Time `json:"ended_at"`
	Corrects  string    `json:"corrects,omitempty"` // the verdict that was told before, and was wrong
	Parts     []string  `json:"parts,omitempty"`    // the egresses of a recording that has more than one
	Attempt   int32     `json:"attempt"`
	Did       Work      `json:"did"`
	Cut       bool      `json:"cut,omitempty"` // its answer got lost
}

// Kill is one line of the log of kills.
type Kill struct {
	At   time.Time     `json:"at"`
	Part string        `json:"part"`
	Down time.Duration `json:"down"`
	// Exit says why it ended by itself, where nobody killed it.
	Exit string `json:"exit,omitempty"`
}

// Logs is all that was written down.
type Logs struct {
	Agents   []Agent
	LiveKit  []LiveKit
	Consumer []Request
	Steps    []Step
	Kills    []Kill
}

// Read reads the logs of a run. One that is missing is empty, and a torn last line,
// of a process that was killed, does not count.
func Read(dir string) (l Logs, err error) {
	for _, f := range []struct {
		name string
		take func(line []byte) error
	}{
		{AgentLog, taking(&l.Agents)}, {LiveKitLog, taking(&l.LiveKit)}, {ConsumerLog, taking(&l.Consumer)},
		{StepLog, taking(&l.Steps)}, {KillLog, taking(&l.Kills)},
	} {
		if err := lines(dir, f.name, f.take); err != nil {
			return Logs{}, err
		}
	}
	return l, nil
}

// ReadSteps reads the log of the pipeline's step alone.
func ReadSteps(dir string) (steps []Step, err error) {
	err = lines(dir, StepLog, taking(&steps))
	return steps, err
}

// lines takes each whole line of a log.
func lines(dir, name string, take func(line []byte) error) error {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n := 0
	for line := range bytes.Lines(data[:bytes.LastIndexByte(data, '\n')+1]) {
		if n++; len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := take(line); err != nil {
			return fmt.Errorf("%s: line %d: %w", name, n, err)
		}
	}
	return nil
}

func taking[T any](list *[]T) func([]byte) error {
	return func(line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		*list = append(*list, v)
		return nil
	}
}
