package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// clients are LiveKit's Go clients for one caller: an API key, or the holder of a token.
type clients struct {
	egress livekit.Egress
	rooms  roomClient
}

// roomClient is what the agent needs of the room service.
type roomClient interface {
	CreateRoom(context.Context, *livekit.CreateRoomRequest) (*livekit.Room, error)
	ListRooms(context.Context, *livekit.ListRoomsRequest) (*livekit.ListRoomsResponse, error)
	DeleteRoom(context.Context, *livekit.DeleteRoomRequest) (*livekit.DeleteRoomResponse, error)
	ListParticipants(context.Context, *livekit.ListParticipantsRequest) (*livekit.ListParticipantsResponse, error)
	GetParticipant(context.Context, *livekit.RoomParticipantIdentity) (*livekit.ParticipantInfo, error)
	UpdateRoomMetadata(context.Context, *livekit.UpdateRoomMetadataRequest) (*livekit.Room, error)
}

// connect makes the clients of a caller at a URL. The caller signs grants, unless its client
// chooses them itself.
type connect func(t *testing.T, url, key, secret string, grants *auth.VideoGrant) clients

// sdkClients returns those of LiveKit's Go SDK, which speak protobuf. The SDK lacks the unified
// start: agents use LiveKit's generated client for it.
func sdkClients(t *testing.T, url, key, secret string, grants *auth.VideoGrant) clients {
	t.Helper()
	unified := livekit.NewEgressProtobufClient(url, signed(t, key, secret, grants))
	return clients{
		egress: sdkEgress{lksdk.NewEgressClient(url, key, secret), unified},
		rooms:  lksdk.NewRoomServiceClient(url, key, secret),
	}
}

type sdkEgress struct {
	*lksdk.EgressClient
	unified livekit.Egress
}

// StartEgress is the unified start.
func (e sdkEgress) StartEgress(ctx context.Context, r *livekit.StartEgressRequest) (*livekit.EgressInfo, error) {
	return e.unified.StartEgress(ctx, r)
}

// jsonClients returns LiveKit's generated JSON clients.
func jsonClients(t *testing.T, url, key, secret string, grants *auth.VideoGrant) clients {
	t.Helper()
	c := signed(t, key, secret, grants)
	return clients{livekit.NewEgressJSONClient(url, c), livekit.NewRoomServiceJSONClient(url, c)}
}

// signed returns an HTTP client that sends a token with each call.
func signed(t *testing.T, key, secret string, grants *auth.VideoGrant) *http.Client {
	t.Helper()
	jwt, err := auth.NewAccessToken(key, secret).SetIdentity("agent").SetVideoGrant(grants).SetValidFor(time.Hour).ToJWT()
	require.NoError(t, err)
	return &http.Client{Transport: bearer(jwt)}
}

type bearer string

// RoundTrip sends the token with a request.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// asking is an agent at work: it makes calls and records their answers.
type asking struct {
	t *testing.T
	clients
	report report
}

// ask makes one call, records its answer and returns it; nil after an error.
func ask[Q, A proto.Message](a *asking, name string, call func(context.Context, Q) (A, error), request Q) A {
	a.t.Helper()
	return askWith(a.t.Context(), a, name, call, request)
}

func askWith[Q, A proto.Message](ctx context.Context, a *asking, name string, call func(context.Context, Q) (A, error), request Q) A {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := call(ctx, request)
	s := step{Name: name, OK: err == nil}
	if err != nil {
		s.Error = asError(err)
	} else {
		s.Answer = asJSON(a.t, answer)
	}
	a.report = append(a.report, s)
	return answer
}

// until polls an egress until it reaches a status, and records the last answer.
func (a *asking) until(name string, info *livekit.EgressInfo, done func(livekit.EgressStatus) bool) {
	a.t.Helper()
	look := &livekit.ListEgressRequest{EgressId: info.GetEgressId()}
	for range 600 {
		list, err := a.egress.ListEgress(a.t.Context(), look)
		if err == nil && len(list.Items) == 1 && done(list.Items[0].Status) {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	ask(a, name, a.egress.ListEgress, look)
}

func isActive(s livekit.EgressStatus) bool { return s == livekit.EgressStatus_EGRESS_ACTIVE }
func isOver(s livekit.EgressStatus) bool   { return s >= livekit.EgressStatus_EGRESS_COMPLETE }

// asError returns what an agent can distinguish of an error.
func asError(err error) any {
	var e twirp.Error
	if !errors.As(err, &e) {
		return map[string]any{"message": err.Error()}
	}
	meta := map[string]any{}
	for k, v := range e.MetaMap() {
		meta[k] = v
	}
	return map[string]any{"code": string(e.Code()), "message": e.Msg(), "meta": meta}
}

func asJSON(t *testing.T, m proto.Message) any {
	t.Helper()
	b, err := protojson.Marshal(m)
	require.NoError(t, err)
	v, err := decode(b)
	require.NoError(t, err)
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		v.(map[string]any)["unknown"] = m.ProtoReflect().GetUnknown()
	}
	return v
}

func decode(b []byte) (any, error) {
	var v any
	err := json.Unmarshal(b, &v)
	return v, err
}
