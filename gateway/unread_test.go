package gateway_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/test/bufconn"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// inMemory serves the door without sockets, so that it can run on synctest's clock, and returns a
// connection to it and what gets a value for each call that has ended.
func inMemory(t *testing.T, b *bench) (net.Conn, <-chan struct{}) {
	t.Helper()
	l, ended := bufconn.Listen(1<<10), make(chan struct{}, 2)
	s := &http.Server{WriteTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		b.door.ServeHTTP(w, r)
	})}
	go func() { _ = s.Serve(l) }()
	conn, err := l.DialContext(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		require.NoError(t, s.Close())
	})
	return conn, ended
}

// large is a start whose answer is larger than what is buffered on its way.
var large = `{"room_name":"daily","custom_base_url":"https://` + strings.Repeat("x", 1<<14) + `"}`

func TestAnAnswerThatIsNotReadIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		conn, ended := inMemory(t, b)
		began := time.Now()
		require.NoError(t, request(t.Context(), t, "StartRoomCompositeEgress", large).Write(conn))
		select {
		case <-ended:
			require.Equal(t, requestTimeout+30*time.Second, time.Since(began))
			require.Equal(t, map[string]int64{"StartRoomCompositeEgress error": 1}, b.counts(t))
		case <-time.After(24 * time.Hour):
			require.Fail(t, "its caller still has it")
		}
	})
}

func TestASlowAnswerThatIsReadLateIsWholeAndItsConnectionLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		begin := b.recordings.begin
		b.recordings.begin = func(ctx context.Context, s egress.StartOptions) (gateway.Pending, error) {
			<-time.After(2 * time.Second) // longer than the server has for an answer
			return begin(ctx, s)
		}
		conn, _ := inMemory(t, b)
		answers := bufio.NewReader(conn)
		for range 2 {
			require.NoError(t, request(t.Context(), t, "StartRoomCompositeEgress", large).Write(conn))
			<-time.After(requestTimeout + 29*time.Second)
			res, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			_, err = io.ReadAll(res.Body) // to its Content-Length
			require.NoError(t, err)
			<-time.After(time.Hour)
		}
	})
}
