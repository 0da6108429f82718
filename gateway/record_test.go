package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

func TestEveryOutcomeOfEveryMethodIsCountedFromTheStart(t *testing.T) {
	t.Parallel()
	counts := newBench(t, nil).allCounts(t)
	methods := map[string]int{}
	for label, n := range counts {
		require.Zero(t, n, label)
		method, outcome, _ := strings.Cut(label, " ")
		require.Contains(t, gateway.Outcomes(), gateway.Outcome(outcome))
		methods[method]++
	}
	for method := range everyStart {
		require.Equal(t, 8, methods[method], method)
		require.Contains(t, counts, method+" failed_open")
		require.NotContains(t, counts, method+" proxied")
	}
	require.Equal(t, 1, methods["DeleteRoom"])
	require.Equal(t, 1, methods["other"])
	require.NotContains(t, counts, "StopEgress failed_open")
	require.Contains(t, counts, "StopEgress direct")
	require.Contains(t, counts, "UpdateLayout direct")
}

func TestTheDurationOfStartsHasTheDoorsBudgetsAmongItsBuckets(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.call(t, "StartWebEgress", `{}`)
	b.call(t, "StartWebEgress", `nonsense`)
	b.call(t, "StopEgress", `{"egress_id":"EG_1"}`)
	h, ok := b.metric(t, "reelkeeper_door_start_duration_seconds").(metricdata.Histogram[float64])
	require.True(t, ok)
	require.Len(t, h.DataPoints, 1)
	require.EqualValues(t, 2, h.DataPoints[0].Count, "of starts alone, refused ones too")
	require.Subset(t, h.DataPoints[0].Bounds, []float64{0.5, 3, 9})
}

// A failure is ours to log and the caller's to hear of, and nobody else's.
func TestAPanicIsAnsweredCountedAndContained(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		at   func(*bench)
	}{
		"in the service": {`{"room_name":"daily"}`, func(b *bench) {
			b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) { panic("broken") }
		}},
		"while it forwards": {newField, func(b *bench) {
			b.liveKit.list = func(context.Context) error { panic("broken") }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			tc.at(b)
			w := b.call(t, "StartRoomCompositeEgress", tc.body, "Idempotency-Key", "call-7")
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.Equal(t, "internal", refusalIn(t, w).Code)
			require.NotContains(t, w.Body.String(), "broken")
			require.Equal(t, map[string]int64{"StartRoomCompositeEgress error": 1}, b.counts(t))
			require.Contains(t, b.log.String(), `"stack":`)
			require.Contains(t, b.log.String(), `"error":"panic: broken`)
		})
	}
}

func TestAKeyWhoseStartPanickedIsNotHeldForEver(t *testing.T) {
	t.Parallel()
	b := newBench(t, newerLiveKit(t))
	b.liveKit.list = func(context.Context) error { panic("broken") }
	require.Equal(t, 500, b.call(t, "StartRoomCompositeEgress", newField, "Idempotency-Key", "call-7").Code)
	b.liveKit.list = func(context.Context) error { return nil }
	require.Equal(t, 200, b.call(t, "StartRoomCompositeEgress", newField, "Idempotency-Key", "call-7").Code)
}

// Only starts, stops and failures are logged at the default level.
func TestWhatGoesWellIsNotLoggedButForStartsAndStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{}}))
	b.call(t, "ListEgress", `{}`)
	require.Empty(t, b.log.String())
	b.call(t, "StopEgress", `{"egress_id":"EG_1"}`)
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "door", "method": "StopEgress", "outcome": "direct", "egressID": "EG_1", "apiKey": apiKey, "identity": "agent",
	}, b.line(t), "who ended a recording is to be found")
	b.call(t, "StartWebEgress", `{}`)
	require.Equal(t, 2, strings.Count(b.log.String(), "\n"))
}

func TestSecretsOfACallReachNoLog(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
		return nil, &egress.Error{Reason: egress.Refused, Code: "invalid_argument", Message: "invalid url rtmps://live.example.com/CANARY: rtmp urls must be of format"}
	}
	for _, body := range []string{
		`{"custom_base_url":"https://x.example.com/?token=CANARY","webhooks":[{"url":"https://u:CANARY@a.example.com"}]}`,
		`{"webhooks":[{"url":"https://a.example.com/?key=CANARY","signing_key":"APIwho"}]}`,
		`{"file_outputs":[{"s3":{"secret":"CANARY"}}],"room_name":7}`,
		`{"hologram":"CANARY"}`,
		`{"room_name":"daily"}`,
	} {
		require.GreaterOrEqual(t, b.call(t, "StartRoomCompositeEgress", body).Code, 400)
	}
	r := httptest.NewRequest(http.MethodPost, "/twirp/livekit.Egress/StartWebEgress?access_token=CANARY", strings.NewReader(`{}`))
	require.Equal(t, 401, b.do(r).Code)
	require.NotContains(t, b.log.String(), "CANARY")
	require.NotContains(t, b.log.String(), "eyJhbGciOi", "a token")
}

func TestACallersRoomIsOnlyClosedByWhoMayDeleteIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }),
		func(c *gateway.Config) { c.DeleteRoomWait = c.RequestTimeout + 1 })
	b.liveKit.add(running("EG_1", "call-1"))
	r := request(t.Context(), t, "", `{"room":"daily"}`) // with roomRecord, without roomCreate
	r.URL.Path = "/twirp/livekit.RoomService/DeleteRoom"
	require.Equal(t, http.StatusUnauthorized, b.do(r).Code, "the answer is LiveKit's")
	require.Empty(t, b.recordings.stopped())
	require.Equal(t, map[string]int64{"DeleteRoom proxied": 1}, b.counts(t))
}

// Otherwise, anybody could push all other lines out of a log of limited size.
func TestCallersWhoMayNotRecordDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		participant := "Bearer " + token(t, apiKey, apiSecret, &auth.VideoGrant{RoomJoin: true})
		ask := func() {
			for range 100 {
				b.call(t, "StartWebEgress", `{}`, "Authorization", "Bearer forged")
				b.call(t, "ListEgress", `{}`, "Authorization", "")
				b.call(t, "StopEgress", `{}`, "Authorization", participant)
			}
		}
		ask()
		require.Equal(t, 2, strings.Count(b.log.String(), `"level":"WARN"`), b.log)
		require.Contains(t, b.log.String(), `"outcome":"unauthenticated","apiKey":"`+apiKey, "whose token lacks the grant is to be found")
		<-time.After(10 * time.Second)
		ask()
		require.Equal(t, 4, strings.Count(b.log.String(), "\n"), b.log)
		require.EqualValues(t, 200, b.counts(t)["StartWebEgress unauthenticated"], "the metric has them all")
	})
}

func TestWhatLiveKitDeniesIsLoggedEachTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.liveKit.stop = func(context.Context, string) (*livekit.EgressInfo, error) {
		return nil, &egress.Error{Reason: egress.Denied, Message: "no permission"}
	}
	for range 3 {
		b.call(t, "StopEgress", `{"egress_id":"EG_1"}`)
	}
	require.Equal(t, 3, strings.Count(b.log.String(), `"outcome":"error"`), b.log)
}
