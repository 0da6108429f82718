package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// chat is a notification hook that fails at first.
type chat struct {
	*httptest.Server
	mu    sync.Mutex
	asked int
	texts []string
}

// newChat makes a hook that answers 503 the given number of times before it accepts anything.
func newChat(t *testing.T, fails int) *chat {
	t.Helper()
	c := &chat{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		var body struct{ Text string }
		if c.asked++; c.asked <= fails || json.NewDecoder(r.Body).Decode(&body) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.texts = append(c.texts, body.Text)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *chat) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.texts...)
}

// The webhook about missed webhooks is itself delivered reliably.
func TestPeopleAreToldOfAMissedWebhookThoughTheHookWasDown(t *testing.T) {
	t.Parallel()
	hook := newChat(t, 2)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		leisurely(fake, environ)
		environ["REELKEEPER_NOTIFY_URL"] = hook.URL + "/services/" + canary
	})
	w.startWorker()
	w.room("missed", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
	w.room("well", fakelivekit.RoomScript{Call: 2 * time.Second})
	s := w.start("missed")
	w.start("well")

	require.Equal(t, egress.FromPoll, w.verdict("missed").EndedBy)
	require.Equal(t, egress.FromWebhook, w.verdict("well").EndedBy)
	w.want("the hook has taken it", func() bool { return len(hook.said()) > 0 })
	w.want("all workflows have ended", func() bool { return w.running() == 0 })

	require.Len(t, hook.said(), 1, "of the one that was missed, once")
	require.Contains(t, hook.said()[0], "egress_ended of egress "+s.Info.Proto().GetEgressId()+` (room_composite of room "missed") did not reach us`)
	require.Contains(t, hook.said()[0], "`starter show r-missed`")
	require.Len(t, w.consumer.told(s.Info.Proto().GetEgressId()), 1)
	requireNone(t, canary, w.everything())
	requireNone(t, canary, w.log.String())
	requireNone(t, canary, w.metrics())
}

// The workflow stays open here only until its notice has begun.
func TestPeopleAreToldOfALossThatNobodyElseIsToldOf(t *testing.T) {
	t.Parallel()
	hook := newChat(t, 0)
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_NOTIFY_URL"] = hook.URL
		delete(environ, "REELKEEPER_ANNOUNCE_URL")
	})
	w.startWorker()
	w.room("dead", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
	w.start("dead")

	v := w.verdict("dead")

	require.Equal(t, egress.Lost, v.Status)
	require.Empty(t, v.Delivered)
	w.want("the hook has taken it", func() bool { return len(hook.said()) > 0 })
	require.Contains(t, hook.said()[0], "Recording lost: egress "+v.EgressID)
	require.Contains(t, hook.said()[0], "Evidence: "+v.Because)
}
