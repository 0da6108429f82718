package codec_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

const (
	token  = "a token of sixteen or more"
	origin = "https://temporal.example:8233"
)

func handler(t *testing.T, maxBody int64) http.Handler {
	t.Helper()
	h, err := codec.Handler(encrypting(t, "one"), codec.Config{Token: token, Origin: origin, MaxBody: maxBody})
	require.NoError(t, err)
	return h
}

// ask sends a request with headers in pairs.
func ask(t *testing.T, h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestASettingThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config      codec.Config
		field, want string
	}{
		"no token":    {codec.Config{Origin: origin}, "REELKEEPER_CODEC_TOKEN", "must have at least 16 characters, has 0"},
		"a short one": {codec.Config{Token: "hunter2", Origin: origin}, "REELKEEPER_CODEC_TOKEN", "must have at least 16 characters, has 7"},
		"no origin":   {codec.Config{Token: token}, "REELKEEPER_CODEC_ORIGIN", "is not set, and REELKEEPER_CODEC_TOKEN needs it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := codec.Handler(encrypting(t, "one"), tc.config)
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Error{Reason: egress.Invalid, Field: tc.field, Message: tc.want}, *e)
		})
	}
}

// The CLI calls the endpoint like the SDK's own remote codec.
func TestTemporalsRemoteCodecIsAnswered(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(handler(t, 0))
	t.Cleanup(server.Close)
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: server.URL,
		ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		},
	})
	want := payload.Proto("livekit.EgressInfo", []byte(`{"roomName":"`+canary+`"}`))
	encoded, err := remote.Encode(one(want))
	require.NoError(t, err)
	require.NotContains(t, encoded[0].String(), canary)
	decoded, err := encrypting(t, "one").Decode(encoded)
	require.NoError(t, err)
	requireEqual(t, want, decoded[0])

	unencrypted := payload.Proto("a", []byte("1"))
	decoded, err = remote.Decode([]*commonpb.Payload{encoded[0], unencrypted})
	require.NoError(t, err)
	requireEqual(t, want, decoded[0])
	requireEqual(t, unencrypted, decoded[1])
}

func TestWithoutTheTokenNobodyLearnsAnything(t *testing.T) {
	t.Parallel()
	for name, authorization := range map[string]string{
		"no header":       "",
		"no token":        "Bearer",
		"an empty token":  "Bearer ",
		"another token":   "Bearer " + strings.ToUpper(token),
		"a part of it":    "Bearer " + token[:len(token)-1],
		"more than it":    "Bearer " + token + "x",
		"another scheme":  "Basic " + token,
		"the token alone": token,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/encode", "/decode"} {
				w := ask(t, handler(t, 0), http.MethodPost, path, `{"payloads":[]}`, "Authorization", authorization, "Origin", origin)
				require.Equal(t, http.StatusUnauthorized, w.Code)
				require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
				require.Equal(t, origin, w.Header().Get("Access-Control-Allow-Origin"), "the UI's page must be able to read why")
				require.NotContains(t, w.Body.String(), token)
			}
		})
	}
}

func TestTheSchemeOfTheTokenMayBeSpeltAnyWay(t *testing.T) {
	t.Parallel()
	w := ask(t, handler(t, 0), http.MethodPost, "/decode", `{"payloads":[]}`, "Authorization", "bearer "+token)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "what is in the clear stays in no cache")
}

func TestOneOriginMayAskAndNoOther(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		origin  string
		allowed bool
	}{
		"the UI's":         {origin, true},
		"another host":     {"https://evil.example:8233", false},
		"a longer host":    {origin + ".evil.example", false},
		"another scheme":   {strings.Replace(origin, "https", "http", 1), false},
		"another port":     {"https://temporal.example", false},
		"a sandboxed page": {"null", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := handler(t, 0)
			preflight := ask(t, h, http.MethodOptions, "/decode", "", "Origin", tc.origin, "Access-Control-Request-Method", http.MethodPost,
				"Access-Control-Request-Headers", "authorization,content-type,x-namespace")
			request := ask(t, h, http.MethodPost, "/decode", `{"payloads":[]}`, "Origin", tc.origin, "Authorization", "Bearer "+token)
			require.Equal(t, map[bool]int{true: http.StatusNoContent, false: http.StatusForbidden}[tc.allowed], preflight.Code)
			require.Equal(t, map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[tc.allowed], request.Code)
			for _, w := range []*httptest.ResponseRecorder{preflight, request} {
				require.Equal(t, tc.allowed, w.Header().Get("Access-Control-Allow-Origin") == tc.origin)
				require.Equal(t, tc.allowed, w.Header().Get("Access-Control-Allow-Credentials") == "true")
			}
		})
	}
}

func TestAPreflightNamesWhatTheUISends(t *testing.T) {
	t.Parallel()
	w := ask(t, handler(t, 0), http.MethodOptions, "/decode", "", "Origin", origin)
	require.Equal(t, "POST", w.Header().Get("Access-Control-Allow-Methods"))
	require.Equal(t, "Authorization, Content-Type, X-Namespace", w.Header().Get("Access-Control-Allow-Headers"))
	require.Equal(t, "Origin", w.Header().Get("Vary"))
	require.Empty(t, w.Body.String())
}

func TestWhatIsNoRequestForACodecIsRefused(t *testing.T) {
	t.Parallel()
	lost, err := encrypting(t, "two").Encode(one(payload.Proto("a", []byte(canary))))
	require.NoError(t, err)
	long := `{"payloads":[{"data":"` + strings.Repeat("A", 2000) + `"}]}`
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"a GET":            {http.MethodGet, "/decode", "", http.StatusMethodNotAllowed, "use POST"},
		"another path":     {http.MethodPost, "/download", "", http.StatusNotFound, ""},
		"a path that ends": {http.MethodPost, "/metrics/decode", "", http.StatusNotFound, ""},
		"no JSON":          {http.MethodPost, "/decode", "x", http.StatusBadRequest, ""},
		"a long body":      {http.MethodPost, "/decode", long, http.StatusRequestEntityTooLarge, "want at most 1024 bytes"},
		"a lost key":       {http.MethodPost, "/decode", jsonOf(t, lost[0]), http.StatusBadRequest, "REELKEEPER_PREVIOUS_SECRETS: lacks the secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, handler(t, 1024), tc.method, tc.path, tc.body, "Authorization", "Bearer "+token)
			require.Equal(t, tc.status, w.Code)
			require.Contains(t, w.Body.String(), tc.want)
			require.NotContains(t, w.Body.String(), canary)
		})
	}
}

// A body that does not state its length is read only up to the limit.
func TestABodyOfNoStatedLengthIsCutOff(t *testing.T) {
	t.Parallel()
	body := strings.NewReader(strings.Repeat(" ", 1<<20))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/decode", body)
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	handler(t, 1024).ServeHTTP(w, r)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "too large")
	require.Greater(t, body.Len(), 1<<19)
}

func jsonOf(t *testing.T, p *commonpb.Payload) string {
	t.Helper()
	b, err := protojson.Marshal(&commonpb.Payloads{Payloads: one(p)})
	require.NoError(t, err)
	return string(b)
}
