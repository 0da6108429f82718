package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// received is node/consumer.mjs's report of a request.
type received struct {
	Event    string `json:"event"`
	ID       string `json:"id"`
	EgressID string `json:"egress_id"`
	Status   int    `json:"status"`
	EndedAt  string `json:"ended_at"`
	Verdict  string `json:"verdict"`
	Error    string `json:"error"`
}

// nodeConsumer runs node/consumer.mjs, and returns its URL and what it receives.
func nodeConsumer(t *testing.T) (url string, got <-chan received) {
	t.Helper()
	modules := needs.NodeModules(t, "node")
	source, err := os.ReadFile(filepath.Join("node", "consumer.mjs"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "consumer.mjs"), source, 0o600))
	cmd := exec.CommandContext(t.Context(), "node", "consumer.mjs") // it ends with the test
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "LIVEKIT_API_KEY="+apiKey, "LIVEKIT_API_SECRET="+apiSecret)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "it says where it listens")
	url = lines.Text()
	told := make(chan received, 100)
	go func() {
		defer close(told)
		for lines.Scan() {
			var r received
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				r.Error = lines.Text()
			}
			told <- r
		}
		_ = cmd.Wait() // it is killed
	}()
	return url, told
}

// In every other test, the consumer uses LiveKit's Go receiver.
func TestLiveKitsNodeReceiverTakesWhatIsAnnounced(t *testing.T) {
	t.Parallel()
	url, got := nodeConsumer(t)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1}
		environ["REELKEEPER_ANNOUNCE_URL"] = url
	})
	w.startWorker()

	w.room("polled", fakelivekit.RoomScript{Call: time.Second})
	polled := w.start("polled").Info.Proto().GetEgressId()
	v := w.verdict("polled")
	r := <-got
	require.Empty(t, r.Error)
	require.Regexp(t, `^EV_[A-Z2-7]{12}$`, r.ID)
	require.Equal(t, received{
		Event: "egress_ended", ID: r.ID, EgressID: polled, Status: int(livekit.EgressStatus_EGRESS_COMPLETE),
		EndedAt: fmt.Sprint(v.Info.Proto().GetEndedAt()), Verdict: "EGRESS_COMPLETE",
	}, r)

	w.room("late", fakelivekit.RoomScript{})
	late := w.start("late").Info.Proto().GetEgressId()
	ended := time.Now().Add(-48 * time.Hour)
	body := fmt.Sprintf(`{"event":"egress_ended","id":"EV_fromLiveKit","createdAt":"%d","newField":1,
		"egressInfo":{"egressId":%q,"status":"EGRESS_ABORTED","endedAt":"%d","newerField":{"a":[1]}}}`, ended.Unix(), late, ended.UnixNano())
	w.post(w.requestWebhook("r-late"), body)
	require.Equal(t, egress.FromWebhook, w.verdict("late").EndedBy)
	require.Equal(t, received{
		Event: "egress_ended", ID: "EV_fromLiveKit", EgressID: late, Status: int(livekit.EgressStatus_EGRESS_ABORTED),
		EndedAt: fmt.Sprint(ended.UnixNano()), Verdict: "EGRESS_ABORTED",
	}, <-got, "two days after the end, and with LiveKit's own event ID")
}

// The consumer has its own LiveKit webhook, and ours in addition.
func TestAConsumerBesideLiveKitsOwnWebhookHearsOfEachEndUnderOneID(t *testing.T) {
	t.Parallel()
	for when, wantComing := range map[string]int{"always": 2, "missed": 1} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				leisurely(fake, environ)
				fake.WebhookURLs = append(fake.WebhookURLs, environ["REELKEEPER_ANNOUNCE_URL"])
				environ["REELKEEPER_ANNOUNCE"] = when
			})
			w.startWorker()
			w.room("comes", fakelivekit.RoomScript{Call: time.Second})
			w.room("lost", fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
			comes, lost := w.start("comes").Info.Proto().GetEgressId(), w.start("lost").Info.Proto().GetEgressId()
			w.verdict("comes")
			w.verdict("lost")

			w.want("LiveKit and we have told it", func() bool { return len(w.ends(comes)) == wantComing })
			for _, e := range w.ends(comes) {
				require.Equal(t, w.ends(comes)[0].GetId(), e.GetId(), "ours is LiveKit's again")
			}
			require.Len(t, w.ends(lost), 1, "which LiveKit did not tell it")
		})
	}
}

// ends returns the ends of an egress that were announced to the consumer.
func (w *world) ends(egressID string) []*livekit.WebhookEvent {
	return slices.DeleteFunc(w.consumer.told(egressID), func(e *livekit.WebhookEvent) bool { return e.GetEvent() != egress.EventEnded })
}
