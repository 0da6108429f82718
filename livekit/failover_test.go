package livekit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/livekit"
)

// cloud plays LiveKit Cloud, with every region down, or hanging for the projects that are named so.
// The SDK only fails over for hosts of livekit.cloud, so a proxy leads requests to those here.
var cloud = &regions{calls: map[string]int{}}

type regions struct {
	mu    sync.Mutex
	calls map[string]int // by host and path
}

func (c *regions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/settings/regions" {
		project, _, _ := strings.Cut(r.Host, ".")
		_, _ = io.WriteString(w, `{"regions":[{"region":"a","url":"http://`+project+`.a.livekit.cloud"},{"region":"b","url":"http://`+project+`.b.livekit.cloud"}]}`)
		return
	}
	c.mu.Lock()
	c.calls[r.Host+r.URL.Path]++
	c.mu.Unlock()
	if strings.HasPrefix(r.Host, "hangs") {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	}
	http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
}

// of returns how often a project's regions were called in all.
func (c *regions) of(project string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, calls := range c.calls {
		if strings.HasPrefix(name, project+".") {
			n += calls
		}
	}
	return n
}

// proxied is a host that is reached through a proxy, which is down.
const proxied = "proxied.invalid"

var projects atomic.Int32

// projectOf returns a project of its own for each run of a test.
func projectOf(name string) string { return fmt.Sprintf("%s-%d", name, projects.Add(1)) }

func TestMain(m *testing.M) {
	server := httptest.NewServer(cloud)
	proxy, err := url.Parse(server.URL)
	if err != nil {
		panic(err)
	}
	http.DefaultTransport.(*http.Transport).Proxy = func(r *http.Request) (*url.URL, error) {
		switch {
		case strings.HasSuffix(r.URL.Hostname(), ".livekit.cloud"):
			return proxy, nil
		case r.URL.Hostname() == proxied:
			return &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, nil // nobody listens there
		}
		return nil, nil
	}
	status := m.Run()
	server.Close()
	os.Exit(status)
}

func TestAStartIsSentToOneRegionOnceThoughAllAreDown(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]egress.Request{
		"room": &lk.RoomCompositeEgressRequest{}, "web": &lk.WebEgressRequest{}, "participant": &lk.ParticipantEgressRequest{},
		"tracks": &lk.TrackCompositeEgressRequest{}, "track": &lk.TrackEgressRequest{}, "unified": &lk.StartEgressRequest{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := projectOf(name)
			_, err := at("http://"+project+".livekit.cloud").Start(t.Context(), req)
			require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
			require.Equal(t, 1, cloud.of(project))
		})
	}
}

// Without this test, the one above would also pass with an SDK that never fails over.
func TestAListIsReadFromAnotherRegion(t *testing.T) {
	t.Parallel()
	project := projectOf("reader")
	_, err := at("http://"+project+".livekit.cloud").InRoom(t.Context(), "standup")
	require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
	require.Equal(t, 3, cloud.of(project))
}

// All regions pass it on to the same worker.
func TestAWorkerIsAskedThroughOneRegionAlone(t *testing.T) {
	t.Parallel()
	project := projectOf("asked")
	require.Error(t, at("http://"+project+".livekit.cloud").Answers(t.Context(), "EG_1"))
	require.Equal(t, 1, cloud.of(project))
}

// The SDK gives each region the whole of a deadline.
func TestACallIsBoundedOverAllRegionsThatHang(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*livekit.Config, context.Context) (context.Context, context.CancelFunc){
		"by the client's limit": func(c *livekit.Config, ctx context.Context) (context.Context, context.CancelFunc) {
			c.Timeout = 6 * time.Second
			return ctx, func() {}
		},
		"by the caller's": func(_ *livekit.Config, ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 6*time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := projectOf("hangs")
			c := livekit.Config{URL: "http://" + project + ".livekit.cloud", APIKey: "key", APISecret: "secret"}
			ctx, cancel := limit(&c, t.Context())
			defer cancel()
			_, err := livekit.New(c).Get(ctx, "EG_1")
			require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
			require.Equal(t, 1, cloud.of(project), "no time is left for another region")
		})
	}
}
