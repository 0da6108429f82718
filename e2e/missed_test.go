package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// hurry is the length of the endpoint's minute in these tests, so that it reports every second.
const hurry = 6 * time.Second

// The reason for a missed webhook is found from the endpoint's reports about itself. In each case a
// stop brings the end near, so that the first look comes 3 s later.
func TestAMissedWebhookSaysWhy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fake    func(*fakelivekit.Config)
		before  func(*world) // the stop
		want    egress.Missed
		because string
	}{
		{"LiveKit did not send it", func(c *fakelivekit.Config) {
			c.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1}
		}, func(*world) {}, egress.MissedUntried, "none of this egress came"},
		{"the endpoint is away", func(*fakelivekit.Config) {}, func(w *world) {
			w.away()
			w.want("its next report is overdue", func() bool { return time.Since(w.reported()) > hurry/2 })
		}, egress.MissedDown, "the endpoint did not report from"},
		{"LiveKit signs by a key that we do not have", func(c *fakelivekit.Config) {
			c.APIKey, c.APISecret, c.ExtraKeys = "APItheirs", "theirs-secret-theirs-secret-theirs", map[string]string{apiKey: apiSecret}
			c.Faults = map[fakelivekit.Fault]float64{fakelivekit.NoEcho: 1}
		}, func(*world) {}, egress.MissedRefused, "the endpoint refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			every, look := hurry, "3s"
			if tt.want != egress.MissedDown { // even on a busy machine, no report may be late
				every, look = 5*hurry, "20s"
			}
			w := newWorldInAHurry(t, every, func(fake *fakelivekit.Config, environ map[string]string) {
				tt.fake(fake)
				maps.Copy(environ, map[string]string{
					"REELKEEPER_LOOK_STARTING": "1m", "REELKEEPER_LOOK_ACTIVE": "1m", "REELKEEPER_LOOK_ENDING": look,
				})
			})
			w.startWorker()
			id, v := w.missed("room", tt.before)
			for n := 0; n < 2 && strings.Contains(v.MissedBecause, "it could not be found out"); n++ { // within 5 s, from a slow Temporal
				id, v = w.missed(fmt.Sprintf("room-%d", n), tt.before)
			}

			require.Equal(t, egress.FromPoll, v.EndedBy)
			require.Equal(t, tt.want, v.Missed, v.MissedBecause)
			require.Contains(t, v.MissedBecause, tt.because)
			w.want("the class among the search attributes, and the evidence in the memo", func() bool {
				for row, err := range w.client.List(w.ctx(), recordings.Filter{Missed: true}) {
					if err == nil && row.EgressID == id && row.Missed == tt.want && row.Memo != nil {
						return row.Memo.MissedBecause == v.MissedBecause
					}
				}
				return false
			})
		})
	}
}

// missed records a room until its stop, and returns its verdict.
func (w *world) missed(room string, before func(*world)) (egressID string, v egress.Verdict) {
	w.t.Helper()
	w.room(room, fakelivekit.RoomScript{})
	egressID = w.start(room).Info.Proto().GetEgressId()
	w.becomes(egressID, livekit.EgressStatus_EGRESS_ACTIVE)
	w.want("a report", func() bool { return !w.reported().IsZero() })
	before(w)
	_, err := w.client.Stop(w.ctx(), egressID)
	require.NoError(w.t, err)
	return egressID, w.verdict(room)
}

// reported returns the time up to which the endpoint has reported.
func (w *world) reported() time.Time {
	w.t.Helper()
	var last time.Time
	w.answered("the endpoint's reports", func() error {
		r, err := w.client.Minutes(w.ctx(), time.Now(), time.Now())
		if last = r.Last; egress.ReasonOf(err) == egress.NotFound {
			return nil
		}
		return err
	})
	return last
}
