package livekit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/livekit"
)

const key, secret = "devkey", "a-secret-of-32-characters-or-more"

// at returns a client of the LiveKit at a URL. No test waits for its timeouts unless it sets them
// itself.
func at(url string) *livekit.Client {
	return livekit.New(livekit.Config{URL: url, APIKey: key, APISecret: secret, ShareFor: time.Hour})
}

// served is an HTTP server that counts what reaches it.
type served struct {
	url   string
	calls atomic.Int32
}

func serve(t *testing.T, h http.Handler) *served {
	t.Helper()
	s := &served{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// project is LiveKit's generated Twirp server over functions that a test sets. It records each call
// by its method, with its request and its token.
type project struct {
	lk.Egress      // a method without a function panics
	lk.RoomService //

	list  func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error)
	rooms func(*lk.ListRoomsRequest) (*lk.ListRoomsResponse, error)

	mu    sync.Mutex
	calls []call
}

type call struct {
	method string
	req    proto.Message
}

func (p *project) note(method string, req proto.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call{method, req})
}

func (p *project) noted() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]call(nil), p.calls...)
}

func (p *project) started(method string, req proto.Message) (*lk.EgressInfo, error) {
	p.note(method, req)
	return &lk.EgressInfo{EgressId: "EG_1"}, nil
}

func (p *project) StartRoomCompositeEgress(_ context.Context, r *lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
	return p.started("StartRoomCompositeEgress", r)
}

func (p *project) StartWebEgress(_ context.Context, r *lk.WebEgressRequest) (*lk.EgressInfo, error) {
	return p.started("StartWebEgress", r)
}

func (p *project) StartParticipantEgress(_ context.Context, r *lk.ParticipantEgressRequest) (*lk.EgressInfo, error) {
	return p.started("StartParticipantEgress", r)
}

func (p *project) StartTrackCompositeEgress(_ context.Context, r *lk.TrackCompositeEgressRequest) (*lk.EgressInfo, error) {
	return p.started("StartTrackCompositeEgress", r)
}

func (p *project) StartTrackEgress(_ context.Context, r *lk.TrackEgressRequest) (*lk.EgressInfo, error) {
	return p.started("StartTrackEgress", r)
}

func (p *project) StartEgress(_ context.Context, r *lk.StartEgressRequest) (*lk.EgressInfo, error) {
	return p.started("StartEgress", r)
}

func (p *project) StopEgress(_ context.Context, r *lk.StopEgressRequest) (*lk.EgressInfo, error) {
	p.note("StopEgress", r)
	return &lk.EgressInfo{EgressId: r.GetEgressId(), Status: lk.EgressStatus_EGRESS_ENDING}, nil
}

func (p *project) UpdateStream(_ context.Context, r *lk.UpdateStreamRequest) (*lk.EgressInfo, error) {
	p.note("UpdateStream", r)
	return &lk.EgressInfo{EgressId: r.GetEgressId(), Status: lk.EgressStatus_EGRESS_ACTIVE}, nil
}

func (p *project) ListEgress(_ context.Context, r *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
	p.note("ListEgress", r)
	return p.list(r)
}

func (p *project) ListRooms(_ context.Context, r *lk.ListRoomsRequest) (*lk.ListRoomsResponse, error) {
	p.note("ListRooms", r)
	return p.rooms(r)
}

// open serves the project as LiveKit does, only for tokens with the grant.
func (p *project) open(t *testing.T) *served {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(lk.EgressPathPrefix, needs(func(g *auth.VideoGrant) bool { return g.RoomRecord }, lk.NewEgressServer(p)))
	mux.Handle(lk.RoomServicePathPrefix, needs(func(g *auth.VideoGrant) bool { return g.RoomList }, lk.NewRoomServiceServer(p)))
	return serve(t, mux)
}

// needs answers a bad token as livekit-server does: in plain text.
func needs(granted func(*auth.VideoGrant) bool, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := auth.ParseAPIToken(bearer(r))
		if err != nil {
			http.Error(w, "invalid token", http.StatusUnauthorized)
			return
		}
		_, grants, err := token.Verify(secret)
		if err != nil || token.APIKey() != key || grants.Video == nil || !granted(grants.Video) {
			http.Error(w, "invalid token or grant", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func bearer(r *http.Request) string {
	const prefix = "Bearer "
	h := r.Header.Get("Authorization")
	if len(h) < len(prefix) {
		return ""
	}
	return h[len(prefix):]
}

// failure returns an error as an *egress.Error.
func failure(t *testing.T, err error) *egress.Error {
	t.Helper()
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	return e
}

func request() egress.Request { return &lk.RoomCompositeEgressRequest{RoomName: "standup"} }
