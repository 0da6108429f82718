package app

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/reelkeeper/reelkeeper/egress"
)

// noFile returns an empty file of Temporal's settings, so that the machine's own is not read.
func noFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	return path
}

func TestAConnectionThatFailsNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]string{
		"TEMPORAL_PROFILE": "prod", "REELKEEPER_SEAL_KEY": "short", "REELKEEPER_LISTEN": "x", "TEMPORAL_ADDRESS": "127.0.0.1:1",
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			_, _, err := Connect(t.Context(), map[string]string{
				"TEMPORAL_CONFIG_FILE": noFile(t), "LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": "secret", field: value,
			}, "client")
			require.Error(t, err)
			require.True(t, strings.HasPrefix(err.Error(), field+": "), err)
		})
	}
}

func TestAKeyThatTemporalRefusesIsNamed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refusing := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return status.Error(codes.Unauthenticated, "no such key")
	}))
	go func() { _ = refusing.Serve(listener) }() // until it is stopped
	t.Cleanup(refusing.Stop)
	_, _, err = Connect(t.Context(), map[string]string{
		"TEMPORAL_CONFIG_FILE": noFile(t), "TEMPORAL_ADDRESS": listener.Addr().String(), "LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": "secret",
	}, "client")
	require.Equal(t, egress.Denied, egress.ReasonOf(err))
	require.ErrorContains(t, err, "TEMPORAL_API_KEY: Temporal at "+listener.Addr().String()+" denies access (")
}

// gRPC says this where DNS answers that there is no such host.
func TestAHostThatDNSDoesNotKnowIsCalledThat(t *testing.T) {
	t.Parallel()
	err := unreached(t.Context(), map[string]string{"TEMPORAL_ADDRESS": "x"}, "temporal.example:7233", status.Error(codes.Unavailable, "no children to pick from"))
	require.EqualError(t, err, "TEMPORAL_ADDRESS: Temporal does not answer at temporal.example:7233 (DNS knows no address for the host of TEMPORAL_ADDRESS)")
}

func TestATemporalWithoutTLSIsNamedToWhoAsksForIt(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	plain := grpc.NewServer()
	go func() { _ = plain.Serve(listener) }() // until it is stopped
	t.Cleanup(plain.Stop)
	for _, name := range []string{"TEMPORAL_TLS", "TEMPORAL_API_KEY"} {
		_, _, err = Connect(t.Context(), map[string]string{
			"TEMPORAL_CONFIG_FILE": noFile(t), "TEMPORAL_ADDRESS": listener.Addr().String(), name: "true",
		}, "reader")
		require.Equal(t, egress.Unavailable, egress.ReasonOf(err))
		require.ErrorContains(t, err, "Temporal does not answer at "+listener.Addr().String()+" (it does not speak TLS, which TEMPORAL_API_KEY, TEMPORAL_TLS")
	}
}

func TestAdviceToStartATemporalIsForWhoNamedNone(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"":                 "TEMPORAL_ADDRESS: is not set, and Temporal does not answer at 127.0.0.1:7233; `go run ./dev` starts one (gone)",
		"TEMPORAL_ADDRESS": "TEMPORAL_ADDRESS: Temporal does not answer at 127.0.0.1:7233 (gone)",
		"TEMPORAL_PROFILE": "TEMPORAL_ADDRESS: Temporal does not answer at 127.0.0.1:7233 (gone)",
	} {
		require.EqualError(t, unreached(t.Context(), map[string]string{environ: "x"}, "127.0.0.1:7233", errors.New("gone")), want)
	}
}

func TestWhoDoesNotWaitForTemporalIsNotToldThatItIsAway(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never answers
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for ctx, want := range map[context.Context]string{
		gone: "interrupted before Temporal at " + listener.Addr().String() + " answered",
		late: "--timeout: ran out before Temporal at " + listener.Addr().String() + " answered",
	} {
		_, _, err := Connect(ctx, map[string]string{
			"TEMPORAL_CONFIG_FILE": noFile(t), "TEMPORAL_ADDRESS": listener.Addr().String(), "LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": "secret",
		}, "client")
		require.Equal(t, egress.Unavailable, egress.ReasonOf(err))
		require.EqualError(t, err, want)
	}
}
