package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestABodyThatIsNoRequestIsRefusedInWordsAndStartsNothing(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	small := func(c *gateway.Config) { c.MaxBody = limit }
	for name, tc := range map[string]struct {
		body     string
		media    string
		encoding string
		status   int
		says     string
	}{
		"too large":                 {`{"room_name":"` + strings.Repeat("x", limit) + `"}`, "application/json", "", 413, "over 10000 bytes"},
		"too large when unpacked":   {string(zipped(t, bytes.Repeat([]byte("x"), limit+1))), "application/protobuf", "gzip", 413, "over 10000 bytes"},
		"no gzip":                   {"this is no gzip at all", "application/json", "gzip", 400, "not gzip"},
		"no gzip, and short":        {`{}`, "application/json", "gzip", 400, "not gzip"},
		"gzip that is cut":          {string(zipped(t, []byte(`{}`))[:20]), "application/json", "gzip", 400, "not gzip"},
		"nothing":                   {"", "application/json", "gzip", 400, "not gzip"},
		"broken JSON":               {`{"room_name":`, "application/json", "", 400, "the json request could not be decoded"},
		"broken protobuf":           {"\xff\xff\xff", "application/protobuf", "", 400, "the protobuf request could not be decoded"},
		"neither JSON nor protobuf": {"room=daily", "text/plain", "", 404, "unexpected Content-Type"},
		"a wrong type of a field":   {`{"room_name":7}`, "application/json", "", 400, "the json request could not be decoded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil, small)
			r := request(t.Context(), t, "StartRoomCompositeEgress", tc.body)
			r.Header.Set("Content-Type", tc.media)
			if tc.encoding != "" {
				r.Header.Set("Content-Encoding", tc.encoding)
			}
			w := b.do(r)
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Contains(t, w.Body.String(), tc.says)
			require.Empty(t, b.recordings.begun())
			require.Equal(t, map[string]int64{"StartRoomCompositeEgress unreadable": 1}, b.counts(t))
			require.Equal(t, 1, strings.Count(b.log.String(), "\n"), "one line")
		})
	}
}

func TestAGzippedRequestIsTakenAsLiveKitTakesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	body, err := proto.Marshal(&livekit.RoomCompositeEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	r := request(t.Context(), t, "StartRoomCompositeEgress", string(zipped(t, body)))
	r.Header.Set("Content-Type", "application/protobuf")
	r.Header.Set("Content-Encoding", "gzip")
	require.Equal(t, 200, b.do(r).Code)
	require.Len(t, b.recordings.begun(), 1)
}

// A caller that sends its body byte by byte is cut off, whatever else it sends.
func TestASlowBodyIsBoundedByTheCallersTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, func(c *gateway.Config) { c.RequestTimeout, c.FailOpenAfter = 500*time.Millisecond, 0 })
	server := httptest.NewServer(b.door)
	t.Cleanup(server.Close)
	body, slow := io.Pipe()
	r := request(t.Context(), t, "StartRoomCompositeEgress", "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+r.URL.Path, body)
	require.NoError(t, err)
	req.Header = r.Header
	go func() { _, _ = slow.Write([]byte(`{"room_name":`)) }()
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	require.Empty(t, b.recordings.begun())
	server.Close() // the call has been recorded by then
	require.Equal(t, map[string]int64{"StartRoomCompositeEgress unreadable": 1}, b.counts(t), "nothing may go on")
}

// Whatever arrives, nothing panics, and nothing is started for a caller without the grant.
func FuzzARequestOfAStranger(f *testing.F) {
	pb, err := proto.Marshal(&livekit.RoomCompositeEgressRequest{RoomName: "daily", Webhooks: []*livekit.WebhookConfig{theirs()}})
	require.NoError(f, err)
	for _, body := range []string{string(pb), `{"room_name":"daily"}`, `{"roomName":"daily","newField":1}`, `{`, ``, `[]`, "null", "\x00"} {
		for _, media := range []string{"application/json", "application/protobuf"} {
			f.Add("StartRoomCompositeEgress", media, body, "", "key")
			f.Add("StartEgress", media, body, "Bearer x.y.z", "EG_1")
		}
	}
	f.Add("StopEgress", "application/json", `{"egress_id":"EG_1"}`, "Bearer "+token(f, apiKey, apiSecret, &auth.VideoGrant{RoomJoin: true}), "")
	f.Fuzz(func(t *testing.T, method, media, body, authorization, key string) {
		b := newBench(t, nil)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.Path = livekit.EgressPathPrefix + method
		r.Header.Set("Content-Type", media)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Idempotency-Key", key)
		w := b.do(r)
		require.Empty(t, b.recordings.begun())
		require.Empty(t, b.liveKit.started())
		require.Empty(t, b.recordings.stopped())
		require.NotContains(t, b.log.String(), `"panic"`)
		require.NotEqual(t, 200, w.Code)
	})
}

// Whatever a caller with the grant sends, nothing panics, and an answer of 200 is an egress that
// was started.
func FuzzARequestOfACaller(f *testing.F) {
	pb, err := proto.Marshal(&livekit.RoomCompositeEgressRequest{RoomName: "daily", Webhooks: []*livekit.WebhookConfig{theirs()}})
	require.NoError(f, err)
	for _, body := range []string{string(pb), `{"room_name":"daily"}`, `{`, ``, "\x00", `{"webhooks":[{"url":"x"}]}`} {
		f.Add(body, "key", true)
		f.Add(body, "", false)
	}
	f.Fuzz(func(t *testing.T, body, key string, json bool) {
		b := newBench(t, nil)
		r := request(t.Context(), t, "StartRoomCompositeEgress", body)
		r.Header.Set("Content-Type", map[bool]string{true: "application/json", false: "application/protobuf"}[json])
		r.Header.Set("Idempotency-Key", key)
		w := b.do(r)
		require.NotContains(t, b.log.String(), `"panic"`)
		require.Equal(t, w.Code == 200, len(b.recordings.begun()) == 1)
	})
}

func TestACallerIsAnsweredWithinItsTimeAndTheStartGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
			return pending(func(ctx context.Context) (egress.Info, error) {
				<-ctx.Done()
				return egress.Info{}, &egress.Error{Reason: egress.Ambiguous, Message: "no answer in time", Err: ctx.Err()}
			}), nil
		}
		began := time.Now()
		w := b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily"}`, "Idempotency-Key", "call-7")
		require.Equal(t, requestTimeout, time.Since(began))
		require.Equal(t, http.StatusRequestTimeout, w.Code)
		require.Contains(t, w.Body.String(), "ask again with the header Idempotency-Key: call-7")
	})
}
