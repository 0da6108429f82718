// Package check judges whether the promise was kept, from what others logged: the agents, LiveKit, the
// consumer and the pipeline's step. It must know nothing of Reelkeeper, neither its types nor its state
// nor how it marks requests: what it cannot learn from outside, a user could not either.
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

// Names of the logs in a run's folder.
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
	Stopped  Deed = "stopped"  // asked for the end and has an answer, of either kind; refused: asking again changes nothing
	Forged   Deed = "forged"   // somebody else sent us a false end
	Done     Deed = "done"     // has nothing left to do

	// Neighbour and NeighbourOver are deeds of somebody else who shares LiveKit with us: they
	// record a page that is not ours, and ask for its end.
	Neighbour     Deed = "neighbour"
	NeighbourOver Deed = "neighbour_over"

	// Elsewhere is the same request, started again by another door after its egress had failed.
	// Nobody received the answer.
	Elsewhere Deed = "elsewhere"
)

// Outcome is the last answer that an agent got.
type Outcome string

// The answers that agents get.
const (
	Accepted Outcome = "accepted" // it is recording, as that egress
	Refused  Outcome = "refused"  // it is not recording, and asking again changes nothing
	Unknown  Outcome = "unknown"  // no answer in the agent's whole time
)

// Agent is one line of the agents' log.
type Agent struct {
	At       time.Time     `json:"at"`
	Life     int           `json:"life"`
	Did      Deed          `json:"did"`
	Subject  string        `json:"subject,omitempty"` // the room, or the page of a web egress; unique to this life
	Kind     string        `json:"kind,omitempty"`
	Own      string        `json:"own,omitempty"`  // path of the request's own webhook, if it names one
	Call     time.Duration `json:"call,omitempty"` // from then until people leave, or the agent asks for the end: at least
	Outcome  Outcome       `json:"outcome,omitempty"`
	EgressID string        `json:"egress_id,omitempty"`
	Tries    int           `json:"tries,omitempty"`
	Error    string        `json:"error,omitempty"`
}

// Egress is the true state of one egress at a moment.
type Egress struct {
	ID        string    `json:"id"`
	Room      string    `json:"room"`
	URL       string    `json:"url"`
	Host      string    `json:"host"`  // used by its start to call LiveKit
	Hooks     []string  `json:"hooks"` // paths to which LiveKit itself sends its webhooks
	Status    string    `json:"status"`
	Faults    []string  `json:"faults"`
	Accepted  time.Time `json:"accepted"`
	Ended     time.Time `json:"ended"`
	Recorded  bool      `json:"recorded"`
	Dead      bool      `json:"dead"`
	Forgotten bool      `json:"forgotten"`
}

// Webhook is what became of one of LiveKit's events.
type Webhook struct {
	ID       string `json:"id"`
	Event    string `json:"event"`
	EgressID string `json:"egress_id"`
	Outcome  string `json:"outcome"`
	Path     string `json:"path"` // of the endpoint to which it was sent
}

// LiveKit is one line of LiveKit's log.
type LiveKit struct {
	At      time.Time `json:"at"`
	Up      bool      `json:"up"`
	Start   string    `json:"start"`
	Egress  *Egress   `json:"egress"`
	Webhook *Webhook  `json:"webhook"`
}

// Request is one line of the consumer's log: a request as it arrived.
type Request struct {
	At       time.Time   `json:"at"`
	Path     string      `json:"path"`
	Header   http.Header `json:"header"`
	Body     string      `json:"body"`
	Verified bool        `json:"verified"` // by LiveKit's own verifier, on arrival
	Answer   int         `json:"answer"`   // 200: it was handled, even if the answer was lost
}

// Work is what an attempt of a step did.
type Work string

// What attempts of a step do.
const (
	Failed Work = "failed" // nothing, and needs a retry
	Worked Work = "worked" // its work: the key was new
	Knew   Work = "knew"   // nothing: the work under its key was already done
)

// Step is one line of the log of the pipeline's step: one attempt, with its input.
type Step struct {
	At        time.Time `json:"at"`
	Step      string    `json:"step"`
	Key       string    `json:"key"` // its idempotency key
	RequestID string    `json:"request_id"`
	EgressID  string    `json:"egress_id"`
	Status    string    `json:"status"` // of the verdict
	EndedAt   time.Time `json:"ended_at"`
	Corrects  string    `json:"corrects,omitempty"` // the verdict announced before, which was wrong
	Parts     []string  `json:"parts,omitempty"`    // the egresses of a recording that has more than one
	Attempt   int32     `json:"attempt"`
	Did       Work      `json:"did"`
	Cut       bool      `json:"cut,omitempty"` // its answer was lost
}

// Kill is one line of the log of kills.
type Kill struct {
	At   time.Time     `json:"at"`
	Part string        `json:"part"`
	Name string        `json:"name,omitempty"` // which worker or which door: its log's name
	Down time.Duration `json:"down"`
	// Asked says that it was not killed but asked to stop.
	Asked bool `json:"asked,omitempty"`
	// Exit says why it ended by itself, if nobody killed it; of one that was asked, what was wrong
	// with how it stopped.
	Exit string `json:"exit,omitempty"`
}

// Logs are all the logs of a run.
type Logs struct {
	Agents   []Agent
	LiveKit  []LiveKit
	Consumer []Request
	Steps    []Step
	Kills    []Kill
}

// Read reads the logs of a run. A missing log is empty, and a torn last line, left by a killed
// process, is ignored.
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

// ReadSteps reads only the log of the pipeline's step.
func ReadSteps(dir string) (steps []Step, err error) {
	err = lines(dir, StepLog, taking(&steps))
	return steps, err
}

// lines passes each whole line of a log to take.
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
