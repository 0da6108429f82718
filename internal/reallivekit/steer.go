package reallivekit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Fate is the fate of an egress other than a good recording.
type Fate string

// The fates. Each is described beside its namesake in e2e/livekit.
const (
	Refuse    Fate = "refuse"
	Slow      Fate = "slow"
	Killed    Fate = "killed"
	Unstored  Fate = "unstored"
	Limited   Fate = "limited"
	Hung      Fate = "hung"
	Twice     Fate = "twice"
	Lingering Fate = "lingering"
)

// Plan decides the fate of recordings in a room from now on, or with "-" of pages without a room. After is how long
// after ACTIVE the fate occurs, or how long a slow start or a lingering end takes.
func (s *Server) Plan(ctx context.Context, room string, fate Fate, after time.Duration) error {
	body := map[string]any{"fate": fate, "after_ms": after.Milliseconds()}
	return s.steer(ctx, http.MethodPut, s.worker.first, "plans/"+url.PathEscape(room), body, nil)
}

// Recorded is what a worker really did, whatever it reported.
type Recorded struct {
	EgressID string `json:"egress_id"`
	Room     string `json:"room"`
	File     string `json:"file"`
	Runs     int    `json:"runs"` // how often it began to record
}

// Recorded returns what the running worker has done.
func (s *Server) Recorded(ctx context.Context) (list []Recorded, err error) {
	err = s.steer(ctx, http.MethodGet, s.worker.first, "recorded", nil, &list)
	return list, err
}

// Join makes somebody join a room, which creates the room, and publish a microphone and, unless audioOnly, a
// camera.
func (s *Server) Join(ctx context.Context, room, identity string, audioOnly bool) error {
	path := "rooms/" + url.PathEscape(room) + "/people/" + url.PathEscape(identity)
	if audioOnly {
		path += "?audio"
	}
	return s.steer(ctx, http.MethodPut, s.people.first, path, nil, nil)
}

// Leave makes somebody who has joined leave.
func (s *Server) Leave(ctx context.Context, room, identity string) error {
	return s.steer(ctx, http.MethodDelete, s.people.first, "rooms/"+url.PathEscape(room)+"/people/"+url.PathEscape(identity), nil, nil)
}

func (s *Server) steer(ctx context.Context, method, host, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+host+"/"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(got))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}
