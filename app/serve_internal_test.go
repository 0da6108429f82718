package app

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
