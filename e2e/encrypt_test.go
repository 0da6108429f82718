package e2e

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// With REELKEEPER_ENCRYPT_PAYLOADS, Temporal holds nothing readable but the search attributes, and
// everything works as before, also for egresses that began earlier.
func TestEverythingIsEncryptedWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	const sentinel = "SENTINEL-in-a-path"
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_ENCRYPT_PAYLOADS"] = "true"
	})
	w.startWorker()
	theirs := newConsumer(t)
	record := func(room string, script fakelivekit.RoomScript) egress.Verdict {
		w.room(room, script)
		_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: &livekit.RoomCompositeEgressRequest{
			RoomName: room, FileOutputs: []*livekit.EncodedFileOutput{{Filepath: sentinel}},
			Webhooks: []*livekit.WebhookConfig{{Url: theirs.URL, SigningKey: apiKey}},
		}})
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() { _ = w.fake.EndCall(room) })
		return w.verdict(room)
	}
	for room, script := range map[string]fakelivekit.RoomScript{
		"whole": {}, "lost": {Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}}, "failed": {Faults: []fakelivekit.Fault{fakelivekit.UploadFailed}},
	} {
		v := record(room, script)
		require.NotEmpty(t, v.EgressID)
		require.Len(t, w.consumer.told(v.EgressID), 1)
		require.Contains(t, theirs.names(v.EgressID), egress.EventEnded)
	}
	_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "refused", Request: composite("no-such-room")})
	require.ErrorContains(t, err, "requested room does not exist", "errors are readable to callers")

	w.want("memos are readable to us", func() bool {
		for row, err := range w.client.List(w.ctx(), recordings.Filter{Room: "lost"}) {
			return err == nil && row.Memo != nil
		}
		return false
	})
	shown := w.starter("", "show", "r-whole")
	require.Zero(t, shown.status, shown.err)
	require.Contains(t, shown.out, "EGRESS_COMPLETE", "what is over is readable to a command that has the secret")
	w.want("and so are the memos", func() bool { return strings.Contains(w.starter("", "report", "--csv").out, ",RM_") })
	delete(w.environ, "LIVEKIT_API_SECRET")
	for _, args := range [][]string{{"report"}, {"redeliver", "--since", "1h", "--dry-run"}, {"export"}} {
		said := w.starter("", args...)
		require.Equal(t, 2, said.status, "without the secret: %s", args)
		require.Contains(t, said.err, "LIVEKIT_API_SECRET: is not set, and REELKEEPER_ENCRYPT_PAYLOADS needs it")
	}
	delete(w.environ, "REELKEEPER_ENCRYPT_PAYLOADS")
	for _, environ := range []map[string]string{{}, {"LIVEKIT_API_SECRET": "another secret, of another project"}} {
		maps.Copy(w.environ, environ)
		for _, args := range [][]string{{"report"}, {"redeliver", "--since", "1h", "--dry-run"}} {
			said := w.starter("", args...)
			require.NotZero(t, said.status, "a memo that cannot be read is no memo of media that is there")
			require.Contains(t, said.err, "LIVEKIT_API_SECRET is not the secret that encrypted what is known of egress/")
		}
	}
	a, err := app.Open(app.Options{Environ: w.environ, Role: config.Worker, LogTo: w.log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.Close() })
	e, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: "EG_another", RoomName: "whole", Status: livekit.EgressStatus_EGRESS_ACTIVE})
	require.NoError(t, err)
	_, err = a.Recordings().AdoptListed(w.ctx(), "r-whole", egress.Extras{}, e)
	require.ErrorContains(t, err, "lacks the secret that encrypted the payload", "what a worker's round cannot read is an error of that step, and no end of the worker")
	all := w.everything()
	requireNone(t, sentinel, all)
	requireNone(t, "requested room does not exist", all)
	require.Contains(t, all, "EGRESS_COMPLETE", "search attributes are never encrypted")
}

// What such a worker cannot read, a start or news of an end, is neither failed nor dropped.
func TestAWorkerWithoutTheKeyHoldsRecordingsUntilOneHasIt(t *testing.T) {
	t.Parallel()
	const key, another = "the-key-of-32-characters-or-more--", "another-key-of-32-characters-or-more"
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_ENCRYPT_PAYLOADS"], environ["REELKEEPER_SEAL_KEY"] = "true", key
	})
	stop := w.runWorker()
	w.room("before", fakelivekit.RoomScript{})
	w.room("meanwhile", fakelivekit.RoomScript{})
	id := w.start("before").Info.Proto().GetEgressId()
	w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
	stop()

	w.environ["REELKEEPER_SEAL_KEY"] = another
	stop = w.runWorker()
	require.NoError(t, w.fake.EndCall("before"))
	ask := func() error {
		_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-meanwhile", Request: composite("meanwhile")})
		return err
	}
	var asked sync.WaitGroup
	asked.Go(func() { _ = ask() }) // once the task has failed three times, Temporal may refuse to wait for it
	for _, room := range []string{"before", "meanwhile"} {
		w.want("a task fails, "+room, func() bool {
			_, err := w.temporal().DescribeWorkflowExecution(w.ctx(), egress.WorkflowID("r-"+room), "")
			return err == nil && slices.ContainsFunc(w.history("r-"+room), func(e *historypb.HistoryEvent) bool {
				return e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED
			})
		})
	}
	require.Empty(t, w.consumer.told(id))
	stop()

	w.environ["REELKEEPER_SEAL_KEY"] = key
	w.runWorker()
	asked.Wait()
	w.answered("the start", ask)
	require.NoError(t, w.fake.EndCall("meanwhile"))
	for _, room := range []string{"before", "meanwhile"} {
		v := w.verdict(room)
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status, room)
		require.Len(t, w.consumer.under(v.EgressID), 1, room)
	}
}
