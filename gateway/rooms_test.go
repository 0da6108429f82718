package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// passage is LiveKit, the proxy before it, and a caller, over real connections.
type passage struct {
	proxy    *proxy
	upstream *url.URL
	url      string
	log      *Lines
	caller   *http.Client
	// done gets a value for each request that the proxy has finished.
	done chan struct{}
}

// newPassage serves LiveKit behind a proxy. base is the path at which LiveKit is served.
func newPassage(t *testing.T, base string, livekit http.HandlerFunc, change ...func(*http.Server)) *passage {
	t.Helper()
	upstream := httptest.NewServer(livekit)
	t.Cleanup(upstream.Close)
	u, err := url.Parse(upstream.URL + base)
	require.NoError(t, err)
	return newPassageTo(t, u, change...)
}

func newPassageTo(t *testing.T, upstream *url.URL, change ...func(*http.Server)) *passage {
	t.Helper()
	p := &passage{upstream: upstream, log: &Lines{}, done: make(chan struct{}, 16)}
	p.proxy = newProxy(upstream, slog.New(slog.NewTextHandler(p.log, nil))).(*proxy)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { p.done <- struct{}{} }()
		p.proxy.ServeHTTP(w, r)
	}))
	for _, c := range change {
		c(front.Config)
	}
	front.Start()
	t.Cleanup(front.Close)
	p.url = front.URL
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	p.caller = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p
}

func (p *passage) request(t *testing.T, method, uri string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+uri, body)
	require.NoError(t, err)
	return r
}

func (p *passage) do(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	res, err := p.caller.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// dial is a caller that sends arbitrary bytes.
func (p *passage) dial(t *testing.T, raw string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, raw)
	require.NoError(t, err)
	return conn
}

// passed is a request as LiveKit received it.
type passed struct {
	method, uri, host, body string
	header, trailer         http.Header
	length                  int64
}

// keeping is a LiveKit that keeps what it receives.
func keeping(got chan<- passed) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- passed{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone(), r.Trailer.Clone(), r.ContentLength}
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

// same compares texts that are too long to print.
func same(t *testing.T, want, got string) {
	t.Helper()
	require.Equal(t, sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)))
}

// closing ends the recordings of rooms, and keeps the names of the rooms.
type closing struct {
	rooms chan string
	do    func(ctx context.Context) error
	by    *egress.Asker // who asked last
}

func (c *closing) end(ctx context.Context, room string, by *egress.Asker) error {
	c.by = by
	c.rooms <- room
	return c.do(ctx)
}

func atOnce(context.Context) error { return nil }

// deletions is a passage with DeleteRoom in front of it.
type deletions struct {
	*passage
	rooms   *rooms
	closing *closing
}

func newDeletions(t *testing.T, livekit http.HandlerFunc, change ...func(*rooms)) *deletions {
	t.Helper()
	d := &deletions{closing: &closing{rooms: make(chan string, 16), do: atOnce}}
	d.passage = newPassage(t, "", livekit, func(s *http.Server) {
		d.rooms = &rooms{proxy: s.Handler, end: d.closing.end, allowed: allowAll, wait: time.Minute, deletion: deletionTimeout}
		for _, c := range change {
			c(d.rooms)
		}
		s.Handler = d.rooms
	})
	d.rooms.log = slog.New(slog.NewTextHandler(d.log, nil))
	return d
}

func allowAll(*http.Request) (*egress.Asker, bool) { return egress.AskedBy("API1", "ann"), true }

// deletion returns an SDK's request.
func (d *deletions) deletion(t *testing.T, contentType, body string) *http.Request {
	t.Helper()
	r := d.request(t, http.MethodPost, deleteRoomPath+"?q=%zz;", strings.NewReader(body))
	r.Header = http.Header{
		"Authorization": {"Bearer a.b.c"}, "Content-Type": {contentType}, "User-Agent": {"livekit/1"},
		"Twirp-Version": {"v8.1.3"}, "Idempotency-Key": {"k"}, "X-Many": {"1", "2"},
	}
	return r
}

// asProtobuf returns the body of a deletion.
func asProtobuf(t *testing.T, room string) string {
	t.Helper()
	b, err := proto.Marshal(&livekit.DeleteRoomRequest{Room: room})
	require.NoError(t, err)
	return string(b)
}

func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, s)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func TestADeletionStopsTheRoomFirstAndArrivesAsItCame(t *testing.T) {
	t.Parallel()
	const js, pb = "application/json", "application/protobuf"
	denied := func(s *rooms) { s.allowed = func(*http.Request) (*egress.Asker, bool) { return nil, false } }
	off := func(s *rooms) { s.wait = 0 }
	on := func(*rooms) {}
	get := func(r *http.Request) { r.Method = http.MethodGet }
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	packed := func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }
	identity := func(r *http.Request) { r.Header.Set("Content-Encoding", "identity") }
	plain := func(*http.Request) {}
	padding := strings.Repeat(" ", maxDeleteRoom)
	for name, tc := range map[string]struct {
		contentType, body string
		change            func(*http.Request)
		config            func(*rooms)
		stopped           []string
	}{
		"protobuf":              {pb, asProtobuf(t, "daily"), plain, on, []string{"daily"}},
		"JSON":                  {js, `{"room":"daily"}`, plain, on, []string{"daily"}},
		"JSON with a charset":   {"Application/JSON ; charset=utf-8", `{"room":"täglich"}`, plain, on, []string{"täglich"}},
		"a newer field":         {js, `{"room":"daily","reason":{"a":[1]}}`, plain, on, []string{"daily"}},
		"a newer field, binary": {pb, asProtobuf(t, "daily") + "\x7a\x01x", plain, on, []string{"daily"}},
		"more behind the JSON":  {js, `{"room":"daily"}{`, plain, on, []string{"daily"}},
		"chunked":               {js, `{"room":"daily"}`, chunked, on, []string{"daily"}},
		"identity":              {js, `{"room":"daily"}`, identity, on, []string{"daily"}},
		"just not too long":     {js, padding[16:] + `{"room":"daily"}`, plain, on, []string{"daily"}},
		"too long":              {js, `{"room":"daily"}` + padding, plain, on, nil},
		"too long and chunked":  {js, `{"room":"daily"}` + padding + "end", chunked, on, nil},
		"gzipped":               {js, gzipped(t, `{"room":"daily"}`), packed, on, nil},
		"gzipped, it says":      {js, `{"room":"daily"}`, packed, on, nil},
		"no room":               {js, `{}`, plain, on, nil},
		"no body":               {pb, "", plain, on, nil},
		"broken JSON":           {js, `{"room":`, plain, on, nil},
		"wrong JSON":            {js, `{"room":1}`, plain, on, nil},
		"broken protobuf":       {pb, "\x0a\x09daily", plain, on, nil},
		"another type":          {"application/x-www-form-urlencoded", "room=daily&access_token=a.b.c", plain, on, nil},
		"a GET":                 {js, `{"room":"daily"}`, get, on, nil},
		"not allowed":           {pb, asProtobuf(t, "daily"), plain, denied, nil},
		"not allowed, JSON":     {js, `{"room":"daily"}`, plain, denied, nil},
		"off":                   {pb, asProtobuf(t, "daily"), plain, off, nil},
		"below zero":            {pb, asProtobuf(t, "daily"), plain, func(s *rooms) { s.wait = -1 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan passed, 4)
			d := newDeletions(t, keeping(got), tc.config)
			r := d.deletion(t, tc.contentType, tc.body)
			tc.change(r)
			require.Equal(t, http.StatusOK, d.do(t, r).StatusCode)
			through := <-got

			r = d.deletion(t, tc.contentType, tc.body)
			tc.change(r)
			r.URL.Host, r.Host = d.upstream.Host, ""
			d.do(t, r)
			direct := <-got
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Reelkeeper-Door"} {
				require.Contains(t, through.header, name)
				delete(through.header, name)
			}
			require.Equal(t, direct, through)
			require.Empty(t, got, "it is sent once")
			close(d.closing.rooms)
			var stopped []string
			for room := range d.closing.rooms {
				stopped = append(stopped, room)
			}
			require.Equal(t, tc.stopped, stopped)
			require.Empty(t, d.log.String())
		})
	}
}

func TestWhoIsAskedMayReadTheWholeRequest(t *testing.T) {
	t.Parallel()
	sent := asProtobuf(t, "daily")
	got, asked := make(chan passed, 1), make(chan passed, 1)
	d := newDeletions(t, keeping(got), func(s *rooms) {
		s.allowed = func(r *http.Request) (*egress.Asker, bool) {
			body, err := io.ReadAll(r.Body)
			asked <- passed{body: string(body), header: http.Header{"Token": {r.FormValue("access_token")}}}
			return egress.AskedBy("API1", "bob"), err == nil
		}
	})
	r := d.deletion(t, "application/protobuf", sent)
	r.URL.RawQuery = "access_token=a.b.c"
	d.do(t, r)
	require.Equal(t, passed{body: sent, header: http.Header{"Token": {"a.b.c"}}}, <-asked)
	require.Equal(t, sent, (<-got).body)
	require.Equal(t, "daily", <-d.closing.rooms)
}

func TestARoomGoesWhenItsRecordingsHaveEndedOrTheWaitIsOver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(context.Context) error
		wait time.Duration
		log  string
	}{
		"ended": {atOnce, time.Minute, "^$"},
		"hangs": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, time.Millisecond,
			`^\S+ level=WARN msg="room is deleted before its recordings ended" room=daily error="context deadline exceeded"\n$`},
		"fails": {func(context.Context) error { return errors.New("no Temporal") }, time.Minute,
			`^\S+ level=WARN msg="room is deleted before its recordings ended" room=daily error="no Temporal"\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := make(chan string, 4)
			d := newDeletions(t, func(w http.ResponseWriter, _ *http.Request) {
				order <- "deleted"
				http.Error(w, "LiveKit's answer", http.StatusNotFound)
			}, func(s *rooms) { s.wait = tc.wait })
			d.closing.do = func(ctx context.Context) error {
				defer func() { order <- "closed" }()
				return tc.do(ctx)
			}
			res := d.do(t, d.deletion(t, "application/protobuf", asProtobuf(t, "daily")))
			require.Equal(t, http.StatusNotFound, res.StatusCode)
			require.Equal(t, "LiveKit's answer\n", readAll(t, res.Body))
			close(order)
			require.Equal(t, "closed", <-order)
			require.Equal(t, "deleted", <-order)
			require.Empty(t, order)
			require.Regexp(t, tc.log, d.log.String())
		})
	}
}

func TestACallerWhoGivesUpHasItsRoomDeletedOnce(t *testing.T) {
	t.Parallel()
	sent := asProtobuf(t, "daily")
	got, noticed, outcome := make(chan passed, 4), make(chan struct{}), make(chan error, 1)
	d := newDeletions(t, keeping(got), func(s *rooms) {
		s.allowed = func(r *http.Request) (*egress.Asker, bool) {
			context.AfterFunc(r.Context(), func() { close(noticed) })
			return nil, true
		}
	})
	ctx, giveUp := context.WithCancel(t.Context())
	d.closing.do = func(ctx context.Context) error {
		giveUp()
		<-noticed
		outcome <- ctx.Err()
		return ctx.Err()
	}
	_, err := d.caller.Do(d.deletion(t, "application/protobuf", sent).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, <-outcome, "the recordings are still given their time")
	require.Equal(t, sent, (<-got).body)
	<-d.done
	require.Empty(t, got)
	require.Empty(t, d.log.String())
}

func TestADeletionWhoseCallerHasGoneIsBounded(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	ended := make(chan struct{})
	d := newDeletions(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		giveUp()
		<-r.Context().Done()
		close(ended)
	})
	d.rooms.deletion = time.Millisecond
	_, err := d.caller.Do(d.deletion(t, "application/json", `{"room":"daily"}`).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	<-d.done
	require.Empty(t, d.log.String())
}

func TestADeletionThatBreaksOffStopsNothing(t *testing.T) {
	t.Parallel()
	d := newDeletions(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
	conn := d.dial(t, "POST "+deleteRoomPath+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"+`{"room":"daily"}`)
	conn.Close()
	<-d.done
	require.Empty(t, d.closing.rooms)
	require.Empty(t, d.log.String())
}
