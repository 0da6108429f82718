package e2e

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// The state of an endpoint, in the words of the captures. If it is down, nobody sees an attempt.
const (
	well = "200"
	down = "down"
)

// breakdown decides the fate of LiveKit's delivery attempts for one egress. It is counted in attempts, so that timing
// does not decide what is seen; the scale is how long a second of the captures takes.
type breakdown struct {
	dir    string // of the captures
	mode   string
	left   int  // remaining attempts that it affects
	early  bool // from the start on, not from the stop
	does   func(w http.ResponseWriter, scale float64)
	scale  float64
	inside int // attempts that are not answered yet
	// unscaled requires a double that takes as long as the captured server.
	unscaled bool
}

// meets reports whether the breakdown affects a webhook, which it then does until the webhook is answered. The
// caller holds the lock of its hooks.
func (o *breakdown) meets(h hook) bool {
	if o == nil || o.left == 0 || !h.ofEgress() {
		return false
	}
	o.left--
	o.inside++
	return true
}

func scaled(d time.Duration, scale float64) time.Duration { return time.Duration(float64(d) * scale) }

func withStatus(status int) func(http.ResponseWriter, float64) {
	return func(w http.ResponseWriter, _ float64) { w.WriteHeader(status) }
}

func cut(http.ResponseWriter, float64) { panic(http.ErrAbortHandler) }

func after(d time.Duration, then func(http.ResponseWriter, float64)) func(http.ResponseWriter, float64) {
	return func(w http.ResponseWriter, scale float64) {
		<-time.After(scaled(d, scale))
		then(w, scale)
	}
}

func retryAfter(d time.Duration) func(http.ResponseWriter, float64) {
	return func(w http.ResponseWriter, scale float64) {
		w.Header().Set("Retry-After", strconv.Itoa(int(scaled(d, scale).Seconds())))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// LiveKit makes only five attempts for one event, within 15 s, and none for an event that has waited for 30
// s.
var breakdowns = []breakdown{
	{dir: "wh-301-end", mode: "301", left: 2, does: withStatus(http.StatusMovedPermanently)},
	{dir: "wh-400-end", mode: "400", left: 2, does: withStatus(http.StatusBadRequest)},
	{dir: "wh-401-end", mode: "401", left: 2, does: withStatus(http.StatusUnauthorized)},
	{dir: "wh-404-end", mode: "404", left: 2, does: withStatus(http.StatusNotFound)},
	{dir: "wh-410-end", mode: "410", left: 2, does: withStatus(http.StatusGone)},
	{dir: "wh-501-end", mode: "501", left: 2, does: withStatus(http.StatusNotImplemented)},
	{dir: "wh-429-end-20", mode: "429", left: 8, does: withStatus(http.StatusTooManyRequests)},
	{dir: "wh-500-end-20", mode: "500", left: 8, does: withStatus(http.StatusInternalServerError)},
	{dir: "wh-503-retryafter-40", mode: "retryafter=40", left: 1, does: retryAfter(40 * time.Second)},
	{dir: "wh-down-end-10", mode: down, left: 4, does: cut},
	{dir: "wh-down-end-25", mode: down, left: 9, does: cut},
	{dir: "wh-down-end-35", mode: down, left: 10, does: cut},
	{dir: "wh-hang-end", mode: "hang", left: 1, does: after(45*time.Second, cut)},
	// Slower than in the captures: after two of them the end, which comes later here, is far too old, while the second is
	// not.
	{dir: "wh-slow-20", mode: "slow=20s", left: 2, early: true, does: after(23*time.Second, withStatus(http.StatusOK)), unscaled: true},
}

// Each delivery attempt that LiveKit makes, and each that it omits, matches the captures, both with
// the real server and with its double.
func TestTheRealLiveKitAndItsDoubleSendWebhooksAsWasCaptured(t *testing.T) {
	t.Parallel()
	double := func(scale float64) side {
		return newFakeSide(t, func(c *fakelivekit.Config) {
			slow := fakelivekit.DefaultTimings().Scaled(scale)
			c.Timings.WebhookRetryMin, c.Timings.WebhookRetryMax, c.Timings.WebhookMaxAge = slow.WebhookRetryMin, slow.WebhookRetryMax, slow.WebhookMaxAge
			c.Timings.WebhookTimeout = limit // the captured server had no limit
		})
	}
	quick, slow := double(0.5), double(1)
	onReal := newRealSide(t, nil)
	var all sync.WaitGroup
	for _, o := range breakdowns { //nolint:paralleltest // they wait for LiveKit, and would keep other tests from running
		want := sentIn(recording{t, o.dir})
		all.Go(func() {
			t.Run(o.dir+" by the real LiveKit", func(t *testing.T) { require.Equal(t, want, o.sent(t, onReal, 1, len(want))) })
		})
		all.Go(func() {
			t.Run(o.dir+" by its double", func(t *testing.T) {
				if o.unscaled {
					require.Equal(t, want, o.sent(t, slow, 1, len(want)))
					return
				}
				require.Equal(t, want, o.sent(t, quick, 0.5, len(want)))
			})
		})
	}
	all.Wait()
}

var sentLine = regexp.MustCompile(`HOOK\[project\] (egress_\w+) +(EGRESS_\w+) .* mode=(\S+)`)

// sentIn returns the attempts of a capture, in order, and the endpoint's state.
func sentIn(r recording) (list []string) {
	r.t.Helper()
	for line := range strings.Lines(string(r.text("timeline.txt"))) {
		if m := sentLine.FindStringSubmatch(line); m != nil {
			list = append(list, strings.Join(m[1:], " "))
		}
	}
	require.NotEmpty(r.t, list)
	return list
}

// sent exposes an egress of one side to the breakdown, and returns the attempts seen, at least that many.
func (o breakdown) sent(t *testing.T, on side, scale float64, least int) (list []string) {
	t.Helper()
	p := newPlay(t, on, scenario{dir: o.dir, in: alice, uncaught: true})
	o.scale = scale
	if o.early {
		on.hooks().meet(p.room, &o)
	}
	info, err := p.egress.StartRoomCompositeEgress(t.Context(), &livekit.RoomCompositeEgressRequest{RoomName: p.room, FileOutputs: files("{room_name}-{time}.mp4", nil)})
	require.NoError(t, err)
	p.known = append(p.known, info.GetEgressId())
	require.Eventually(t, func() bool {
		l, err := p.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{EgressId: info.GetEgressId()})
		return err == nil && len(l.GetItems()) == 1 && isActive(l.GetItems()[0].GetStatus())
	}, limit, 50*time.Millisecond)
	if !o.early {
		p.active(info.GetEgressId())
		on.hooks().meet(p.room, &o)
	}
	_, err = p.egress.StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: info.GetEgressId()})
	require.NoError(t, err)
	for _, h := range on.hooks().outlived(t, &o, least, func(h hook) bool { return p.mine(h) && h.ofEgress() }) {
		list = append(list, strings.Join([]string{h.Event, h.EgressInfo.GetStatus().String(), h.mode}, " "))
	}
	return list
}

// meet exposes the egress of a room to a breakdown from now on.
func (h *hooks) meet(room string, o *breakdown) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.breakdowns[room] = o
}

// outlived waits until a breakdown is over and at least that many webhooks match, and then for longer than LiveKit
// waits before a retry. It returns all that match.
func (h *hooks) outlived(t *testing.T, o *breakdown, least int, match func(hook) bool) []hook {
	t.Helper()
	deadline := time.After(limit)
	for {
		found, news := h.all(match)
		h.mu.Lock()
		left, over := o.left, o.left == 0 && o.inside == 0
		h.mu.Unlock()
		var quiet <-chan time.Time
		if over && len(found) >= least {
			quiet = time.After(scaled(3*time.Second, o.scale))
		}
		select {
		case <-news:
		case <-quiet:
			return found
		case <-deadline:
			require.Failf(t, "goes on", "the breakdown %s has %d attempts left; seen: %d of %d", o.dir, left, len(found), least)
		}
	}
}
