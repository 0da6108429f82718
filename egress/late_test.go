package egress_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAWebhookForAClosedRecordingIsLateWhereItWasMissed(t *testing.T) {
	t.Parallel()
	missed := egress.Closed{
		RequestID: "standup-1", EgressID: "EG_1", Room: "standup", Status: "EGRESS_COMPLETE", Missed: egress.MissedDown, HeardAt: noon,
	}
	with := func(change func(*egress.Closed)) egress.Closed {
		c := missed
		change(&c)
		return c
	}
	for name, tc := range map[string]struct {
		closed    egress.Closed
		event, id string
		want      string // empty: it is not late
	}{
		"missed":                      {missed, egress.EventEnded, "EG_1", "it came 1m30.2s after we had learned the end"},
		"failed":                      {with(func(c *egress.Closed) { c.Status = "EGRESS_FAILED" }), egress.EventEnded, "EG_1", "it came 1m30.2s after we had learned the end"},
		"nobody knows when we heard":  {with(func(c *egress.Closed) { c.HeardAt = time.Time{} }), egress.EventEnded, "EG_1", "it came after we had learned the end"},
		"it was told by a webhook":    {with(func(c *egress.Closed) { c.Missed = "" }), egress.EventEnded, "EG_1", ""},
		"it was late before it ended": {with(func(c *egress.Closed) { c.Missed = egress.MissedLate }), egress.EventEnded, "EG_1", ""},
		"given up as lost":            {with(func(c *egress.Closed) { c.Status = egress.Lost }), egress.EventEnded, "EG_1", ""},
		"an event of the way":         {missed, egress.EventUpdated, "EG_1", ""},
		"of another egress":           {missed, egress.EventEnded, "EG_2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":%q,"id":"EV_9","egressInfo":{"egressId":%q,"status":"EGRESS_COMPLETE"}}`, tc.event, tc.id))
			require.NoError(t, err)
			at := noon.Add(90*time.Second + 200*time.Millisecond)

			late, due := tc.closed.CameLate(e, at)

			require.Equal(t, tc.want != "", due)
			if !due {
				require.Zero(t, late)
				return
			}
			require.Equal(t, egress.Late{
				RequestID: "standup-1", EgressID: "EG_1", Room: "standup", EventID: "EV_9", CameAt: at, Because: tc.want,
			}, late)
		})
	}
}

func TestALateWebhookHasOneWorkflowForEachRequest(t *testing.T) {
	t.Parallel()
	require.Equal(t, "egress-late/standup-1", egress.LateID("standup-1"))
	_, isEgress := egress.RequestID(egress.LateID("standup-1"))
	require.False(t, isEgress)
}
