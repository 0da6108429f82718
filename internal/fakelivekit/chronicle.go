package fakelivekit

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
)

// chronicle is what LiveKit itself could report afterwards: one JSON object per line, only ever appended, so that it holds
// every past state, across restarts. A judge of a client only needs the file, and nothing of this package. A nil chronicle,
// for an empty Config.Chronicle, accepts everything and writes nothing.
type chronicle struct {
	mu   sync.Mutex
	file *os.File
	log  *slog.Logger
}

// note is one line of the chronicle, of one of four kinds.
type note struct {
	At      time.Time    `json:"at"`
	Up      bool         `json:"up,omitempty"`      // a server began, with the contents of the state file
	Start   string       `json:"start,omitempty"`   // a start call arrived for this room or page, whatever became of it
	Egress  *noteEgress  `json:"egress,omitempty"`  // an egress changed
	Webhook *noteWebhook `json:"webhook,omitempty"` // the outcome of an event
}

// noteEgress is the true state of one egress.
type noteEgress struct {
	ID        string    `json:"id"`
	Room      string    `json:"room,omitempty"`
	URL       string    `json:"url,omitempty"`   // of a web egress
	Host      string    `json:"host,omitempty"`  // used by its start to call the server
	Hooks     []string  `json:"hooks,omitempty"` // paths of the request's own webhooks, as LiveKit has them
	Status    string    `json:"status"`
	Error     string    `json:"error,omitempty"`
	Faults    []Fault   `json:"faults,omitempty"`
	Runs      int       `json:"runs,omitempty"`
	Accepted  time.Time `json:"accepted"`
	Ended     time.Time `json:"ended,omitzero"`
	Recorded  bool      `json:"recorded,omitempty"`
	Dead      bool      `json:"dead,omitempty"`
	Forgotten bool      `json:"forgotten,omitempty"`
}

// noteWebhook records that an event was made, or what became of it, for one endpoint if it was
// sent.
type noteWebhook struct {
	ID       string `json:"id,omitempty"`
	Event    string `json:"event"`
	EgressID string `json:"egress_id,omitempty"`
	Outcome  string `json:"outcome"`        // made; suppressed, sent, failed or dropped
	Path     string `json:"path,omitempty"` // of the endpoint to which it was sent
}

// openChronicle opens the file for appending.
func openChronicle(path string, log *slog.Logger) (*chronicle, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("Chronicle: %w", err)
	}
	c := &chronicle{file: file, log: log}
	c.write(note{Up: true})
	return c, nil
}

// write appends a line in one write, which a kill -9 either completes or prevents.
func (c *chronicle) write(n note) {
	if c == nil {
		return
	}
	n.At = time.Now()
	text, err := json.Marshal(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		_, err = c.file.Write(append(text, '\n'))
	}
	if err != nil {
		c.log.Error("chronicle not written", "error", err)
	}
}

// egress records the current state of an egress.
func (c *chronicle) egress(e *egress) {
	if c == nil {
		return
	}
	c.write(note{Egress: &noteEgress{
		ID: e.id(), Room: e.Info.RoomName, URL: pageOf(e.Info.EgressInfo), Host: e.Host, Hooks: e.hookPaths(), Status: e.Info.Status.String(), Error: e.Info.Error,
		Faults: e.Faults, Runs: e.Runs, Accepted: e.Accepted, Ended: e.Ended, Recorded: e.Recorded, Dead: e.Dead, Forgotten: e.Lost,
	}})
}

// start records a start call.
func (c *chronicle) start(st start) {
	page := pageOf(st.echo)
	if page == "" {
		page = st.room
	}
	c.write(note{Start: page})
}

// webhook records the outcome of an event.
func (c *chronicle) webhook(w noteWebhook) {
	c.write(note{Webhook: &w})
}

func (c *chronicle) close() error {
	if c == nil {
		return nil
	}
	return c.file.Close()
}

// hookPaths returns where the request's webhooks go, without possible credentials.
func (e *egress) hookPaths() (paths []string) {
	for _, w := range e.webhooks() {
		paths = append(paths, pathOf(w.GetUrl()))
	}
	return paths
}

// pathOf returns the path of an endpoint, or "" if it is not a URL.
func pathOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Path
}

// pageOf returns the page that a web egress records.
func pageOf(info *livekit.EgressInfo) string {
	if page := info.GetWeb().GetUrl(); page != "" {
		return page
	}
	return info.GetEgress().GetWeb().GetUrl()
}
