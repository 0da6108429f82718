package webhook_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/webhook"
)

// claimsAt returns a token whose times the test chooses, which LiveKit's own code does not allow.
func claimsAt(tb testing.TB, body string, method jwt.SigningMethod, key any, notBefore, expires time.Duration) string {
	tb.Helper()
	right := sign(tb, apiKey, apiSecret, body)
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(right, claims)
	require.NoError(tb, err)
	claims["nbf"] = time.Now().Add(notBefore).Unix()
	claims["exp"] = time.Now().Add(expires).Unix()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	require.NoError(tb, err)
	return token
}

func TestWhatIsNotLiveKitsIsRefusedAndNeverSignalled(t *testing.T) {
	t.Parallel()
	authorization := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	hs256, secret := jwt.SigningMethodHS256, []byte(apiSecret)
	body := started()
	for name, tc := range map[string]struct {
		change func(*http.Request)
		reason webhook.Reason
		status int
	}{
		"a GET":                  {func(r *http.Request) { r.Method = http.MethodGet }, webhook.NotPost, 405},
		"a PUT":                  {func(r *http.Request) { r.Method = http.MethodPut }, webhook.NotPost, 405},
		"no Authorization":       {func(r *http.Request) { r.Header.Del("Authorization") }, webhook.Unsigned, 401},
		"an empty Authorization": {authorization(""), webhook.Unsigned, 401},
		"no JWT":                 {authorization("forged"), webhook.BadToken, 503},
		"a Bearer":               {authorization("Bearer " + sign(t, apiKey, apiSecret, body)), webhook.BadToken, 503},
		"another secret":         {authorization(sign(t, apiKey, "another secret", body)), webhook.BadSignature, 503},
		"another key":            {authorization(sign(t, "APIother", apiSecret, body)), webhook.UnknownKey, 503},
		"no algorithm":           {authorization(claimsAt(t, body, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, 0, time.Minute)), webhook.BadSignature, 503},
		"another algorithm":      {authorization(claimsAt(t, body, jwt.SigningMethodHS512, secret, 0, time.Minute)), webhook.BadSignature, 503},
		"expired 62 s ago":       {authorization(claimsAt(t, body, hs256, secret, -time.Hour, -62*time.Second)), webhook.Expired, 503},
		"signed an hour ahead":   {authorization(claimsAt(t, body, hs256, secret, time.Hour, 2*time.Hour)), webhook.NotYetValid, 503},
		"another body's token":   {authorization(sign(t, apiKey, apiSecret, body+" ")), webhook.WrongHash, 503},
		"a participant's token":  {authorization(sign(t, apiKey, apiSecret, body, func(a *auth.AccessToken) { a.SetSha256("") })), webhook.NoWebhook, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r := b.request(t, b.path("req-1"), body)
			tc.change(r)
			res := b.do(t, r)
			require.Equal(t, tc.status, res.StatusCode)
			require.Empty(t, res.Header.Get("Retry-After"))
			require.Empty(t, b.temporal.taken())
			b.became(t, tc.reason)
		})
	}
}

func TestTheAnswerToAGetNamesPost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.request(t, b.path("req-1"), started())
	r.Method = http.MethodGet
	require.Equal(t, "POST", b.do(t, r).Header.Get("Allow"))
}

func TestATokenThatIsHardlyTooOldOrTooNewIsTaken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ notBefore, expires time.Duration }{
		"expired 30 s ago":  {-time.Hour, -30 * time.Second},
		"signed 30 s ahead": {30 * time.Second, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r := b.request(t, b.path("req-1"), started())
			r.Header.Set("Authorization", claimsAt(t, started(), jwt.SigningMethodHS256, []byte(apiSecret), tc.notBefore, tc.expires))
			require.Equal(t, 200, b.do(t, r).StatusCode)
		})
	}
}

func TestABodyThatIsNotTheSignedOneIsRefused(t *testing.T) {
	t.Parallel()
	body := started()
	large := `{"event":"` + strings.Repeat("x", 10<<20) + `"}`
	for name, tc := range map[string]struct {
		signed, sent string
		reason       webhook.Reason
	}{
		"truncated":         {body, body[:len(body)-2], webhook.WrongHash},
		"empty":             {body, "", webhook.WrongHash},
		"other spacing":     {body, strings.ReplaceAll(body, ", ", ","), webhook.WrongHash},
		"10 MB":             {large, large, webhook.TooLarge},
		"one byte too long": {body, strings.Repeat(" ", 1<<20+1), webhook.TooLarge},
		"just short enough": {body, strings.Repeat(" ", 1<<20), webhook.WrongHash},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r := b.request(t, b.path("req-1"), tc.sent)
			r.Header.Set("Authorization", sign(t, apiKey, apiSecret, tc.signed))
			require.Equal(t, 503, b.do(t, r).StatusCode)
			require.Empty(t, b.temporal.taken())
			b.became(t, tc.reason)
		})
	}
}

func TestTheBodyOfWhoeverHasNoKeyOfOursIsNotKept(t *testing.T) {
	t.Parallel()
	for reason, secret := range map[webhook.Reason]string{webhook.BadSignature: "another secret", webhook.CutBody: apiSecret} {
		b := newBench(t)
		r := httptest.NewRequest(http.MethodPost, b.path("req-1"), iotest.ErrReader(io.ErrUnexpectedEOF))
		r.Header.Set("Authorization", sign(t, apiKey, secret, started()))
		b.handler.ServeHTTP(httptest.NewRecorder(), r)
		b.became(t, reason)
	}
}

// Whoever may join a room has such a token: it must not look as if a webhook had come.
func TestTheBodyOfAParticipantIsNotKeptAndCountsForNoWebhook(t *testing.T) {
	t.Parallel()
	figures := webhook.NewFigures("test", time.Minute, time.Now)
	b := newBench(t, func(c *webhook.Config) { c.Figures = figures })
	r := httptest.NewRequest(http.MethodPost, b.path("req-1"), iotest.ErrReader(io.ErrUnexpectedEOF))
	token, err := auth.NewAccessToken(apiKey, apiSecret).SetIdentity("alice").SetVideoGrant(&auth.VideoGrant{RoomJoin: true, Room: room}).ToJWT()
	require.NoError(t, err)
	r.Header.Set("Authorization", token)
	answer := httptest.NewRecorder()
	b.handler.ServeHTTP(answer, r)
	require.Equal(t, 503, answer.Code)
	b.became(t, webhook.NoWebhook)
	for _, minute := range figures.Take(true) {
		require.Zero(t, minute.Requests())
	}
}

func TestABodyOfUnknownLengthThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.request(t, b.path("req-1"), started())
	r.Body, r.ContentLength = http.NoBody, -1
	r.Body = readCloser{bytes.NewReader(make([]byte, 3<<20))}
	require.Equal(t, 503, b.do(t, r).StatusCode)
	b.became(t, webhook.TooLarge)
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// No retry turns it into an event, and retries would delay the events behind it.
func TestWhatIsSignedButNoEventIsAnsweredOnceForAll(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no JSON":                 "egress_ended",
		"an array":                "[]",
		"a number for an event":   `{"event":1}`,
		"a text for EgressInfo":   `{"event":"egress_ended", "egressInfo":"x"}`,
		"an egress ID twice over": `{"event":"egress_ended", "egressInfo":{"egressId":"EG_1", "egressId":"EG_2"}}`,
		"nothing":                 "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			require.Equal(t, 400, b.post(t, b.path("req-1"), body))
			require.Empty(t, b.temporal.taken())
			b.became(t, webhook.Unreadable)
		})
	}
}

func TestAContentTypeThatIsNotLiveKitsIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"", "text/plain", "application/json"} {
		b := newBench(t)
		r := b.request(t, b.path("req-1"), started())
		r.Header.Set("Content-Type", contentType)
		require.Equal(t, 200, b.do(t, r).StatusCode)
		b.became(t, webhook.Accepted)
	}
}

func TestAPreviousSecretVerifiesUnderItsOldAndItsNewName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key, secret string
		reason      webhook.Reason
	}{
		"the same name":                    {apiKey, "old secret", webhook.LookedUp},
		"a name that is gone":              {"APIgone", "older secret", webhook.LookedUp},
		"a name and a secret that we lack": {"APIgone", "never had", webhook.UnknownKey},
		"a secret that we lack":            {apiKey, "never had", webhook.BadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *webhook.Config) { c.Previous = []string{"old secret", "older secret"} })
			r := b.request(t, "/webhooks/livekit", started())
			r.Header.Set("Authorization", sign(t, tc.key, tc.secret, started()))
			b.do(t, r)
			b.became(t, tc.reason)
		})
	}
}

func TestAPreviousSecretDoesNotExcuseAnotherFault(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *webhook.Config) { c.Previous = []string{"old secret", "older secret"} })
	r := b.request(t, "/webhooks/livekit", started())
	r.Header.Set("Authorization", sign(t, apiKey, "old secret", "another body"))
	require.Equal(t, 503, b.do(t, r).StatusCode)
	b.became(t, webhook.WrongHash)
}
