package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/internal/sender"
)

// post sends a webhook as LiveKit signs it.
func post(t *testing.T, url, key, secret string) int {
	t.Helper()
	body := []byte(`{"event":"egress_ended","id":"EV_1","egressInfo":{"egressId":"EG_1","roomName":"standup","status":"EGRESS_COMPLETE"}}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := sender.Request(ctx, url, key, secret, body)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Empty(t, res.Header.Get("Retry-After"), "a long one makes LiveKit drop the event")
	return res.StatusCode
}

// silent is a Temporal that accepts connections and never answers.
func silent(t *testing.T) string { return taken(t).Addr().String() }

func TestAWebhookIsAnswered503InTimeWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	k, err := seal.New(seal.Config{Secret: canary})
	require.NoError(t, err)
	for name, address := range map[string]func(*testing.T) string{"refusing": free, "silent": silent} {
		for of, path := range map[string]string{"of ours": k.Token("standup-1", 1).Path(), "of the project": egress.WebhookPath} {
			t.Run(name+", a webhook "+of, func(t *testing.T) {
				t.Parallel()
				inTime := func() bool {
					r := run(t, app.ServeMain, "TEMPORAL_ADDRESS", address(t))
					began := time.Now()
					require.Equal(t, http.StatusServiceUnavailable, post(t, r.door+path, "devkey", canary))
					took := time.Since(began)
					_, metrics := get(t, r.admin+"/metrics")
					require.Regexp(t, `reelkeeper_webhook_requests_total\{reason="temporal_(failed|slow)"\} 1`, metrics)
					return took < 8*time.Second
				}
				late := 0
				for late < 3 && !inTime() { // a machine that stalls makes one late, but not three
					late++
				}
				require.Less(t, late, 3, "its own limit is 2 s; LiveKit hangs up after 10")
			})
		}
	}
}

// held is a LiveKit that counts the lists it is asked for, and answers none until it is let go.
type held struct {
	livekit.Egress
	lists atomic.Int32
	letGo chan struct{}
}

func (l *held) ListEgress(context.Context, *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	l.lists.Add(1)
	<-l.letGo
	return &livekit.ListEgressResponse{}, nil
}

func TestOneListOfEverythingIsForAllWebStartsPastTemporal(t *testing.T) {
	t.Parallel()
	up := &held{letGo: make(chan struct{})}
	defer close(up.letGo)
	liveKit := httptest.NewServer(livekit.NewEgressServer(up))
	t.Cleanup(liveKit.Close)
	r := run(t, app.ServeMain, "LIVEKIT_URL", liveKit.URL, "REELKEEPER_FAIL_OPEN_AFTER", "1ms", "REELKEEPER_REQUEST_TIMEOUT", "3s", "REELKEEPER_DELETE_ROOM_WAIT", "off")
	token, err := auth.NewAccessToken("devkey", canary).SetVideoGrant(&auth.VideoGrant{RoomRecord: true}).ToJWT()
	require.NoError(t, err)
	var callers errgroup.Group
	for i := range 20 {
		callers.Go(func() error {
			ctx, err := twirp.WithHTTPRequestHeaders(t.Context(), http.Header{"Authorization": {"Bearer " + token}, "Idempotency-Key": {fmt.Sprintf("page-%d", i)}})
			if err == nil {
				_, err = livekit.NewEgressProtobufClient(r.door, http.DefaultClient).StartWebEgress(ctx, &livekit.WebEgressRequest{Url: "https://example.com"})
			}
			var said twirp.Error
			if !errors.As(err, &said) || said.Code() != twirp.DeadlineExceeded {
				return fmt.Errorf("want no answer in time, got %w", err)
			}
			return nil
		})
	}
	require.NoError(t, callers.Wait())
	require.EqualValues(t, 1, up.lists.Load())
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAWebhookThatCannotBeVerifiedIsSentAgainToo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ key, secret, reason string }{
		"another key":    {"otherkey", canary, "unknown_key"},
		"another secret": {"devkey", "another-secret-of-32-characters--", "bad_signature"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lines
			a, err := app.Open(app.Options{Environ: environ(t, "REELKEEPER_LOG_LEVEL", "debug"), Role: config.Serve, LogTo: &log})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, a.Close()) })
			door, err := a.Door()
			require.NoError(t, err)
			server := httptest.NewServer(door)
			t.Cleanup(server.Close)
			require.Equal(t, http.StatusServiceUnavailable, post(t, server.URL+egress.WebhookPath, tc.key, tc.secret))
			require.Eventually(t, func() bool { return bytes.Contains([]byte(log.String()), []byte(tc.reason)) }, 10*time.Second, time.Millisecond)
			require.NotContains(t, log.String(), canary)
		})
	}
}

func TestSecretsOfBeforeARotationStillVerify(t *testing.T) {
	t.Parallel()
	const earlier = "an-earlier-secret-of-32-characters"
	r := run(t, app.ServeMain, "REELKEEPER_PREVIOUS_SECRETS", earlier)
	require.Equal(t, http.StatusServiceUnavailable, post(t, r.door+egress.WebhookPath, "devkey", earlier))
	_, metrics := get(t, r.admin+"/metrics")
	require.Contains(t, metrics, `reason="bad_signature"} 0`)
	require.Regexp(t, `reason="temporal_(failed|slow)"\} 1`, metrics)
}

func TestLiveKitIsReachedByTheURLOfItsSignalling(t *testing.T) {
	t.Parallel()
	liveKit := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.URL.Path)) }))
	t.Cleanup(liveKit.Close)
	r := run(t, app.ServeMain, "LIVEKIT_URL", strings.Replace(liveKit.URL, "http", "ws", 1)+"/base")
	status, body := get(t, r.door+"/rtc/validate")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "/base/rtc/validate", body)
}
