package app

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func TestAnAdminServerThatFailsEndsTheProcess(t *testing.T) {
	t.Parallel()
	l := listener(t)
	require.NoError(t, l.Close())
	ended := false
	err := (&App{}).beside(t.Context(), l, http.NotFoundHandler(), func(ctx context.Context) error {
		<-ctx.Done()
		ended = true
		return ctx.Err()
	})
	require.ErrorContains(t, err, "serve "+l.Addr().String())
	require.True(t, ended)
}

func TestTheAdminServerEndsAfterThePart(t *testing.T) {
	t.Parallel()
	l := listener(t)
	ctx, stop := context.WithCancel(t.Context())
	err := (&App{}).beside(ctx, l, http.HandlerFunc(ok), func(ctx context.Context) error {
		stop()
		<-ctx.Done()
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
	require.NoError(t, err)
	_, err = net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
}
