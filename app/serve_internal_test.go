package app

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/test/bufconn"
)

func TestAStopCutsRequestsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	entered, cut := make(chan struct{}), make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			close(cut)
		}), 10*time.Millisecond)
	}()
	go func() {
		res, err := http.Get("http://" + l.Addr().String())
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	<-entered
	stop()
	require.ErrorIs(t, <-served, errCut)
	select {
	case <-cut:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the request goes on")
	}
}

func TestACallerWhoDoesNotReadItsAnswerIsLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 10)
		ctx, stop := context.WithCancel(t.Context())
		served, took := make(chan error, 1), make(chan time.Duration, 1)
		go func() {
			served <- Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				began := time.Now()
				_, _ = w.Write(make([]byte, 1<<20)) // more than is buffered
				took <- time.Since(began)
			}))
		}()
		conn, err := l.DialContext(ctx)
		require.NoError(t, err)
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		select {
		case after := <-took:
			require.Equal(t, 30*time.Second, after)
		case <-time.After(24 * time.Hour):
			require.NoError(t, conn.Close())
			require.Fail(t, "it still waits")
		}
		stop()
		require.NoError(t, <-served)
	})
}

func TestACallerWhoDoesNotFinishIsLetGo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sent  string
		after time.Duration
	}{
		"in its header":        {"POST / HTTP/1.1\r\nHost: x", 5 * time.Second},
		"in its body":          {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{", 15 * time.Second},
		"with another request": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 65 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := bufconn.Listen(1 << 10) // in memory, so that it may run on synctest's clock
				ctx, stop := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() {
					served <- Serve(ctx, l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }))
				}()
				conn, err := l.DialContext(ctx)
				require.NoError(t, err)
				began := time.Now()
				_, err = io.WriteString(conn, tc.sent)
				require.NoError(t, err)
				_, err = io.ReadAll(conn) // until we close it
				require.NoError(t, err)
				require.Equal(t, tc.after, time.Since(began))
				stop()
				require.NoError(t, <-served)
			})
		})
	}
}
