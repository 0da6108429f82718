package fakelivekit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
	lksdk "github.com/livekit/server-sdk-go/v2"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

const (
	apiKey, apiSecret     = "APIh2key", "h2secret_h2secret_h2secret_h2secret_32"
	otherKey, otherSecret = "APIh2key2", "h2other_h2other_h2other_h2other_h2oth"
	patience              = time.Minute
)

// fake is a server under test, its clients, and its webhook endpoint.
type fake struct {
	*testing.T
	*fakelivekit.Server
	egress   *lksdk.EgressClient
	rooms    *lksdk.RoomServiceClient
	endpoint *endpoint
	cfg      fakelivekit.Config
}

// quick returns 1/100 of the recorded timings, with attempts that may take as long as a busy
// machine needs.
func quick() fakelivekit.Timings {
	t := fakelivekit.Timings{}.Scaled(0.01)
	t.WebhookTimeout, t.WebhookMaxAge = patience, patience
	t.DepartureTimeout = 20 * time.Millisecond
	return t
}

// start starts a server with a webhook endpoint; change may be nil.
func start(t *testing.T, change func(*fakelivekit.Config)) *fake {
	t.Helper()
	e := newEndpoint(t)
	cfg := fakelivekit.Config{
		APIKey: apiKey, APISecret: apiSecret, ExtraKeys: map[string]string{otherKey: otherSecret},
		WebhookURLs: []string{e.URL + "/project"}, Timings: quick(), Seed: 1,
	}
	if change != nil {
		change(&cfg)
	}
	return open(t, cfg, e)
}

func open(t *testing.T, cfg fakelivekit.Config, e *endpoint) *fake {
	t.Helper()
	s, err := fakelivekit.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
	})
	require.NoError(t, s.Start())
	return &fake{
		T: t, Server: s, endpoint: e, cfg: cfg,
		egress: newEgressClient(s.URL()),
		rooms:  lksdk.NewRoomServiceClient(s.URL(), apiKey, apiSecret),
	}
}

func newEgressClient(url string) *lksdk.EgressClient {
	return lksdk.NewEgressClient(url, apiKey, apiSecret)
}

func (f *fake) room(name string, script fakelivekit.RoomScript) {
	f.Helper()
	require.NoError(f, f.AddRoom(name, script))
}

// composite returns a plain request for a room.
func composite(room string) *livekit.RoomCompositeEgressRequest {
	return &livekit.RoomCompositeEgressRequest{
		RoomName: room, FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "rec/{room_name}.mp4"}},
	}
}

// person returns a plain request for alice.
func person(room string) *livekit.ParticipantEgressRequest {
	return &livekit.ParticipantEgressRequest{
		RoomName: room, Identity: "alice", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "rec/{room_name}.mp4"}},
	}
}

// record starts recording alice and returns the egress ID.
func (f *fake) record(room string) string {
	f.Helper()
	info, err := f.egress.StartParticipantEgress(f.Context(), person(room))
	require.NoError(f, err)
	return info.EgressId
}

// listed returns ListEgress's info on one egress.
func (f *fake) listed(id string) *livekit.EgressInfo {
	f.Helper()
	resp, err := f.egress.ListEgress(f.Context(), &livekit.ListEgressRequest{EgressId: id})
	require.NoError(f, err)
	return resp.Items[0]
}

// waitUntil polls for what no webhook reports.
func (f *fake) waitUntil(what string, cond func() bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Fatalf("never came: %s", what)
		}
	}
}

// received is one webhook as it arrived.
type received struct {
	*livekit.WebhookEvent
	path string
	body []byte
}

// endpoint accepts webhooks, and verifies each with LiveKit's own code.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	news   chan struct{}
	answer func(received) int
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{news: make(chan struct{})}
	keys := auth.NewFileBasedKeyProviderFromMap(map[string]string{apiKey: apiSecret, otherKey: otherSecret})
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := readAll(t, r)
		event, err := webhook.ReceiveWebhookEvent(r, keys)
		if err != nil {
			t.Errorf("webhook at %s: %v", r.URL, err)
			return
		}
		w.WriteHeader(e.take(received{event, r.URL.RequestURI(), body}))
	}))
	t.Cleanup(e.Server.Close)
	return e
}

func (e *endpoint) take(r received) int {
	e.mu.Lock()
	e.got = append(e.got, r)
	close(e.news)
	e.news = make(chan struct{})
	answer := e.answer
	e.mu.Unlock()
	if answer != nil {
		return answer(r)
	}
	return http.StatusOK
}

// answers sets how the endpoint answers from now on.
func (e *endpoint) answers(answer func(received) int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) all(match func(received) bool) ([]received, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []received
	for _, r := range e.got {
		if match(r) {
			found = append(found, r)
		}
	}
	return found, e.news
}

// await waits until n webhooks match, and returns them in order of arrival.
func (f *fake) await(n int, match func(received) bool) []received {
	f.Helper()
	deadline := time.After(patience)
	for {
		found, news := f.endpoint.all(match)
		if len(found) >= n {
			return found
		}
		select {
		case <-news:
		case <-deadline:
			all, _ := f.endpoint.all(func(received) bool { return true })
			f.Fatalf("%d of %d webhooks came; all that came: %v", len(found), n, names(all))
		}
	}
}

// untold requires that no matching webhook has arrived.
func (f *fake) untold(match func(received) bool) {
	f.Helper()
	got, _ := f.endpoint.all(match)
	require.Empty(f, names(got))
}

// ended waits for the egress_ended of one egress.
func (f *fake) ended(id string) received {
	f.Helper()
	return f.await(1, named(webhook.EventEgressEnded, id))[0]
}

func (f *fake) active(id string) {
	f.Helper()
	f.await(1, func(r received) bool {
		return r.EgressInfo.GetEgressId() == id && r.EgressInfo.Status == livekit.EgressStatus_EGRESS_ACTIVE
	})
}

func named(event, egressID string) func(received) bool {
	return func(r received) bool {
		return r.Event == event && (egressID == "" || r.EgressInfo.GetEgressId() == egressID)
	}
}

func names(list []received) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.Event+" "+r.EgressInfo.GetStatus().String())
	}
	return out
}

func stateFile(t *testing.T) string { return filepath.Join(t.TempDir(), "fakelivekit.jsonl") }
