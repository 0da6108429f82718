package gateway

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

func TestRequestsReachLiveKitAsTheyCame(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ base, method, uri, body, want string }{
		"twirp":               {"", "POST", "/twirp/livekit.RoomService/ListRooms", `{"names":["a"]}`, "/twirp/livekit.RoomService/ListRooms"},
		"no body to a POST":   {"", "POST", "/twirp/livekit.SIP/ListSIPTrunk", "", "/twirp/livekit.SIP/ListSIPTrunk"},
		"query":               {"", "GET", "/rtc/validate?access_token=a.b.c&x=1&x=2", "", "/rtc/validate?access_token=a.b.c&x=1&x=2"},
		"query out of order":  {"", "GET", "/rtc?z=1&a=2&%C3%BC=%20+", "", "/rtc?z=1&a=2&%C3%BC=%20+"},
		"query beyond net":    {"", "GET", "/rtc?a=1;b=2&c=%zz", "", "/rtc?a=1;b=2&c=%zz"},
		"empty query":         {"", "GET", "/rtc?", "", "/rtc?"},
		"escaped slash":       {"", "DELETE", "/whip/v1/a%2Fb%20c", "", "/whip/v1/a%2Fb%20c"},
		"double slash":        {"", "GET", "//rtc//x/", "", "//rtc//x/"},
		"dots":                {"", "GET", "/a/../rtc/./x", "", "/a/../rtc/./x"},
		"base":                {"/lk", "POST", "/twirp/x?q=1", "b", "/lk/twirp/x?q=1"},
		"base with a slash":   {"/lk/", "POST", "/twirp/x", "b", "/lk/twirp/x"},
		"base that escapes":   {"/l%2Fk", "GET", "/rtc/a%2Fb", "", "/l%2Fk/rtc/a%2Fb"},
		"base keeps no query": {"/lk?secret=1", "GET", "/rtc?q=1", "", "/lk/rtc?q=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan passed, 1)
			p := newPassage(t, tc.base, keeping(got))
			r := p.request(t, tc.method, tc.uri, strings.NewReader(tc.body))
			r.Header = http.Header{
				"Authorization": {"Bearer a.b.c"}, "Content-Type": {"application/protobuf"}, "User-Agent": {"livekit/1"},
				"Accept-Encoding": {"gzip, br"}, "Idempotency-Key": {"k"}, "Cookie": {"a=1; b=2"}, "X-Many": {"1", "2, 3", ""},
			}
			res := p.do(t, r)
			require.Equal(t, http.StatusOK, res.StatusCode)
			g := <-got
			require.Equal(t, passed{method: tc.method, uri: tc.want, host: p.upstream.Host, body: tc.body, length: int64(len(tc.body))},
				passed{method: g.method, uri: g.uri, host: g.host, body: g.body, length: g.length})
			want := r.Header.Clone()
			want.Set("X-Forwarded-For", "127.0.0.1")
			want.Set("X-Forwarded-Host", strings.TrimPrefix(p.url, "http://"))
			want.Set("X-Forwarded-Proto", "http")
			want.Set("X-Reelkeeper-Door", "1")
			g.header.Del("Content-Length") // net/http shows it where there was a body.
			require.Equal(t, want, g.header)
		})
	}
}

func TestAProxyBeforeUsIsBelieved(t *testing.T) {
	t.Parallel()
	got := make(chan passed, 1)
	p := newPassage(t, "", keeping(got))
	r := p.request(t, http.MethodGet, "/rtc", nil)
	r.Header.Set("X-Forwarded-For", "203.0.113.7, 10.0.0.1")
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-Host", "calls.example.com")
	p.do(t, r)
	h := (<-got).header
	require.Equal(t, []string{"203.0.113.7, 10.0.0.1, 127.0.0.1"}, h["X-Forwarded-For"])
	require.Equal(t, []string{"https"}, h["X-Forwarded-Proto"])
	require.Equal(t, []string{"calls.example.com"}, h["X-Forwarded-Host"])
}

func TestHeadersOfOneConnectionStayThere(t *testing.T) {
	t.Parallel()
	got := make(chan passed, 1)
	p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"] = []string{"X-Theirs"}
		w.Header().Set("X-Theirs", "1")
		w.Header().Set("Proxy-Authenticate", "Basic")
		keeping(got)(w, r)
	})
	r := p.request(t, http.MethodGet, "/rtc", nil)
	r.Header = http.Header{
		"Connection": {"X-Ours, keep-alive"}, "X-Ours": {"1"}, "Keep-Alive": {"timeout=5"},
		"Proxy-Authorization": {"Basic eA=="}, "Te": {"trailers, deflate"}, "User-Agent": {""},
	}
	res := p.do(t, r)
	require.NotContains(t, res.Header, "X-Theirs")
	require.NotContains(t, res.Header, "Proxy-Authenticate")
	h := (<-got).header
	for _, name := range []string{"Connection", "X-Ours", "Keep-Alive", "Proxy-Authorization", "Upgrade", "User-Agent"} {
		require.NotContains(t, h, name)
	}
	require.Equal(t, "trailers", h.Get("Te"))
}

func TestAnswersReachTheCallerAsTheyCame(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		200: "ok", 201: "v=0", 204: "", 301: "moved", 302: "found", 304: "", 400: "bad", 401: "invalid token: x", 404: "none",
		408: "late", 412: "ended", 429: "slow", 500: "wrong", 502: "gateway", 503: "down",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			p := newPassage(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
				w.Header().Set("Location", "/whip/v1/PA_1")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			})
			res := p.do(t, p.request(t, http.MethodPost, "/whip/v1", strings.NewReader("v=0")))
			require.Equal(t, status, res.StatusCode)
			require.Equal(t, body, readAll(t, res.Body))
			require.Equal(t, []string{"a=1", "b=2"}, res.Header["Set-Cookie"])
			require.Equal(t, "/whip/v1/PA_1", res.Header.Get("Location"))
			require.Empty(t, p.log.String())
		})
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	t.Parallel()
	got := make(chan passed, 1)
	p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "body")
		keeping(got)(w, r)
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	r := p.request(t, http.MethodPost, "/x", io.MultiReader(strings.NewReader("up")))
	r.Trailer = http.Header{"X-Sum": {"3"}}
	res := p.do(t, r)
	require.Equal(t, "body", readAll(t, res.Body))
	require.Equal(t, http.Header{"X-Announced": {"1"}, "X-Late": {"2"}}, res.Trailer)
	require.Equal(t, http.Header{"X-Sum": {"3"}}, (<-got).trailer)
}

func TestWhatIsGzippedStaysGzipped(t *testing.T) {
	t.Parallel()
	zipped := gzipped(t, strings.Repeat("room ", 1000))
	got := make(chan passed, 2)
	p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, zipped)
		keeping(got)(w, r)
	})
	for _, accepts := range [][]string{{"gzip"}, nil} {
		r := p.request(t, http.MethodPost, "/twirp/x", strings.NewReader(zipped))
		r.Header.Set("Content-Encoding", "gzip")
		r.Header["Accept-Encoding"] = accepts
		res := p.do(t, r)
		require.Equal(t, zipped, readAll(t, res.Body))
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
		g := <-got
		require.Equal(t, zipped, g.body)
		require.Equal(t, accepts, g.header["Accept-Encoding"])
	}
}

func TestLargeBodiesPassBothWays(t *testing.T) {
	t.Parallel()
	large := slices.Repeat([]byte("0123456789abcde\n"), 10<<20/16)
	for name, length := range map[string]int64{"of known length": int64(len(large)), "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan passed, 1)
			p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
				keeping(got)(w, r)
				_, _ = w.Write(large)
			})
			r := p.request(t, http.MethodPost, "/x", bytes.NewReader(large))
			r.ContentLength = length
			same(t, string(large), readAll(t, p.do(t, r).Body))
			g := <-got
			same(t, string(large), g.body)
			require.Equal(t, length, g.length)
		})
	}
}

func TestAnAnswerIsPassedOnAsItComes(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{})
	p := newPassage(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "6")
		for _, part := range []string{"one", "two"} {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
			<-heard // The next part only comes once this one has arrived.
		}
	})
	res := p.do(t, p.request(t, http.MethodGet, "/x", nil))
	for _, part := range []string{"one", "two"} {
		b := make([]byte, 3)
		_, err := io.ReadFull(res.Body, b)
		require.NoError(t, err)
		require.Equal(t, part, string(b))
		heard <- struct{}{}
	}
}

// tick is a timeout under test; what must be faster is faster by far.
const tick = 250 * time.Millisecond

// half is a request that stops in the middle.
const half = "POST /clock HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"

func TestABodyIsPassedOnAsItComesForLongerThanReadTimeout(t *testing.T) {
	t.Parallel()
	var p *passage
	again, parts := make(chan struct{}), make(chan string, 2)
	p = newPassage(t, "", func(_ http.ResponseWriter, r *http.Request) {
		b := make([]byte, 3)
		_, _ = io.ReadFull(r.Body, b)
		parts <- string(b)
		_, _ = io.ReadAll(p.dial(t, half))
		close(again)
		_, _ = io.ReadFull(r.Body, b)
		parts <- string(b)
	}, func(s *http.Server) {
		through := s.Handler
		s.ReadTimeout, s.ReadHeaderTimeout = tick, time.Minute
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/clock" {
				_, _ = io.ReadAll(r.Body) // Ends by ReadTimeout.
				return
			}
			through.ServeHTTP(w, r)
		})
	})
	body, send := io.Pipe()
	go func() {
		_, _ = io.WriteString(send, "one")
		<-again
		_, _ = io.WriteString(send, "two")
		send.Close()
	}()
	require.Equal(t, http.StatusOK, p.do(t, p.request(t, http.MethodPost, "/x", body)).StatusCode)
	require.Equal(t, []string{"one", "two"}, []string{<-parts, <-parts})
	require.Empty(t, p.log.String())
}

func TestACallerWhoStallsIsLetGoAndOneWhoWaitsIsNot(t *testing.T) {
	t.Parallel()
	const stall = 8 * tick // a chunk follows its header a little later
	for name, body := range map[string]io.Reader{
		"no body": nil, "of known length": strings.NewReader("x"), "chunked": io.MultiReader(strings.NewReader("x")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p *passage
			gone := make(chan error, 1)
			p = newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadAll(r.Body)
				if r.URL.Path == "/clock" {
					return
				}
				answer, _ := io.ReadAll(p.dial(t, half))
				gone <- r.Context().Err()
				_, _ = w.Write(answer)
			}, func(s *http.Server) { s.ReadTimeout, s.ReadHeaderTimeout = stall/2, time.Minute }) // whoever waits, waits longer than that
			p.proxy.stall = stall
			res := p.do(t, p.request(t, http.MethodPost, "/twirp/x", body))
			require.Regexp(t, "^HTTP/1.1 408 Request Timeout\r\n", readAll(t, res.Body))
			require.NoError(t, <-gone)
			require.Empty(t, p.log.String())
		})
	}
}

func TestWebsocketsPassBothWays(t *testing.T) {
	t.Parallel()
	queries, ended := make(chan string, 1), make(chan error, 1)
	upgrader := websocket.Upgrader{Subprotocols: []string{"livekit"}, CheckOrigin: func(*http.Request) bool { return true }}
	p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
		queries <- r.URL.RawQuery
		c, err := upgrader.Upgrade(w, r, http.Header{"X-Node": {"ND_1"}})
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, message, err := c.ReadMessage()
			if err != nil {
				ended <- err
				return
			}
			_ = c.WriteMessage(kind, append([]byte("echo "), message...))
		}
	})
	dialer := websocket.Dialer{Subprotocols: []string{"livekit"}}
	c, res, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(p.url, "http")+"/rtc?access_token=a.b.c", http.Header{"Origin": {"https://example.com"}})
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, "ND_1", res.Header.Get("X-Node"))
	require.Equal(t, "livekit", c.Subprotocol())
	require.Equal(t, "access_token=a.b.c", <-queries)
	for _, message := range []string{"hello", strings.Repeat("long ", 100_000), ""} {
		require.NoError(t, c.WriteMessage(websocket.BinaryMessage, []byte(message)))
		kind, got, err := c.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, websocket.BinaryMessage, kind)
		same(t, "echo "+message, string(got))
	}
	require.NoError(t, c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, "bye")))
	require.True(t, websocket.IsCloseError(<-ended, websocket.CloseGoingAway))
	_, _, err = c.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseGoingAway), "LiveKit's own closing word")
	c.Close()
	<-p.done
	require.Empty(t, p.log.String())
}

func TestLiveKitOutOfReachIsToldAndLoggedOnce(t *testing.T) {
	t.Parallel()
	for status, tc := range map[int]struct{ path, content, body string }{
		503: {"/twirp/livekit.RoomService/ListRooms", "application/json", `{"code":"unavailable","msg":"LiveKit not reached"}`},
		502: {"/rtc/validate", "text/plain; charset=utf-8", "LiveKit not reached\n"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			t.Parallel()
			p := newPassageTo(t, &url.URL{Scheme: "http", Host: "127.0.0.1:0", Path: "/base"})
			res := p.do(t, p.request(t, http.MethodPost, tc.path+"?access_token=secret", strings.NewReader("x")))
			require.Equal(t, status, res.StatusCode)
			require.Equal(t, tc.content, res.Header.Get("Content-Type"))
			require.Equal(t, tc.body, readAll(t, res.Body))
			require.Equal(t, 1, strings.Count(p.log.String(), "\n"), p.log)
			require.Regexp(t, `level=ERROR msg="LiveKit not reached" method=POST path=`+tc.path+` error=`, p.log)
			require.NotContains(t, p.log.String(), "secret")
		})
	}
}

func TestAnAnswerThatBreaksOffBreaksOffForTheCaller(t *testing.T) {
	t.Parallel()
	p := newPassage(t, "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	res := p.do(t, p.request(t, http.MethodGet, "/x?access_token=secret", nil))
	b, err := io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "half", string(b))
	<-p.done
	require.Regexp(t, "^.*level=WARN .*read error during body copy: unexpected EOF.*\n$", p.log)
	require.NotContains(t, p.log.String(), "secret")
}

func TestACallerWhoGoesAwayIsNoError(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"while LiveKit works":       "GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
		"while LiveKit answers":     "GET /answer HTTP/1.1\r\nHost: x\r\n\r\n",
		"in the middle of its body": "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
		"in the middle of a chunk":  "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, ended := make(chan struct{}), make(chan struct{})
			p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/answer" {
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				_, _ = io.ReadAll(r.Body)
				<-r.Context().Done()
				close(ended)
			})
			conn := p.dial(t, raw)
			<-asked
			conn.Close()
			<-ended
			<-p.done
			require.Empty(t, p.log.String())
		})
	}
}

func TestABrokenBodyIsTheCallersFault(t *testing.T) {
	t.Parallel()
	p := newPassage(t, "", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
	conn := p.dial(t, "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n")
	require.Regexp(t, "^HTTP/1.1 400 Bad Request\r\n", readAll(t, conn))
	require.Empty(t, p.log.String())
}

func TestTheProxyAwaitsAnAnswerForAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	transport := newProxy(&url.URL{Scheme: "https", Host: "x"}, slog.Default()).(*proxy).reverse.Transport.(marked).next.(*http.Transport)
	require.Zero(t, transport.ResponseHeaderTimeout)
	require.Equal(t, "https://x/b", bare(&url.URL{Scheme: "https", Host: "x", Path: "/b", RawQuery: "q", User: url.User("u")}).String())
}
