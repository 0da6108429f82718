package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// proxy stands before the webhook endpoint as seen from outside, and can fail.
type proxy struct {
	*httptest.Server
	to     atomic.Pointer[httputil.ReverseProxy]
	broken atomic.Bool
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := p.to.Load(); to != nil && !p.broken.Load() {
			to.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound) // LiveKit takes this for delivered
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) lead(t *testing.T, to string) {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	p.to.Store(httputil.NewSingleHostReverseProxy(u))
}

// The schedule's own probes find that webhooks do not get through, before any is missed, and later
// that they do: people are told of each once, and the metric counts every probe.
func TestTheCanaryTellsOfABrokenWayOnceAndOfItsMending(t *testing.T) {
	t.Parallel()
	hook, outside := newChat(t, 0), newProxy(t)
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_PUBLIC_URL"] = outside.URL
		environ["REELKEEPER_NOTIFY_URL"] = hook.URL
		environ["REELKEEPER_CANARY_EVERY"] = "1s"
		environ["REELKEEPER_ENCRYPT_PAYLOADS"] = "true" // the doctor must still see it
	})
	outside.lead(t, w.door.URL)
	w.startWorker()
	probes := func(o egress.CanaryOutcome) int {
		found := regexp.MustCompile(`reelkeeper_canary_total\{outcome="` + string(o) + `"\} (\d+)`).FindStringSubmatch(w.metrics())
		require.Len(t, found, 2, "%s is there from the start", o)
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		return n
	}
	w.want("a probe is well", func() bool { return probes(egress.CanaryOK) > 0 })
	require.Zero(t, probes(egress.CanaryBent))

	outside.broken.Store(true)
	w.want("people are told that the way is broken", func() bool { return len(hook.said()) > 0 })
	seen := probes(egress.CanaryBent)
	w.want("more probes fail", func() bool { return probes(egress.CanaryBent) > seen })
	outside.broken.Store(false)
	w.want("people are told that it is open again", func() bool { return len(hook.said()) > 1 })

	said := hook.said()
	require.Len(t, said, 2, "once for the break, and once for its end")
	require.Contains(t, said[0], "LiveKit's webhooks have not arrived")
	require.Contains(t, said[0], "answered 404")
	require.Contains(t, said[1], "arrive again")
	w.says("doctor --only endpoint", "the webhook endpoint last reported to the namespace")
	checked := w.says("doctor --only canary", `the schedule "egress-canary", every 1s`)
	require.Zero(t, checked.status, checked.out+checked.err)
}
