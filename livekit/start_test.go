package livekit_test

import (
	"net/http/httptrace"
	"strings"
	"testing"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/livekit"
)

func TestEachKindOfRequestReachesItsOwnMethodUnchanged(t *testing.T) {
	t.Parallel()
	hooks := []*lk.WebhookConfig{{Url: "https://reel.example.com/webhooks/livekit/r/1/mac", SigningKey: key}}
	requests := map[string]egress.Request{
		"StartRoomCompositeEgress":  &lk.RoomCompositeEgressRequest{RoomName: "standup", Layout: "grid", Webhooks: hooks},
		"StartWebEgress":            &lk.WebEgressRequest{Url: "https://example.com", Webhooks: hooks},
		"StartParticipantEgress":    &lk.ParticipantEgressRequest{RoomName: "standup", Identity: "alice", Webhooks: hooks},
		"StartTrackCompositeEgress": &lk.TrackCompositeEgressRequest{RoomName: "standup", AudioTrackId: "TR_1", Webhooks: hooks},
		"StartTrackEgress":          &lk.TrackEgressRequest{RoomName: "standup", TrackId: "TR_1", Webhooks: hooks},
		"StartEgress":               &lk.StartEgressRequest{RoomName: "standup", Webhooks: hooks},
	}
	require.Len(t, requests, len(egress.Kinds()))
	for method, req := range requests {
		for _, scheme := range []string{"http", "ws", "WS"} {
			t.Run(method+" over "+scheme, func(t *testing.T) {
				t.Parallel()
				p := &project{}
				s := p.open(t)
				m, err := at(strings.Replace(s.url, "http", scheme, 1)).Start(t.Context(), req)
				require.NoError(t, err)
				require.Equal(t, "EG_1", m.GetEgressId())
				got := p.noted()
				require.Len(t, got, 1)
				require.Equal(t, method, got[0].method)
				require.True(t, proto.Equal(req, got[0].req), "%v", got[0].req)
			})
		}
	}
}

// A start that must be sent in time relies on it.
func TestWhoTracesAStartSeesWhenItHasAConnection(t *testing.T) {
	t.Parallel()
	for _, req := range []egress.Request{request(), &lk.StartEgressRequest{}} {
		var seen []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn: func(string) { seen = append(seen, "wanted") },
			GotConn: func(httptrace.GotConnInfo) { seen = append(seen, "got") },
		})
		_, err := at((&project{}).open(t).url).Start(ctx, req)
		require.NoError(t, err)
		require.Equal(t, []string{"wanted", "got"}, seen)
	}
}

// unknown is a request of a kind for which the SDK has no call.
type unknown struct{ *lk.EgressInfo }

func (unknown) GetWebhooks() []*lk.WebhookConfig { return nil }

func TestARequestOfNoKindIsOurOwnFaultAndSendsNothing(t *testing.T) {
	t.Parallel()
	p := &project{}
	s := p.open(t)
	_, err := at(s.url).Start(t.Context(), unknown{})
	require.Equal(t, egress.Internal, failure(t, err).Reason)
	require.Zero(t, s.calls.Load())
}

func TestAKeyThatLiveKitDoesNotKnowIsDenied(t *testing.T) {
	t.Parallel()
	p := &project{}
	c := livekit.New(livekit.Config{URL: p.open(t).url, APIKey: "other", APISecret: "another-secret-of-32-characters-"})
	require.Equal(t, egress.Denied, failure(t, second(c.Start(t.Context(), request()))).Reason)
	require.Equal(t, egress.Denied, failure(t, second(c.Start(t.Context(), &lk.StartEgressRequest{}))).Reason)
	require.Empty(t, p.noted())
}

func TestAnEmptySecretIsOurOwnFault(t *testing.T) {
	t.Parallel()
	p := &project{}
	s := p.open(t)
	c := livekit.New(livekit.Config{URL: s.url})
	require.Equal(t, egress.Internal, failure(t, second(c.Start(t.Context(), request()))).Reason)
	require.Equal(t, egress.Internal, failure(t, second(c.Start(t.Context(), &lk.StartEgressRequest{}))).Reason)
	require.Equal(t, egress.Internal, failure(t, second(c.Stop(t.Context(), "EG_1"))).Reason)
	require.Zero(t, s.calls.Load())
}

func TestAWorkerIsAskedByAnUpdateThatChangesNothing(t *testing.T) {
	t.Parallel()
	p := &project{}
	require.NoError(t, at(p.open(t).url).Answers(t.Context(), "EG_7"))
	require.True(t, proto.Equal(&lk.UpdateStreamRequest{EgressId: "EG_7"}, p.noted()[0].req))
}

func TestAStopNamesItsEgress(t *testing.T) {
	t.Parallel()
	p := &project{}
	m, err := at(p.open(t).url).Stop(t.Context(), "EG_7")
	require.NoError(t, err)
	require.Equal(t, lk.EgressStatus_EGRESS_ENDING, m.GetStatus())
	require.Equal(t, "EG_7", p.noted()[0].req.(*lk.StopEgressRequest).GetEgressId())
}
