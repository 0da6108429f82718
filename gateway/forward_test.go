package gateway_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/gateway"
)

// newerLiveKit answers a start with the request that it got, field by field.
func newerLiveKit(t *testing.T) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&request)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"egress_id":"EG_new","status":"EGRESS_PREPARING","hologram":%s,"sizes":[1.0,12345678901234567890]}`, request)
	})
}

const newField = `{"room_name":"daily","hologram":{"depth":1.0,"n":12345678901234567890,"text":"a<b>&c"},"webhooks":[{"url":"https://a.example.com","signing_key":"APIother","retries":9}]}`

func TestAStartWithAnUnknownFieldIsForwardedWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t, newerLiveKit(t))
	r := request(t.Context(), t, "StartRoomCompositeEgress", newField)
	r.Header.Set("Idempotency-Key", "call-7")
	w := b.do(r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())

	require.Len(t, b.reached(), 1)
	sent := b.reached()[0]
	require.Equal(t, "Egress/StartRoomCompositeEgress", sent.method)
	require.Equal(t, r.Header.Get("Authorization"), sent.authorization)
	require.Contains(t, sent.body, `{"depth":1.0,"n":12345678901234567890,"text":"a<b>&c"}`, "bytes of an unknown field changed")
	require.JSONEq(t, `{"room_name":"daily","hologram":{"depth":1.0,"n":12345678901234567890,"text":"a<b>&c"},"webhooks":[`+
		`{"url":"https://door.example.com/webhooks/livekit/call-7/1/mac-call-7","signing_key":"APIkey"},`+
		`{"url":"https://a.example.com","signing_key":"APIother","retries":9}]}`, sent.body)

	require.NotContains(t, w.Body.String(), "door.example.com", "our webhook shows")
	require.Contains(t, w.Body.String(), `"webhooks":[{"url":"https://a.example.com","signing_key":"APIother","retries":9}]`)
	require.Contains(t, w.Body.String(), `"sizes":[1.0,12345678901234567890]`)
	require.Equal(t, "call-7", w.Header().Get("X-Reelkeeper-Request-Id"))
	require.Empty(t, b.recordings.begun())
	require.Equal(t, map[string]int64{"StartRoomCompositeEgress forwarded": 1}, b.counts(t))
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "door", "method": "StartRoomCompositeEgress", "outcome": "forwarded",
		"requestID": "call-7", "egressID": "EG_new", "room": "daily", "apiKey": apiKey, "identity": "agent",
		"error": `room_composite: (line 1:22): unknown field "hologram"`,
	}, b.line(t))
}

func TestWhatCountsAsUnknown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body      string
		forwarded int
	}{
		"a known request":             {`{"room_name":"daily","layout":"grid"}`, 0},
		"camel case":                  {`{"roomName":"daily"}`, 0},
		"what follows":                {`{"room_name":"daily"} {"hologram":1}`, 0},
		"an unknown field":            {`{"room_name":"daily","hologram":1}`, 1},
		"one deep inside":             {`{"file_outputs":[{"filepath":"x.mp4","s3":{"hologram":1}}]}`, 1},
		"an unknown enum name":        {`{"preset":"H264_8K_120"}`, 1},
		"no webhooks":                 {`{"webhooks":null,"hologram":1}`, 1},
		"an unknown field of webhook": {`{"webhooks":[{"url":"https://a.example.com","hologram":1}]}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, newerLiveKit(t))
			w := b.call(t, "StartRoomCompositeEgress", tc.body)
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.Len(t, b.reached(), tc.forwarded)
			require.Len(t, b.recordings.begun(), 1-tc.forwarded)
		})
	}
}

func TestJSONThatIsNoneIsTwirpsToRefuse(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "nonsense", `{"room_name":1}`, `{"room_name":"a","room_name":"b"}`, `[]`, `{"hologram":`, `{"hologram":1,"room_name":1}`} {
		b := newBench(t, newerLiveKit(t))
		w := b.call(t, "StartRoomCompositeEgress", body)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Equal(t, refusal{"malformed", "the json request could not be decoded"}, refusalIn(t, w))
		require.Empty(t, b.reached())
		require.Empty(t, b.recordings.begun())
		require.Equal(t, map[string]int64{"StartRoomCompositeEgress unreadable": 1}, b.counts(t))
	}
}

func TestAForwardedStartUnderAKnownKeyIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, newerLiveKit(t))
	b.liveKit.add(running("EG_first", "call-7", theirs()))
	w := b.call(t, "StartRoomCompositeEgress", newField, "Idempotency-Key", "call-7")
	m := infoIn(t, w)
	require.Equal(t, "EG_first", m.GetEgressId())
	require.Equal(t, []string{theirs().GetUrl()}, urlsOf(m))
	require.Empty(t, b.reached())
}

func TestAForwardedStartIsKnownAgainHoweverLongItIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, newerLiveKit(t))
	long := strings.Repeat("x", 100<<10)
	m := running("EG_first", "call-7")
	m.GetRoomComposite().Layout = long
	b.liveKit.add(m)
	w := b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily","hologram":1,"layout":"`+long+`"}`, "Idempotency-Key", "call-7")
	require.Equal(t, "EG_first", infoIn(t, w).GetEgressId())
	w = b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily","hologram":1,"layout":"`+long+`y"}`, "Idempotency-Key", "call-7")
	require.Equal(t, http.StatusConflict, w.Code)
	require.Empty(t, b.reached())
}

func TestTwoForwardedStartsWithOneKeyAtOnceAreOne(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}, 2), make(chan struct{})
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-release
		newerLiveKit(t).ServeHTTP(w, r)
	}))
	var all sync.WaitGroup
	codes := make(chan int, 2)
	ask := func() { codes <- b.call(t, "StartRoomCompositeEgress", newField, "Idempotency-Key", "call-7").Code }
	all.Go(ask)
	<-begun
	b.liveKit.add(running("EG_new", "call-7")) // for the second, in case it comes late
	all.Go(ask)
	close(release)
	all.Wait()
	require.Equal(t, []int{200, 200}, []int{<-codes, <-codes})
	require.Len(t, b.reached(), 1)
}

func TestWhatLiveKitSaysOfAForwardedStartReachesTheCaller(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status                             int
		contentType, body, outcome, logged string
	}{
		"a refusal":            {404, "application/json", `{"code":"not_found","msg":"requested room does not exist"}`, "refused", "requested room does not exist"},
		"a bad token":          {401, "text/plain", "invalid API key: APIkey", "error", "HTTP status 401"},
		"a proxy's answer":     {502, "text/html", "<html>Bad Gateway", "error", "HTTP status 502"},
		"a proxy's own status": {522, "text/html", "<html>Timed out", "error", "HTTP status 522"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &gateway.Lines{}
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}), func(c *gateway.Config) { c.Log = slog.New(slog.NewJSONHandler(log, nil)) })
			w := b.call(t, "StartRoomCompositeEgress", newField)
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, tc.contentType, w.Header().Get("Content-Type"))
			require.Equal(t, tc.body, w.Body.String())
			require.Equal(t, map[string]int64{"StartRoomCompositeEgress " + tc.outcome: 1}, b.counts(t))
			require.Contains(t, log.String(), tc.logged)
		})
	}
}

func TestTheKeyThatARefusalQuotesIsNotLogged(t *testing.T) {
	t.Parallel()
	const quoted = "invalid url live.example.com/app/CANARY: invalid scheme"
	for name, tc := range map[string]struct{ method, body string }{
		"a start that is forwarded":   {"StartRoomCompositeEgress", `{"hologram":1,"stream_outputs":[{"urls":["live.example.com/app/CANARY"]}]}`},
		"an update":                   {"UpdateStream", `{"egress_id":"EG_1","add_output_urls":["live.example.com/app/CANARY"]}`},
		"an update of what is there":  {"UpdateStream", `{"egress_id":"EG_1","remove_output_urls":["live.example.com/app/CANARY"]}`},
		"an update that is forwarded": {"UpdateStream", `{"hologram":1,"egress_id":"EG_1","add_output_urls":["live.example.com/app/CANARY"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &gateway.Lines{}
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = twirp.WriteError(w, twirp.NewError(twirp.InvalidArgument, quoted)) // the caller is gone
			}), func(c *gateway.Config) {
				c.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			w := b.call(t, tc.method, tc.body)
			require.Equal(t, refusal{"invalid_argument", quoted}, refusalIn(t, w), "LiveKit's own words")
			require.Contains(t, log.String(), "invalid url {redacted}: invalid scheme")
			require.NotContains(t, log.String(), "CANARY")
		})
	}
}

// existsAlready is a livekit-server that has retried with its workers, one of which has begun.
func existsAlready(w http.ResponseWriter, _ *http.Request) {
	_ = twirp.WriteError(w, twirp.NewError(twirp.AlreadyExists, "egress already exists")) // the caller is gone
}

func TestAForwardedStartWithoutAnAnswerMayGoOn(t *testing.T) {
	t.Parallel()
	for name, up := range map[string]http.HandlerFunc{
		"cut":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no egress": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) },
		"a page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) },
		"it exists": existsAlready,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, up)
			w := b.call(t, "StartRoomCompositeEgress", newField, "Idempotency-Key", "call-7")
			require.Equal(t, "deadline_exceeded", refusalIn(t, w).Code)
			require.Contains(t, refusalIn(t, w).Msg, "Idempotency-Key: call-7")
		})
	}
}

// LiveKit may have accepted it, and lists it only once it answers.
func TestAForwardedStartWithoutAnAnswerIsNotMadeTwiceWhileLiveKitMayNotListIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		up    http.HandlerFunc
		asked int
	}{
		"cut":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 1},
		"no egress":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }, 1},
		"a proxy's error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, 1},
		"it exists":       {existsAlready, 1},
		"refused":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, first := range [][]string{{"Idempotency-Key", "call-7"}, nil} { // without a key, it gets one
				b := newBench(t, tc.up)
				key := b.call(t, "StartRoomCompositeEgress", newField, first...).Header().Get("X-Reelkeeper-Request-Id")
				w := b.call(t, "StartRoomCompositeEgress", newField, "Idempotency-Key", key)
				require.Len(t, b.reached(), tc.asked)
				if tc.asked == 1 {
					require.Contains(t, refusalIn(t, w).Msg, "ask again with the header Idempotency-Key: "+key)
				}
			}
		})
	}
}

func TestAListWithAnUnknownFieldIsProxiedWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("as it came")) }))
	w := b.call(t, "ListEgress", `{"egress_id": "EG_1", "not_invented_yet": 1}`)
	require.Equal(t, "as it came", w.Body.String())
	require.JSONEq(t, `{"egress_id": "EG_1", "not_invented_yet": 1}`, b.reached()[0].body)
	require.Equal(t, map[string]int64{"ListEgress forwarded": 1}, b.counts(t))
}

// Its workflow must know that somebody wants the end, and LiveKit drops what it does not know.
func TestAStopWithAnUnknownFieldGoesThroughTheWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.liveKit.add(running("EG_1", "call-1"))
	infoIn(t, b.call(t, "StopEgress", `{"egress_id":"EG_1","not_invented_yet":1}`))
	require.Equal(t, []string{"call-1"}, b.recordings.stopped())
	require.Equal(t, map[string]int64{"StopEgress durable": 1}, b.counts(t))
}

func TestMethodsThatAreNotOursGoToLiveKit(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, call := range []struct{ verb, path string }{
		{"GET", "/twirp/livekit.Egress/UpdateLayout"}, {"POST", "/twirp/livekit.Egress/UpdateEgress"},
		{"POST", "/twirp/livekit.Egress/NotInventedYet"}, {"GET", "/twirp/livekit.Egress/StartWebEgress"},
		{"POST", "/twirp/livekit.RoomService/CreateRoom"}, {"GET", "/"},
	} {
		w := httptest.NewRecorder()
		b.door.ServeHTTP(w, httptest.NewRequest(call.verb, call.path, nil))
		require.Equal(t, http.StatusTeapot, w.Code, call)
	}
	require.Len(t, b.reached(), 6)
	require.Equal(t, map[string]int64{"other proxied": 6}, b.counts(t))
	require.Empty(t, b.log.String())
}
