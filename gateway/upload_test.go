package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// spent is a body that was closed once it was over, as the server closes one when it answers.
type spent struct{ over bool }

func (s *spent) Read(b []byte) (int, error) {
	if s.over {
		return 0, http.ErrBodyReadAfterClose
	}
	s.over = true
	return copy(b, "x"), io.EOF
}

func TestABodyThatIsOverStaysOver(t *testing.T) {
	t.Parallel()
	u := &upload{ReadCloser: io.NopCloser(&spent{}), stall: time.Minute, control: http.NewResponseController(httptest.NewRecorder())}
	for _, want := range []int{1, 0, 0} {
		n, err := u.Read(make([]byte, 2))
		require.Equal(t, want, n)
		require.Equal(t, io.EOF, err)
	}
}

// tardy is a body whose reader does not come to read on after its end until it is let go.
type tardy struct {
	io.ReadCloser
	letGo <-chan struct{}
	over  bool
}

func (b *tardy) Read(p []byte) (int, error) {
	if b.over {
		<-b.letGo
	}
	n, err := b.ReadCloser.Read(p)
	b.over = err != nil
	return n, err
}

func TestALateLookAtABodyThatIsOverCutsNoAnswer(t *testing.T) {
	t.Parallel()
	answered := make(chan struct{})
	large := strings.Repeat("0123456789abcde\n", 32<<20/16) // more than sockets buffer
	p := newPassage(t, "", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, large)
	}, func(s *http.Server) {
		proxy := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(r.Context()) // a copy: the server's own request stays as it is
			r.Body = &tardy{ReadCloser: r.Body, letGo: answered}
			proxy.ServeHTTP(w, r)
		})
	})
	res := p.do(t, p.request(t, http.MethodPost, "/x", strings.NewReader("body")))
	first := make([]byte, 1)
	_, err := io.ReadFull(res.Body, first)
	require.NoError(t, err)
	close(answered)
	same(t, large, string(first)+readAll(t, res.Body))
}

func TestAnAnswerIsPassedOnForLongerThanWriteTimeout(t *testing.T) {
	t.Parallel()
	var p *passage
	over := make(chan struct{})
	p = newPassage(t, "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one")
		_ = http.NewResponseController(w).Flush()
		p.dial(t, "GET /clock HTTP/1.1\r\nHost: x\r\n\r\n") // which never reads
		<-over
		_, _ = io.WriteString(w, "two")
	}, func(s *http.Server) {
		through := s.Handler
		s.WriteTimeout = tick
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/clock" {
				for err := error(nil); err == nil; _, err = w.Write(make([]byte, 1<<20)) { // Ends by WriteTimeout.
				}
				close(over)
				return
			}
			through.ServeHTTP(w, r)
		})
	})
	require.Equal(t, "onetwo", readAll(t, p.do(t, p.request(t, http.MethodGet, "/x", nil)).Body))
}
