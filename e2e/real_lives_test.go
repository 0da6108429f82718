package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/reallivekit"
)

// The programs of the how-to pages record with the real LiveKit as they do with its double.
func TestAnAgentRecordsThroughTheDoorByTheRealLiveKit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		page, language string
		run            func(t *testing.T, url, program string) (printed string)
		deletes        bool // the program deletes the room at once, maybe before the egress is active
		want           []egress.Status
	}{
		{"node.md", "js", runJS, false, []egress.Status{"EGRESS_COMPLETE"}},
		{"go.md", "go", runGo, true, []egress.Status{"EGRESS_COMPLETE", "EGRESS_ABORTED"}},
	} {
		t.Run(tt.page, func(t *testing.T) {
			t.Parallel()
			w := newRealWorld(t, nil)
			w.alice("standup")

			printed := tt.run(t, w.door.URL, programsOf(t, "agents/"+tt.page, tt.language)[0])

			id, _, _ := strings.Cut(strings.TrimSpace(printed), "\n")
			if !tt.deletes {
				w.underWay(id)
				_, err := w.client.Stop(w.ctx(), id)
				require.NoError(t, err)
			}
			v := w.judged(id)
			require.Contains(t, tt.want, v.Status)
			require.Empty(t, v.Missed)
		})
	}
}

// Each way of losing a webhook that was captured from real servers, on a real server: the endpoint
// is down, slow or wrong while an egress ends, and nobody tells us of its end.
func TestNoEndIsLostHoweverTheRealLiveKitLosesItsWebhook(t *testing.T) {
	t.Parallel()
	asked := []egress.Source{egress.FromPoll, egress.FromStop}
	either := append([]egress.Source{egress.FromWebhook}, asked...)
	for _, tt := range []struct {
		name     string
		is       func(*way) http.HandlerFunc
		lasts    time.Duration   // after the end; zero: for ever
		by       []egress.Source // how we may learn of its end: a stop counts, too, since a look tries one
		settings map[string]string
	}{
		// LiveKit last retries the news that it is ending after 15 s, and that the recorder has left, upon which we look, after 11 s
		// and 19 s. But after 50 s, LiveKit and the machine decide which comes first.
		{"the endpoint is down for 10 s", always(cutOff), 10 * time.Second, either, nil},
		{"the endpoint is down for 25 s", always(cutOff), 25 * time.Second, either, map[string]string{"REELKEEPER_LOOK_ACTIVE": "2m"}},
		{"the endpoint is down for 35 s", always(cutOff), 35 * time.Second, either, nil},
		{"the endpoint is down for 50 s", always(cutOff), 50 * time.Second, asked, nil},
		{"the endpoint hangs", func(w *way) http.HandlerFunc { return w.hanging }, 0, asked, nil},
		{"the endpoint answers 404", always(answering(http.StatusNotFound)), 0, asked, map[string]string{"REELKEEPER_LOOK_ACTIVE": "10s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newRealWorld(t, tt.settings)
			ids := w.recordByEach()
			w.underWay(ids...)
			w.way.is(tt.is(w.way))
			w.stopBehindTheDoor(ids...)
			if tt.lasts > 0 {
				timer := time.AfterFunc(tt.lasts, func() { w.way.is(nil) })
				defer timer.Stop()
			}

			for _, id := range ids {
				v := w.judged(id)
				require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
				require.Contains(t, tt.by, v.EndedBy)
				require.Equal(t, v.EndedBy == egress.FromPoll, v.Missed != "", v.Missed)
			}
			recorded, err := w.livekit.Recorded(t.Context())
			require.NoError(t, err)
			require.Len(t, recorded, len(ids), "no twins")
			for _, r := range recorded {
				require.Contains(t, ids, r.EgressID)
			}
		})
	}
}

func always(h http.HandlerFunc) func(*way) http.HandlerFunc {
	return func(*way) http.HandlerFunc { return h }
}

// An endpoint that takes 20 s for each webhook gets the news before the last, and by then the last
// is too old.
func TestNoEndIsLostByAnEndpointThatIsSlow(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, map[string]string{"REELKEEPER_LOOK_ACTIVE": "25s", "REELKEEPER_LOOK_ENDING": "5s"})
	ids := w.recordByEach()
	w.way.is(w.way.slow)
	w.atLiveKit(livekit.EgressStatus_EGRESS_ACTIVE, ids)
	w.stopBehindTheDoor(ids...)

	for _, id := range ids {
		v := w.judged(id)
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		require.NotEqual(t, egress.FromWebhook, v.EndedBy)
	}
}

// A real server holds its webhooks only in memory: what it had not sent when it was killed is never
// sent.
func TestNoEndIsLostWithTheRealLiveKitThatHadToTellIt(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, map[string]string{"REELKEEPER_LOOK_ACTIVE": "10s"})
	ids := w.recordByEach()
	w.underWay(ids...)
	w.way.is(cutOff)
	w.stopBehindTheDoor(ids...)
	w.atLiveKit(livekit.EgressStatus_EGRESS_COMPLETE, ids)

	require.NoError(t, w.livekit.KillServer())
	require.NoError(t, w.livekit.StartServer(w.ctx()))
	w.way.is(nil) // not earlier: a webhook of the killed server may be in flight

	for _, id := range ids {
		v := w.judged(id)
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		require.NotEqual(t, egress.FromWebhook, v.EndedBy)
	}
}

// The real server calls an egress active for ever if its worker was killed.
func TestAnEgressOfAKilledWorkerIsLostByTheRealLiveKitToo(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, map[string]string{"REELKEEPER_LOOK_ACTIVE": "5s"})
	ids := w.recordByEach()
	w.underWay(ids...)

	w.livekit.KillWorker()

	for _, id := range ids {
		v := w.judged(id)
		require.Equal(t, egress.Lost, v.Status)
		require.NotEmpty(t, v.Because)
	}
}

// Nobody answers for a recorder in a room that is gone, where LiveKit passes the question on to the
// room.
func TestAnEgressOfAKilledWorkerIsLostWhereTheRealLiveKitAsksItsRoom(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, map[string]string{"REELKEEPER_LOOK_ENDING": "2s"}, func(o *reallivekit.Options) { o.AsksRoom = true })
	w.alice("standup")
	id := w.record("standup")
	w.underWay(id)

	w.livekit.KillWorker()
	rooms := lksdk.NewRoomServiceClient(w.livekit.URL, apiKey, apiSecret)
	_, err := rooms.DeleteRoom(w.ctx(), &livekit.DeleteRoomRequest{Room: "standup"})
	require.NoError(t, err)

	v := w.judged(id)
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.listed(id).Status)
}

// A worker that hangs answers no stop, and stays in the room: we wait for its end until the limit.
func TestAnEgressThatHangsInTheRealLiveKitIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, map[string]string{"REELKEEPER_LOOK_ENDING": "2s", "REELKEEPER_GIVE_UP_AFTER": "8s"})
	require.NoError(t, w.livekit.Plan(t.Context(), "standup", reallivekit.Hung, 0))
	w.alice("standup")
	id := w.record("standup")
	w.underWay(id)

	_, err := w.client.Stop(w.ctx(), id)

	require.Error(t, err, "LiveKit has not stopped it")
	v := w.judged(id)
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.listed(id).Status)
}

// nothingToRecord is the fate of an egress in an empty room: it does not begin.
const nothingToRecord reallivekit.Fate = "nothing-to-record"

// An egress that fails, reaches its limit, is aborted or runs twice is announced as such.
func TestWhatBecomesOfAnEgressOfTheRealLiveKitIsToldAsItIs(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, map[string]string{"REELKEEPER_HOLD_FOR": "10s"})
	again := func(w *realWorld, id string) {
		w.want("the second run", func() bool { return w.listed(id).RetryCount == 1 })
	}
	active := func(w *realWorld, id string) { w.underWay(id) }
	atOnce := func(*realWorld, string) {}
	for _, tt := range []struct {
		fate    reallivekit.Fate
		stopped func(w *realWorld, egressID string) // when; nil: it ends by itself
		status  egress.Status
	}{
		{reallivekit.Killed, nil, "EGRESS_FAILED"},
		{reallivekit.Limited, nil, "EGRESS_LIMIT_REACHED"},
		{reallivekit.Slow, active, "EGRESS_COMPLETE"},
		{reallivekit.Unstored, active, "EGRESS_FAILED"},
		{reallivekit.Twice, again, "EGRESS_COMPLETE"},
		{nothingToRecord, atOnce, "EGRESS_ABORTED"},
	} {
		t.Run(string(tt.fate), func(t *testing.T) {
			t.Parallel()
			room := "room-" + string(tt.fate)
			if tt.fate == nothingToRecord {
				w.empty(room)
			} else {
				require.NoError(t, w.livekit.Plan(w.ctx(), room, tt.fate, 2*time.Second))
				w.alice(room)
			}
			id := w.record(room)
			if tt.stopped != nil {
				tt.stopped(w, id)
				w.stopBehindTheDoor(id)
			}

			v := w.judged(id)

			require.Equal(t, tt.status, v.Status)
			require.Equal(t, egress.FromWebhook, v.EndedBy)
		})
	}
}
