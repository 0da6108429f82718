package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// As recorded in tc-kill9-worker: the worker is killed, LiveKit calls its egress active for ever,
// and the room goes on.
func TestAWorkerThatDiesInALiveRoomIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, hints := range map[string]float64{"LiveKit tells that its participant left": 0, "nobody tells": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
				fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.RoomWebhookLost: hints}
			})
			w.startWorker()
			w.room("good", fakelivekit.RoomScript{})
			w.room("dies", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
			good := w.start("good").Info.Proto().GetEgressId()
			w.room("strange", fakelivekit.RoomScript{})
			page, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-strange", Request: &livekit.RoomCompositeEgressRequest{
				RoomName: "strange", CustomBaseUrl: "https://page.example.com/joins-by-itself",
				FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "page.mp4"}},
			}})
			require.NoError(t, err)
			dies := w.start("dies").Info.Proto().GetEgressId()

			v := w.verdict("dies")

			require.Equal(t, egress.Lost, v.Status)
			require.Equal(t, egress.FromTimeout, v.EndedBy)
			require.Equal(t, "its worker does not answer StopEgress, its participant has left the room", v.Because)
			require.Len(t, w.consumer.under(dies), 1)
			require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(dies), "LiveKit knows no better")
			require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(good), "a good recording is not stopped")
			require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(page.Info.Proto().GetEgressId()), "nor is one whose page is in the room under another name")
			for _, room := range []string{"good", "strange"} {
				require.NoError(t, w.fake.EndCall(room))
				require.Equal(t, egress.Status("EGRESS_COMPLETE"), w.verdict(room).Status)
			}
		})
	}
}

// As recorded in fakeworker-two-runs-one-id, and in LiveKit Cloud's retry_count: a failed egress
// runs again under its ID.
func TestASecondRunUnderOneIDIsWatchedAndToldOfOnce(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]float64{"with webhooks": 0, "with none": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: lost}
				fake.Timings.RerunGap = time.Second
				environ["REELKEEPER_HOLD_FOR"] = "4s"
			})
			w.startWorker()
			w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Rerun}})
			id := w.start("room").Info.Proto().GetEgressId()
			w.want("it runs a second time", func() bool {
				for _, r := range w.fake.Egresses() {
					if r.Info.GetEgressId() == id {
						return r.Info.GetRetryCount() == 1 && r.Info.GetStatus() == livekit.EgressStatus_EGRESS_ACTIVE
					}
				}
				return false
			})
			w.want("that is known", func() bool { return w.state("room").Phase == egress.Watching })
			require.NoError(t, w.fake.EndCall("room"))

			v := w.verdict("room")

			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.EqualValues(t, 1, v.Info.Proto().GetRetryCount())
			require.Len(t, w.consumer.under(id), 1)
		})
	}
}

func TestALostEgressThatShowsThatItLivesIsCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) { environ["REELKEEPER_CORRECT_FOR"] = "1h" })
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Forgotten}})
	started := w.start("room")
	id := started.Info.Proto().GetEgressId()

	v := w.verdict("room")
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, "running", w.state("room").Workflow, "it stays open")
	w.want("and is listed as ended meanwhile", func() bool { // visibility lags behind
		infos, err := w.client.Ended(w.ctx(), id, "")
		return err == nil && len(infos) == 1
	})

	w.post(w.requestWebhook(started.RequestID), fmt.Sprintf(
		`{"event":"egress_ended","id":"EV_after_all","egressInfo":{"egressId":%q,"status":"EGRESS_COMPLETE","endedAt":"%d"}}`, id, time.Now().UnixNano()))
	w.want("the consumer is told again", func() bool { return len(w.consumer.under(id)) == 2 })
	v = w.verdict("room")

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.Lost, v.Corrects)
	told := w.consumer.told(id)
	last := told[len(told)-1]
	require.Equal(t, livekit.EgressStatus_EGRESS_FAILED, told[0].GetEgressInfo().GetStatus())
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, last.GetEgressInfo().GetStatus())
	require.Equal(t, "EV_after_all", last.GetId())
	require.NotEqual(t, told[0].GetId(), last.GetId())
}

func TestARecordingThatEndsTooEarlyInALiveRoomGoesOnAsItsNextPart(t *testing.T) {
	t.Parallel()
	for fault, tc := range map[fakelivekit.Fault]struct {
		status  egress.Status
		counted string
	}{
		fakelivekit.Failed:       {"EGRESS_FAILED", "2"},
		fakelivekit.LimitReached: {"EGRESS_LIMIT_REACHED", "0"}, // no failure
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				fake.Timings.MidRecording = 300 * time.Millisecond
				environ["REELKEEPER_RECOVER"] = "2"
				environ["REELKEEPER_HOLD_FOR"] = "off"
			})
			w.startWorker()
			w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fault}})
			w.start("room")
			w.want("the last part that is allowed has ended too", func() bool { return len(w.consumer.knows()) == 3 })

			v := w.verdict("room")

			require.Equal(t, tc.status, v.Status)
			require.Regexp(t, `(?m)^reelkeeper_egress_recovered_total(\{.*\})? `+tc.counted+`$`, w.metrics())
			require.Len(t, v.Parts, 3)
			paths := map[string]bool{}
			for i, p := range v.Parts {
				require.Equal(t, tc.status, p.Status)
				require.Len(t, w.consumer.under(p.EgressID), 1)
				require.Positive(t, p.StartedAt.UnixNano())
				require.Equal(t, i > 0, p.Gap > 0)
				for _, f := range p.Info.Proto().GetRoomComposite().GetFileOutputs() {
					paths[f.GetFilepath()] = true
				}
			}
			require.Equal(t, map[string]bool{"room-{time}.mp4": true, "room-{time}-part2.mp4": true, "room-{time}-part3.mp4": true}, paths)
			require.NoError(t, w.fake.EndCall("room"))
		})
	}
}

// again makes the egress of a request fail, and then another egress of the request begin past
// Temporal. hear is called whenever the test waits for news.
func (w *world) again(hear func()) (failed, other string) {
	w.t.Helper()
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	failed = w.start("room").Info.Proto().GetEgressId()
	w.wantTold(failed, hear)
	if w.environ["REELKEEPER_CORRECT_FOR"] == "off" {
		require.Equal(w.t, egress.Status("EGRESS_FAILED"), w.verdict("room").Status, "its workflow has closed")
	}
	w.room("other", fakelivekit.RoomScript{})
	return failed, w.stray("other", "r-room")
}

// wantTold waits until an end has been announced to the consumer.
func (w *world) wantTold(egressID string, hear func()) {
	w.t.Helper()
	w.want("the end of "+egressID+" is told", func() bool {
		hear()
		return len(w.consumer.under(egressID)) == 1
	})
}

// A caller that started past Temporal, and asked again when that egress had failed, has only this
// one.
func TestWhatRecordsAfterTheEgressOfItsRequestFailedIsTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings   func(*fakelivekit.Config, map[string]string)
		correctFor string
		own        bool // it is heard of too late: its request's workflow has closed
	}{
		"as the next part, by its webhooks":            {nil, "1h", false},
		"as the next part, by the reconciler":          {reconciled, "1h", false},
		"as a recording of its own, by its webhooks":   {nil, "off", true},
		"as a recording of its own, by the reconciler": {reconciled, "off", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				environ["REELKEEPER_HOLD_FOR"], environ["REELKEEPER_CORRECT_FOR"] = "off", tc.correctFor
				if tc.settings != nil {
					tc.settings(fake, environ)
				}
			})
			hear := func() {
				if tc.settings != nil {
					require.NoError(t, w.begin(tc.own).Get(w.ctx(), nil))
				}
			}
			failed, other := w.again(hear)
			w.want("it has a workflow", func() bool {
				hear()
				v, err := w.client.State(w.ctx(), other)
				return err == nil && v.EgressID == other && (v.RequestID == other) == tc.own
			})
			w.becomes(other, livekit.EgressStatus_EGRESS_ACTIVE) // nobody stops it
			require.NoError(t, w.fake.EndCall("other"))
			w.wantTold(other, hear)
			hear()
			require.Len(t, w.consumer.under(failed), 1)
			require.Len(t, w.consumer.under(other), 1)
			if !tc.own {
				v := w.verdict("room")
				require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
				require.Len(t, v.Parts, 2)
				require.Empty(t, v.Twins)
			}
		})
	}
}

func TestARecordingIsNotStartedAgainOnceItsRoomIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.RoomWebhookLost: 1}
		environ["REELKEEPER_RECOVER"] = "2"
		environ["REELKEEPER_HOLD_FOR"] = "off"
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.UploadFailed}})
	id := w.start("room").Info.Proto().GetEgressId()

	v := w.verdict("room")

	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	require.Equal(t, id, v.EgressID)
	require.Len(t, w.consumer.all(), 1)
}

// Two doors started them past Temporal. Nobody heard of the one that ended first; the other one is
// bound and well.
func TestWhatEndedBesideTheBoundEgressIsToldWithoutItsWebhooks(t *testing.T) {
	t.Parallel()
	for name, closed := range map[string]bool{"while that records": false, "once its workflow has closed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconciled)
			w.startWorker()
			hear := func() { w.round(true) }
			w.room("room", fakelivekit.RoomScript{})
			bound := w.start("room").Info.Proto().GetEgressId()
			w.becomes(bound, livekit.EgressStatus_EGRESS_ACTIVE)
			w.known(bound)
			end := func() {
				require.NoError(t, w.fake.EndCall("room"))
				w.wantTold(bound, hear)
				require.Equal(t, egress.Status("EGRESS_COMPLETE"), w.verdict("room").Status)
			}
			if closed {
				end()
			}
			w.room("other", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Failed}})
			other := w.stray("other", "r-room")
			w.becomes(other, livekit.EgressStatus_EGRESS_FAILED)
			w.wantTold(other, hear)
			if !closed {
				end()
				require.Len(t, w.verdict("room").Parts, 2)
			}
			hear()
			require.Len(t, w.consumer.under(bound), 1)
			require.Len(t, w.consumer.under(other), 1)
		})
	}
}
