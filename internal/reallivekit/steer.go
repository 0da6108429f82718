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

// Fate is what becomes of an egress other than a good recording.
type Fate string

// The fates. Each is described beside its namesake in e2e/livekit.
const (
	Refuse   Fate = "refuse"
	Slow     Fate = "slow"
	Killed   Fate = "killed"
	Unstored Fate = "unstored"
	Limited  Fate = "limited"
	Hung     Fate = "hung"
	Twice    Fate = "twice"
)

// Plan steers what is recorded in a room from now on, or with "-" of a page in none. After is how long after ACTIVE the
// fate strikes, and how long a slow start takes.
func (s *Server) Plan(ctx context.Context, room string, fate Fate, after time.Duration) error {
	body := map[string]any{"fate": fate, "after_ms": after.Milliseconds()}
	return s.steer(ctx, http.MethodPut, s.worker.first, "plans/"+url.PathEscape(room), body, nil)
}

// Recorded is what a worker really did, whatever it told.
type Recorded struct {
	EgressID string `json:"egress_id"`
	Room     string `json:"room"`
	File     string `json:"file"`
	Runs     int    `json:"runs"` // how often it began to record
}

// Recorded is what the worker that runs now has done.
func (s *Server) Recorded(ctx context.Context) (list []Recorded, err error) {
	err = s.steer(ctx, http.MethodGet, s.worker.first, "recorded", nil, &list)
	return list, err
}

// Join lets somebody join a room, which makes the room, and publish a microphone and, but for audioOnly, a camera.
func (s *Server) Join(ctx context.Context, room, identity string, audioOnly bool) error {
	path := "rooms/" + url.PathEscape(room) + "/people/" + url.PathEscape(identity)
	if audioOnly {
		path += "?audio"
	}
	return s.steer(ctx, http.MethodPut, s.people.first, path, nil, nil)
}

// Leave lets somebody leave who has joined.
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
