package livekit_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/livekit"
)

// The question behind each row: may LiveKit have started it all the same?
func TestEveryFaultOfTheWayHasAReason(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		at   func(*testing.T) string
		want egress.Reason
	}{
		"a refused connection":               {refused, egress.Unreachable},
		"a host that cannot be found":        {unnamed, egress.Unreachable},
		"a proxy that refuses connections":   {behindNobody, egress.Unreachable},
		"a connection closed at once":        {hangsUp, egress.Ambiguous},
		"a connection cut after sending":     {cuts, egress.Ambiguous},
		"a reply cut in its body":            {answers(http.StatusOK, "cut short", "Content-Length", "100"), egress.Ambiguous},
		"an error cut in its body":           {answers(http.StatusServiceUnavailable, "cut", "Content-Length", "100"), egress.Ambiguous},
		"a reply that is no message":         {answers(http.StatusOK, "<html>log in first</html>"), egress.Ambiguous},
		"a redirect, which is not followed":  {answers(http.StatusMovedPermanently, "", "Location", "https://elsewhere.invalid/"), egress.Refused},
		"a redirect that keeps the method":   {answers(http.StatusPermanentRedirect, "", "Location", "/elsewhere"), egress.Refused},
		"400 from something in front":        {answers(http.StatusBadRequest, "<h1>Bad Request</h1>"), egress.Refused},
		"401 in plain text":                  {answers(http.StatusUnauthorized, "invalid API key: devkey"), egress.Denied},
		"403 in plain text":                  {answers(http.StatusForbidden, "no"), egress.Denied},
		"404 of another server":              {answers(http.StatusNotFound, "404 page not found"), egress.Refused},
		"404 in another's JSON":              {answers(http.StatusNotFound, `{"error":"not_found"}`), egress.Refused},
		"408 from something in front":        {answers(http.StatusRequestTimeout, ""), egress.Ambiguous},
		"412 of another server":              {answers(http.StatusPreconditionFailed, ""), egress.Refused},
		"413 from something in front":        {answers(http.StatusRequestEntityTooLarge, ""), egress.Refused},
		"429 of LiveKit Cloud":               {answers(http.StatusTooManyRequests, "slow down"), egress.RateLimited},
		"500 of another server":              {answers(http.StatusInternalServerError, "oops"), egress.Ambiguous},
		"502 of a proxy":                     {answers(http.StatusBadGateway, "<h1>Bad Gateway</h1>"), egress.Ambiguous},
		"503 of a proxy":                     {answers(http.StatusServiceUnavailable, "no healthy upstream"), egress.Ambiguous},
		"504 of a proxy, which is no answer": {answers(http.StatusGatewayTimeout, "upstream timed out"), egress.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := at(tc.at(t))
			require.Equal(t, tc.want, failure(t, second(c.Start(t.Context(), request()))).Reason, "start")
			require.Equal(t, tc.want, failure(t, second(c.Start(t.Context(), &lk.StartEgressRequest{}))).Reason, "unified start")
			require.Equal(t, tc.want, failure(t, second(c.Stop(t.Context(), "EG_1"))).Reason, "stop")
			require.Equal(t, tc.want, failure(t, second(c.Get(t.Context(), "EG_1"))).Reason, "get")
			require.Equal(t, tc.want, failure(t, second(c.Room(t.Context(), "standup", ""))).Reason, "rooms")
		})
	}
}

func TestAnEmptyReplyIsAmbiguous(t *testing.T) {
	t.Parallel()
	c := at(answers(http.StatusOK, "", "Content-Type", "text/html")(t))
	m, err := c.Start(t.Context(), request())
	require.Nil(t, m)
	for call, err := range map[string]error{
		"start": err, "stop": second(c.Stop(t.Context(), "EG_1")), "get": second(c.Get(t.Context(), "EG_1")),
		"ask":     c.Answers(t.Context(), "EG_1"),
		"present": second(c.Present(t.Context(), "standup", "EG_1")),
	} {
		require.Equal(t, egress.Ambiguous, failure(t, err).Reason, call)
	}
}

func TestAStartEndsWithItsCallersDeadlineAndIsAmbiguousThen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := livekit.New(livekit.Config{URL: hangs(t), APIKey: key, APISecret: secret, Timeout: time.Nanosecond}).Start(ctx, request())
	require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestOurOwnTimeOutOfAStopIsNotTheAnswerThatItsWorkerIsDead(t *testing.T) {
	t.Parallel()
	c := livekit.New(livekit.Config{URL: hangs(t), APIKey: key, APISecret: secret, Timeout: 50 * time.Millisecond})
	for call, err := range map[string]error{
		"stop":   second(c.Stop(t.Context(), "EG_1")),
		"ask":    c.Answers(t.Context(), "EG_1"),
		"get":    second(c.Get(t.Context(), "EG_1")),
		"active": second(c.Active(t.Context())),
		"rooms":  second(c.Room(t.Context(), "standup", "")),
	} {
		require.Equal(t, egress.Ambiguous, failure(t, err).Reason, call)
	}
}

func TestACancelledCallIsAmbiguous(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, egress.Ambiguous, failure(t, second(at(hangs(t)).Start(ctx, request()))).Reason)
}

// answers returns the address of an HTTP server that gives one answer to everything.
func answers(status int, body string, header ...string) func(*testing.T) string {
	return func(t *testing.T) string { return serve(t, answer(status, "text/plain", body, header...)).url }
}

func answer(status int, contentType, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func refused(*testing.T) string { return "http://127.0.0.1:1" }

// unnamed returns an invalid domain name, so that no resolver is asked.
func unnamed(*testing.T) string { return "http://no..such..host:7880" }

// behindNobody returns a host whose proxy is down.
func behindNobody(*testing.T) string { return "https://" + proxied }

func hangsUp(t *testing.T) string {
	l := listen(t)
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func cuts(t *testing.T) string {
	return serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})).url
}

// hangs accepts requests and never answers.
func hangs(t *testing.T) string {
	return serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})).url
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // a second time if the test has closed it
	return l
}
