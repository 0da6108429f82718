package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/reelkeeper/reelkeeper/gateway"
)

const (
	plain     = "text/plain; charset=utf-8"
	twirpJSON = "application/json"
	denied    = `{"code":"unauthenticated","msg":"permissions denied"}`
)

func expired(tb testing.TB) string {
	tb.Helper()
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": apiKey, "exp": time.Now().Add(-time.Hour).Unix(), "video": map[string]any{"roomRecord": true},
	}).SignedString([]byte(apiSecret))
	require.NoError(tb, err)
	return t
}

// The messages are livekit-server's, as recorded.
func TestTokensAreCheckedAsLiveKitChecksThem(t *testing.T) {
	t.Parallel()
	recorder := &auth.VideoGrant{RoomRecord: true}
	good := token(t, apiKey, apiSecret, recorder)
	wrong := token(t, apiKey, "wrong", recorder)
	old := expired(t)
	for name, tc := range map[string]struct {
		query, header     string
		status            int
		contentType, want string
		outcome           string
	}{
		"a good token":                  {"", "Bearer " + good, 200, twirpJSON, `"egress_id":"EG_`, "durable"},
		"a token of the other key":      {"", "Bearer " + token(t, otherKey, otherSecret, recorder), 200, twirpJSON, `"egress_id":"EG_`, "durable"},
		"a token in the query":          {"?access_token=" + url.QueryEscape(good), "", 200, twirpJSON, `"egress_id":"EG_`, "durable"},
		"no token":                      {"", "", 401, twirpJSON, denied, "unauthenticated"},
		"an empty bearer":               {"", "Bearer ", 401, twirpJSON, denied, "unauthenticated"},
		"a header without Bearer":       {"", good, 401, plain, "invalid authorization header. Must start with Bearer ", "unauthenticated"},
		"a bad header, a good query":    {"?access_token=" + url.QueryEscape(good), "Basic x", 401, plain, "invalid authorization header. Must start with Bearer ", "unauthenticated"},
		"no JWT":                        {"", "Bearer nonsense", 401, plain, "invalid authorization token", "unauthenticated"},
		"no JWT in the query":           {"?access_token=nonsense", "", 401, plain, "invalid authorization token", "unauthenticated"},
		"another project's key":         {"", "Bearer " + token(t, "APIwho", apiSecret, recorder), 401, plain, "invalid API key: APIwho", "unauthenticated"},
		"a wrong secret":                {"", "Bearer " + wrong, 401, plain, "invalid token: " + wrong + ", error: ", "unauthenticated"},
		"a secret of the other key":     {"", "Bearer " + token(t, apiKey, otherSecret, recorder), 401, plain, "invalid token: ", "unauthenticated"},
		"an expired token":              {"", "Bearer " + old, 401, plain, "invalid token: " + old + ", error: ", "unauthenticated"},
		"no grant":                      {"", "Bearer " + token(t, apiKey, apiSecret, &auth.VideoGrant{}), 401, twirpJSON, denied, "unauthenticated"},
		"a token to join a room":        {"", "Bearer " + token(t, apiKey, apiSecret, &auth.VideoGrant{RoomJoin: true, Room: "daily"}), 401, twirpJSON, denied, "unauthenticated"},
		"an administrator of the rooms": {"", "Bearer " + token(t, apiKey, apiSecret, &auth.VideoGrant{RoomAdmin: true, RoomCreate: true, RoomList: true}), 401, twirpJSON, denied, "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			r := httptest.NewRequest(http.MethodPost, "/twirp/livekit.Egress/StartWebEgress"+tc.query, strings.NewReader(`{"url":"https://x.example.com"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", tc.header)
			w := httptest.NewRecorder()
			b.door.ServeHTTP(w, r)
			result := w.Result()
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, tc.contentType, sniffed(result.Header, w.Body.Bytes()))
			require.Contains(t, w.Body.String(), tc.want)
			require.Equal(t, map[string]int64{"StartWebEgress " + tc.outcome: 1}, b.counts(t))
			require.Len(t, b.recordings.begun(), 2-w.Code/200, "a start for a caller who may not, or none for one who may")
		})
	}
}

// sniffed returns the content type that a real server would have sent.
func sniffed(h http.Header, body []byte) string {
	if t := h.Get("Content-Type"); t != "" {
		return t
	}
	return http.DetectContentType(body)
}

func TestEveryMethodWantsTheGrant(t *testing.T) {
	t.Parallel()
	for _, method := range []string{
		"StartEgress", "StartRoomCompositeEgress", "StartWebEgress", "StartParticipantEgress",
		"StartTrackCompositeEgress", "StartTrackEgress", "StopEgress", "ListEgress", "UpdateLayout", "UpdateStream",
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			for _, body := range []string{`{}`, `{"not_invented_yet":1}`} {
				w := b.call(t, method, body, "Authorization", "Bearer "+token(t, apiKey, apiSecret, &auth.VideoGrant{RoomJoin: true}))
				require.Equal(t, http.StatusUnauthorized, w.Code)
				require.JSONEq(t, denied, w.Body.String())
			}
			require.Empty(t, b.recordings.begun())
			require.Empty(t, b.recordings.stopped())
			require.Empty(t, b.liveKit.stopped())
			require.Equal(t, map[string]int64{method + " unauthenticated": 2}, b.counts(t))
		})
	}
}

// Otherwise, a caller without a token could make the door send its own.
func TestTheCallersOwnTokenGoesOnToLiveKit(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{}))
	good := token(t, otherKey, otherSecret, &auth.VideoGrant{RoomRecord: true})
	r := httptest.NewRequest(http.MethodPost, "/twirp/livekit.Egress/ListEgress?access_token="+url.QueryEscape(good), strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.door.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "Bearer "+good, b.reached()[0].authorization)
}

// As with LiveKit itself, an SDK finds no Twirp error in the answer to a bad token.
func TestTheSDKHearsOfABadTokenWhatItHearsFromLiveKit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	client := lksdk.NewEgressClient(b.serve(t), apiKey, "wrong")
	_, err := client.StartWebEgress(t.Context(), &livekit.WebEgressRequest{Url: "https://x.example.com"})
	var te twirp.Error
	require.ErrorAs(t, err, &te)
	require.Equal(t, "401", te.Meta("status_code"))
	require.Contains(t, te.Meta("body"), "invalid token: ")
	require.NotContains(t, b.log.String(), "eyJhbGciOi", "a token is in the log")
}

func TestADoorThatLacksSomethingNamesIt(t *testing.T) {
	t.Parallel()
	const joined = "gateway: Keys, Recordings, LiveKit, Marker, Log and Meter are required"
	const reached = "gateway: Upstream, PublicURL and SigningKey are required"
	for name, tc := range map[string]struct {
		change func(*gateway.Config)
		want   string
	}{
		"keys":    {func(c *gateway.Config) { c.Keys = nil }, joined},
		"a log":   {func(c *gateway.Config) { c.Log = nil }, joined},
		"a meter": {func(c *gateway.Config) { c.Meter = nil }, joined},
		"LiveKit": {func(c *gateway.Config) { c.Upstream = nil }, reached},
		"an API": {
			func(c *gateway.Config) {
				c.Upstream = &url.URL{Scheme: "wss", Host: "livekit", User: url.User(apiSecret)}
			},
			"LIVEKIT_URL: want a URL that begins with ws:// or wss:// or http:// or https://, in lower case",
		},
		"its address": {func(c *gateway.Config) { c.PublicURL = "" }, reached},
		"a marker":    {func(c *gateway.Config) { c.Marker = nil }, joined},
		"a body":      {func(c *gateway.Config) { c.MaxBody = -1 }, "gateway: a duration or size is negative"},
		"time": {
			func(c *gateway.Config) { c.FailOpenAfter = 8 * time.Second },
			"REELKEEPER_FAIL_OPEN_AFTER: must be more than 1s below REELKEEPER_REQUEST_TIMEOUT (9s), got 8s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := gateway.Config{
				Keys: auth.NewSimpleKeyProvider(apiKey, apiSecret), Recordings: &recordings{}, LiveKit: &liveKit{},
				Marker: marker{}, Upstream: &url.URL{Scheme: "http", Host: "livekit"}, PublicURL: publicURL, SigningKey: apiKey,
				Log: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
			}
			_, err := gateway.New(c)
			require.NoError(t, err)
			tc.change(&c)
			_, err = gateway.New(c)
			require.EqualError(t, err, tc.want)
		})
	}
}
