package e2e

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/reallivekit"
)

// patience holds the settings of a world with a real LiveKit, whose webhooks arrive after up to 30
// s: looks come later, so that a test sees which of the two reports an end.
var patience = map[string]string{
	"REELKEEPER_LOOK_STARTING": "1m", "REELKEEPER_LOOK_ACTIVE": "40s", "REELKEEPER_LOOK_ENDING": "40s",
	"REELKEEPER_START_CALL_TIMEOUT": "10s",
}

// realWorld is what ships, between a real Temporal, a real livekit-server and a consumer.
type realWorld struct {
	*world
	livekit *reallivekit.Server
	folder  string // into which the worker records
	way     *way
}

func newRealWorld(t *testing.T, settings map[string]string, change ...func(*reallivekit.Options)) *realWorld {
	t.Helper()
	realBinaries(t)
	w, l, doorURL := emptyWorld(t, 0)
	r := &realWorld{world: w, folder: t.TempDir(), way: newWay(t, doorURL)}
	r.livekit = startReal(t, func(o *reallivekit.Options) {
		o.Dir, o.WebhookURLs = r.folder, []string{r.way.URL + egress.WebhookPath}
		for _, f := range change {
			f(o)
		}
	})
	w.environ["REELKEEPER_PUBLIC_URL"] = r.way.URL
	maps.Copy(w.environ, patience)
	maps.Copy(w.environ, settings)
	w.openDoor(l, r.livekit.URL)
	w.startWorker()
	return r
}

// alice joins a room, which creates it.
func (r *realWorld) alice(room string) {
	r.t.Helper()
	require.NoError(r.t, r.livekit.Join(r.ctx(), room, "alice", false))
}

// empty creates a room with nobody in it.
func (r *realWorld) empty(room string) {
	r.t.Helper()
	rooms := lksdk.NewRoomServiceClient(r.livekit.URL, apiKey, apiSecret)
	_, err := rooms.CreateRoom(r.ctx(), &livekit.CreateRoomRequest{Name: room})
	require.NoError(r.t, err)
}

// record asks the door for a recording, as an agent with LiveKit's Go SDK does, and asks again
// under the same key if that took too long.
func (r *realWorld) record(room string) (egressID string) {
	r.t.Helper()
	ctx, err := twirp.WithHTTPRequestHeaders(r.ctx(), http.Header{"Idempotency-Key": {room}})
	require.NoError(r.t, err)
	agent := lksdk.NewEgressClient(r.door.URL, apiKey, apiSecret)
	r.want("a recording", func() bool {
		info, err := agent.StartRoomCompositeEgress(ctx, &livekit.RoomCompositeEgressRequest{
			RoomName: room, FileOutputs: files("{room_name}-{time}.mp4", nil),
		})
		egressID = info.GetEgressId()
		return err == nil
	})
	return egressID
}

// recordByNode asks the door for a recording, as an agent with LiveKit's Node SDK does.
func (r *realWorld) recordByNode(room string) (egressID string) {
	r.t.Helper()
	program := programsOf(r.t, "agents/node.md", "js")[0]
	require.Contains(r.t, program, "standup")
	return strings.TrimSpace(runJS(r.t, r.door.URL, strings.ReplaceAll(program, "standup", room)))
}

// recordByEach begins a recording with each of LiveKit's two SDKs, each in its own room. Node
// begins: on a busy machine it takes long, and meanwhile the other recording would be looked at.
func (r *realWorld) recordByEach() (egressIDs []string) {
	r.t.Helper()
	r.alice("of-node")
	r.alice("of-go")
	return []string{r.recordByNode("of-node"), r.record("of-go")}
}

// underWay waits until the workflows have heard that their egresses are active.
func (r *realWorld) underWay(egressIDs ...string) {
	r.t.Helper()
	for _, id := range egressIDs {
		r.want("ACTIVE", func() bool {
			v, err := r.client.State(r.ctx(), id)
			return err == nil && v.Status == "EGRESS_ACTIVE"
		})
	}
}

// stopBehindTheDoor ends egresses directly at LiveKit, so that only LiveKit can tell.
func (r *realWorld) stopBehindTheDoor(egressIDs ...string) {
	r.t.Helper()
	livekitItself := lksdk.NewEgressClient(r.livekit.URL, apiKey, apiSecret)
	for _, id := range egressIDs {
		_, err := livekitItself.StopEgress(r.ctx(), &livekit.StopEgressRequest{EgressId: id})
		require.NoError(r.t, err)
	}
}

// listed returns LiveKit's own info on an egress.
func (r *realWorld) listed(egressID string) *livekit.EgressInfo {
	r.t.Helper()
	list, err := lksdk.NewEgressClient(r.livekit.URL, apiKey, apiSecret).ListEgress(r.ctx(), &livekit.ListEgressRequest{EgressId: egressID})
	require.NoError(r.t, err)
	require.Len(r.t, list.Items, 1)
	return list.Items[0]
}

// atLiveKit waits until LiveKit itself shows a status for the egresses.
func (r *realWorld) atLiveKit(status livekit.EgressStatus, egressIDs []string) {
	r.t.Helper()
	for _, id := range egressIDs {
		r.want(status.String()+" at LiveKit", func() bool { return r.listed(id).Status == status })
	}
}

// judged waits for the verdict on an egress, and checks what holds for each: it was announced once,
// and a good recording is in a file that begins like an MP4.
func (r *realWorld) judged(egressID string) egress.Verdict {
	r.t.Helper()
	v, err := r.client.Wait(r.ctx(), egressID)
	require.NoError(r.t, err)
	told := r.consumer.told(egressID)
	require.Len(r.t, told, 1)
	require.Equal(r.t, string(v.Status) != "EGRESS_COMPLETE", told[0].EgressInfo.GetStatus() != livekit.EgressStatus_EGRESS_COMPLETE)
	if v.Status == "EGRESS_COMPLETE" {
		b, err := os.ReadFile(filepath.Join(r.folder, v.Info.Proto().FileResults[0].Filename))
		require.NoError(r.t, err)
		require.True(r.t, bytes.HasPrefix(b[4:], []byte("ftyp")))
		require.EqualValues(r.t, len(b), v.Info.Proto().FileResults[0].Size)
	}
	return v
}

// way is the path between LiveKit and our webhook endpoint.
type way struct {
	*httptest.Server
	clear http.Handler
	ended chan struct{}
	mu    sync.Mutex
	now   http.HandlerFunc
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	w := &way{clear: httputil.NewSingleHostReverseProxy(u), ended: make(chan struct{})}
	w.Server = httptest.NewServer(w)
	t.Cleanup(func() {
		close(w.ended) // some may hang
		w.Close()
	})
	return w
}

// ServeHTTP passes a webhook on, or does what is set instead.
func (w *way) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	now := w.now
	w.mu.Unlock()
	if now == nil {
		now = w.clear.ServeHTTP
	}
	now(rw, r)
}

// is sets what happens from now on; nil: webhooks pass.
func (w *way) is(now http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

// cutOff breaks off each connection.
func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hanging never answers.
func (w *way) hanging(http.ResponseWriter, *http.Request) { <-w.ended }

// slow passes a webhook on after 20 s.
func (w *way) slow(rw http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(20 * time.Second):
		w.clear.ServeHTTP(rw, r)
	case <-w.ended:
	}
}

// answering answers with a status.
func answering(status int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }
}
