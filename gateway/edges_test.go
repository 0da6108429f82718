package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/gateway"
)

// LiveKit's Go client appends its path to the base unchanged, and livekit-server accepts two
// slashes as one.
func TestABaseThatEndsInASlashIsNoWayAroundTheDoor(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/protobuf") // an empty list
	}))
	client := lksdk.NewEgressClient(b.serve(t)+"/", apiKey, apiSecret)
	info, err := client.StartRoomCompositeEgress(t.Context(), &livekit.RoomCompositeEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	require.NotEqual(t, "EG_direct", info.GetEgressId())
	_, err = client.ListEgress(t.Context(), &livekit.ListEgressRequest{})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"StartRoomCompositeEgress durable": 1, "ListEgress durable": 1}, b.counts(t))
	for _, call := range b.reached() {
		require.Equal(t, "Egress/ListEgress", call.method, "asked by the door itself")
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a caller who may not record is read")
	return 0, http.ErrBodyReadAfterClose
}

func TestWhoMayNotRecordIsRefusedBeforeItsBodyIsRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := httptest.NewRequest(http.MethodPost, "/twirp/livekit.Egress/StartRoomCompositeEgress", unread{t})
	r.Header.Set("Content-Type", "application/protobuf")
	w := b.do(r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, "unauthenticated", refusalIn(t, w).Code)
}

func TestAnAnswerToAnUnknownFieldShowsNoMoreThanAnother(t *testing.T) {
	t.Parallel()
	info := &livekit.EgressInfo{EgressId: "EG_1", Request: &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{
		Webhooks: []*livekit.WebhookConfig{{Url: ours("call-1").GetUrl() + "?w=https%3A%2F%2Fsealed.example.com", SigningKey: apiKey}, {Url: "https://app.example.com/hook"}},
		FileOutputs: []*livekit.EncodedFileOutput{
			{Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Bucket: "main-bucket", Secret: profileSecret}}}, {},
		},
	}}}
	list, err := protojson.Marshal(&livekit.ListEgressResponse{Items: []*livekit.EgressInfo{info}})
	require.NoError(t, err)
	one, err := protojson.Marshal(info)
	require.NoError(t, err)
	for method, answer := range map[string][]byte{"ListEgress": list, "UpdateLayout": one} {
		b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
		}), storing)
		shown := b.call(t, method, `{"egress_id": "EG_1", "not_invented_yet": 1}`).Body.String()
		require.NotContains(t, shown, profileSecret)
		require.NotContains(t, shown, "/webhooks/livekit/", "ours")
		require.Contains(t, shown, "https://app.example.com/hook", "the caller's own")
		require.Contains(t, shown, "https://sealed.example.com", "the caller's own, in whose place ours stands")
		require.Equal(t, map[string]int64{method + " forwarded": 1}, b.counts(t))
	}
}

func TestACallOfOthersWithAnUnknownFieldAndNoLiveKitIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newBench(t, nil).call(t, "UpdateLayout", `{"egress_id": "EG_1", "not_invented_yet": 1}`)
	require.Equal(t, "unavailable", refusalIn(t, w).Code)
}

func TestAPageOfAnyOriginReadsWhatTheDoorAnswers(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*gateway.Config){func(*gateway.Config) {}, func(c *gateway.Config) { c.MaxBody = 3 }} { // accepted, and refused
		b := newBench(t, nil, change)
		w := b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily"}`, "Origin", "https://app.example")
		require.Equal(t, "https://app.example", w.Header().Get("Access-Control-Allow-Origin"))
		require.Equal(t, "*", w.Header().Get("Access-Control-Expose-Headers"))
		require.Equal(t, "Origin", w.Header().Get("Vary"), "as livekit-server has it")
		alone := b.call(t, "StartRoomCompositeEgress", strings.Repeat(" ", 2)).Header() // no page calls
		require.Empty(t, alone.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "Origin", alone.Get("Vary"), "it is kept for no page")
	}
}

// livekit-server answers 404 in that case.
func TestAnEscapedSlashMakesNoMethodOfOurs(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.NotFoundHandler(), func(c *gateway.Config) { c.DeleteRoomWait = time.Second })
	b.liveKit.add(running("EG_1", "call-1"))
	for _, path := range []string{"/twirp/livekit.Egress%2FStartWebEgress", "/twirp%2flivekit.Egress/ListEgress", "/twirp/livekit.RoomService%2FDeleteRoom"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"room":"daily"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true, RoomCreate: true}))
		require.Equal(t, http.StatusNotFound, b.do(r).Code, path)
	}
	require.Empty(t, b.recordings.begun())
	require.Empty(t, b.recordings.stopped())
	require.Equal(t, map[string]int64{"other proxied": 3}, b.counts(t))
	require.Equal(t, http.StatusOK, b.call(t, "%53tartWebEgress", `{}`).Code, "any other escape is read")
}

// livekit-server drops the first of two slashes, even if it was escaped, and then uses the decoded path.
func TestASlashThatIsEscapedBesideAnotherIsNoWayAroundTheDoor(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.NotFoundHandler())
	for n, path := range []string{"//twirp/livekit.Egress%2FStartWebEgress", "/%2Ftwirp/livekit.Egress/StartWebEgress"} {
		r := httptest.NewRequest(http.MethodPost, "http://door"+path, strings.NewReader(`{}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true}))
		require.Equal(t, http.StatusOK, b.do(r).Code, path)
		require.Len(t, b.recordings.begun(), n+1)
	}
}
