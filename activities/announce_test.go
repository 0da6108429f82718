package activities_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

const consumerKey, consumerSecret = "devkey", "a-secret-of-32-characters-or-more"

// ended returns an egress_ended as LiveKit spells it, with a field and a status of a newer
// LiveKit.
func ended(t *testing.T, at time.Time) egress.Event {
	t.Helper()
	e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":"egress_ended", "id":"EV_1", "createdAt":"%d",
		"egressInfo":{"egressId":"EG_1","status":"EGRESS_COMPLETE","endedAt":"%d","newField":{"a":1}}}`, at.Unix(), at.UnixNano()))
	require.NoError(t, err)
	return e
}

// consumer receives announcements with LiveKit's own receiver.
type consumer struct {
	mu      sync.Mutex
	events  []*lk.WebhookEvent
	headers []http.Header
	lengths []int64
}

func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.ReceiveWebhookEvent(r, auth.NewSimpleKeyProvider(consumerKey, consumerSecret))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events, c.headers, c.lengths = append(c.events, e), append(c.headers, r.Header), append(c.lengths, r.ContentLength)
}

func at(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// announce makes one attempt.
func announce(t *testing.T, url string, e egress.Event) error {
	t.Helper()
	d := delivery(t, url, func(cfg *activities.DeliveryConfig) { cfg.Timeout = 5 * time.Second })
	return tryOnce(d, activities.Announcement{Event: e})
}

func TestAConsumersOwnLiveKitReceiverTakesTheAnnouncement(t *testing.T) {
	t.Parallel()
	for name, endedAt := range map[string]time.Time{
		"at once":              time.Now(),
		"two days after":       time.Now().Add(-48 * time.Hour),
		"without an end there": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, e := &consumer{}, ended(t, endedAt)
			require.NoError(t, announce(t, at(t, c.ServeHTTP), e))
			require.Len(t, c.events, 1)
			require.Equal(t, e.Proto().String(), c.events[0].String())
			require.Equal(t, egress.EventEnded, c.events[0].GetEvent())
			require.Equal(t, "LiveKit", c.headers[0].Get("User-Agent"))
			require.Equal(t, "application/webhook+json", c.headers[0].Get("Content-Type"))
			require.NotContains(t, c.headers[0].Get("Authorization"), "Bearer")
			require.Equal(t, int64(len(e.Raw())), c.lengths[0])
		})
	}
}

func TestTheAnnouncedBodyIsTheEventAsLiveKitSpelledIt(t *testing.T) {
	t.Parallel()
	e := ended(t, time.Now())
	var body []byte
	url := at(t, func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) })
	require.NoError(t, announce(t, url, e))
	require.JSONEq(t, string(e.Raw()), string(body))
	require.Contains(t, string(body), "newField", "what a newer LiveKit adds reaches the consumer")
}

func TestARepeatedAnnouncementIsTheSameEventFreshlySigned(t *testing.T) {
	t.Parallel()
	c, e := &consumer{}, ended(t, time.Now().Add(-48*time.Hour))
	url := at(t, c.ServeHTTP)
	for range 3 {
		require.NoError(t, announce(t, url, e))
	}
	require.Len(t, c.events, 3)
	for i, event := range c.events {
		require.Equal(t, "EV_1", event.GetId())
		require.Equal(t, c.events[0].String(), event.String())
		token, err := auth.ParseAPIToken(c.headers[i].Get("Authorization"))
		require.NoError(t, err)
		claims, _, err := token.Verify(consumerSecret)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(5*time.Minute), claims.ExpiresAt.Time, 10*time.Second, "signed now, not when it ended")
	}
}

func TestEveryAnswerBut2xxIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 501, 502, 503, 504} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			moved := at(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
			url := at(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", moved)
				w.WriteHeader(status)
			})
			a, e := failed(t, announce(t, url, ended(t, time.Now())))
			require.Equal(t, egress.ConsumerFailed, e.Reason)
			require.False(t, a.NonRetryable())
			require.Contains(t, e.Message, fmt.Sprint(status))
			require.InDelta(t, 1, a.NextRetryDelay().Seconds(), 0.2, "the first of egress.RetryConsumer")
		})
	}
}

func TestOfAnAnswerOnlyItsNumberIsKept(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		"500 " + strings.Repeat("x", 60_000): "the consumer answered 500 Internal Server Error",
		"599 Mine":                           "the consumer answered 599",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
		}()
		_, e := failed(t, announce(t, "http://"+listener.Addr().String(), ended(t, time.Now())))
		require.Equal(t, want, e.Message)
	}
}

func TestEvery2xxIsTaken(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202, 204, 206} {
		url := at(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		require.NoError(t, announce(t, url, ended(t, time.Now())), status)
	}
}

func TestOurOwnEndpointIsNoConsumer(t *testing.T) {
	t.Parallel()
	url := at(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(egress.HeaderEndpoint, "webhook") })
	a, e := failed(t, announce(t, url, ended(t, time.Now())))
	require.Equal(t, egress.ConsumerFailed, e.Reason)
	require.False(t, a.NonRetryable(), "the URL may be corrected")
	require.Equal(t, "the consumer's URL leads to Reelkeeper's own webhook endpoint", e.Message)
}

func TestAConsumerThatDoesNotAnswerIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"refuses": refusing,
		"hangs": at(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}),
		"cuts the connection": at(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"breaks off in its answer": at(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "ok")
		}),
		"cannot be found": "http://no..such..host/livekit",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, e := failed(t, announce(t, url+"/hook?key=CANARY", ended(t, time.Now())))
			require.Equal(t, egress.ConsumerFailed, e.Reason)
			require.False(t, a.NonRetryable())
			require.NotContains(t, a.Error(), "CANARY", "a consumer's URL may hold a key, and errors rest in the history")
			require.NoError(t, a.Unwrap(), "nor does its cause")
		})
	}
}

// refusing is a consumer whose port nobody listens on.
const refusing = "http://127.0.0.1:1"

func TestAConsumerThatTalksWithoutEndIsNotListenedToForLong(t *testing.T) {
	t.Parallel()
	url := at(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	require.NoError(t, announce(t, url, ended(t, time.Now())))
}

func TestAKeyThatCannotSignIsOurOwnFault(t *testing.T) {
	t.Parallel()
	d := delivery(t, refusing, func(cfg *activities.DeliveryConfig) { cfg.Keys[consumerKey] = "" })
	_, e := failed(t, tryOnce(d, activities.Announcement{Event: ended(t, time.Now())}))
	require.Equal(t, egress.Internal, e.Reason)
}
