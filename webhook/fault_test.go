package webhook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"
	livekitwebhook "github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

func TestAnEventThatTemporalDoesNotTakeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"down":                  &egress.Error{Reason: egress.Unavailable, Message: "no connection"},
		"the namespace is gone": &egress.Error{Reason: egress.Invalid, Field: "TEMPORAL_NAMESPACE"},
		"not allowed":           &egress.Error{Reason: egress.Denied, Message: "no"},
		"no answer in time":     &egress.Error{Reason: egress.Ambiguous, Message: "no answer in time"},
		"a fault of ours":       errors.New("already completed"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.answer = func(context.Context, string) error { return err }
			res := b.do(t, b.request(t, b.path("req-1"), started()))
			require.Equal(t, 503, res.StatusCode)
			require.Empty(t, res.Header.Get("Retry-After"))
			require.Equal(t, []string{"egress/req-1"}, b.temporal.workflows())
			b.became(t, webhook.TemporalFailed)
		})
	}
}

func TestAnEventThatCannotBeLookedUpIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]string{
		"an egress":     started(),
		"a room":        `{"event":"room_finished","room":{"name":"daily"}}`,
		"a participant": `{"event":"participant_left","participant":{"identity":"EG_1"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.find = errors.New("no connection")
			require.Equal(t, 503, b.post(t, project, event))
			require.Empty(t, b.temporal.taken())
			b.became(t, webhook.TemporalFailed)
		})
	}
}

func TestAHangingTemporalIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for timeout, took := range map[time.Duration]time.Duration{
		0:           2 * time.Second, // the default
		time.Second: time.Second,
	} {
		t.Run(timeout.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *webhook.Config) { c.Timeout = timeout })
			b.temporal.answer = func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			}
			synctest.Test(t, func(t *testing.T) { // without the bench's server, whose sockets would stop the clock
				began, res := time.Now(), httptest.NewRecorder()
				b.handler.ServeHTTP(res, b.request(t, b.path("req-1"), started()))
				require.Equal(t, took, time.Since(began))
				require.Equal(t, 503, res.Code)
			})
			b.became(t, webhook.TemporalSlow)
		})
	}
}

func TestASenderThatHangsUpHasStillToldUs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.temporal.answer = func(ctx context.Context, _ string) error { return ctx.Err() }
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	b.handler.ServeHTTP(httptest.NewRecorder(), b.request(t, b.path("req-1"), started()).WithContext(gone))
	b.became(t, webhook.Accepted)
}

// A body that never arrives must not hold the connection for longer than others.
func TestABodyThatNeverComesOrEndsEarlyIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end     func(*net.TCPConn) error
		timeout time.Duration
		reason  webhook.Reason
	}{
		"never comes": {func(*net.TCPConn) error { return nil }, time.Second, webhook.SlowBody},
		"ends early":  {(*net.TCPConn).CloseWrite, time.Minute, webhook.CutBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *webhook.Config) { c.Timeout = tc.timeout })
			conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\n{",
				project, sign(t, apiKey, apiSecret, "{"))
			require.NoError(t, err)
			require.NoError(t, tc.end(conn.(*net.TCPConn)))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, 503, res.StatusCode)
			require.Eventually(t, func() bool { return b.counts(t)[tc.reason] == 1 }, 5*time.Second, time.Millisecond)
		})
	}
}

// The deadline of a body must not end a connection whose answer is slow.
func TestAConnectionOutlivesASlowAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *webhook.Config) { c.Timeout = 3 * time.Second })
	b.temporal.answer = func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}
	var connections atomic.Int32
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		connections.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}}
	defer client.CloseIdleConnections()
	for range 2 {
		res, err := client.Do(b.request(t, b.path("req-1"), started()))
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 503, res.StatusCode)
	}
	require.EqualValues(t, 1, connections.Load())
}

func TestLiveKitsOwnSenderDeliversOnceTemporalIsBack(t *testing.T) { //nolint:paralleltest // the stats are global
	livekitwebhook.InitWebhookStats(prometheus.Labels{})
	b := newBench(t)
	var attempts atomic.Int32
	b.temporal.answer = func(context.Context, string) error {
		if attempts.Add(1) < 4 {
			return errors.New("no connection")
		}
		return nil
	}
	sender := livekitwebhook.NewResourceURLNotifier(livekitwebhook.ResourceURLNotifierParams{
		HTTPClientParams: livekitwebhook.HTTPClientParams{RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond, MaxRetries: 4},
		URL:              b.server.URL + b.path("req-1"),
		APIKey:           apiKey,
		APISecret:        apiSecret,
	})
	processed := make(chan struct{})
	sender.RegisterProcessedHook(func(context.Context, *livekit.WebhookInfo) { close(processed) })
	require.NoError(t, sender.QueueNotify(t.Context(), &livekit.WebhookEvent{
		Event: egress.EventEnded, Id: "EV_real", EgressInfo: &livekit.EgressInfo{EgressId: egressID, Status: livekit.EgressStatus_EGRESS_COMPLETE},
	}))
	<-processed
	sender.Stop(false)

	require.Equal(t, strings.Split(strings.Repeat("egress/req-1 ", 4), " ")[:4], b.temporal.workflows())
	for _, s := range b.temporal.taken() {
		require.Equal(t, "EV_real", s.requestID)
	}
	require.EqualValues(t, 3, b.counts(t)[webhook.TemporalFailed])
	require.EqualValues(t, 1, b.counts(t)[webhook.Accepted])
}
