package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/needs"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// lostItsDatabase forgets what was announced to the consumer, and returns the event ID of each
// egress.
func (c *consumer) lostItsDatabase() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := map[string]string{}
	for _, e := range c.events {
		ids[e.GetEgressInfo().GetEgressId()] = e.GetId()
	}
	c.events = nil
	return ids
}

// knows returns the event IDs announced to the consumer, by egress.
func (c *consumer) knows() map[string]string {
	ids := map[string]string{}
	for _, e := range c.all() {
		ids[e.GetEgressInfo().GetEgressId()] = e.GetId()
	}
	return ids
}

func TestAConsumerThatLostItsDatabaseIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	for room, faults := range map[string][]fakelivekit.Fault{
		"heard": nil, "missed": {fakelivekit.WebhookLost}, "lost": {fakelivekit.Zombie},
	} {
		w.room(room, fakelivekit.RoomScript{Call: time.Second, Faults: faults})
		w.start(room)
	}
	w.room("runs", fakelivekit.RoomScript{})
	runs := w.start("runs").Info.Proto().GetEgressId()
	var ids []string
	for _, room := range []string{"heard", "missed", "lost"} {
		ids = append(ids, w.verdict(room).EgressID)
	}
	w.want("all three are over in the list", func() bool { return strings.Count(w.starter("", "export").out, "\n") == 3 })
	told := w.consumer.lostItsDatabase()
	require.Len(t, told, 3)

	dry := w.starter("", "redeliver", "--since", "1h", "--dry-run")
	require.Zero(t, dry.status, dry.err)
	require.Equal(t, 3, strings.Count(dry.out, "would redeliver"), dry.out)
	require.Equal(t, "would redeliver 3, skip 0, fail at 0\n", dry.err)
	require.Empty(t, w.consumer.all(), "a dry run tells nobody")

	one := w.starter("", "redeliver", ids[0])
	require.Zero(t, one.status, one.err)
	require.Contains(t, one.out, told[ids[0]])
	w.want("the one is told again", func() bool { return len(w.consumer.told(ids[0])) > 0 })
	require.Len(t, w.consumer.knows(), 1)
	w.verdictOf(egress.RedeliveryID("r-heard", 1))

	all := w.starter("", "redeliver", "--since", "1h")
	require.Zero(t, all.status, all.err)
	require.Equal(t, "redelivered 3, skipped 0, failed 0\n", all.err)
	w.want("all are told again", func() bool { return len(w.consumer.knows()) == 3 && len(w.consumer.told(ids[0])) > 1 })
	require.Equal(t, told, w.consumer.knows(), "each under the ID of before")
	require.Equal(t, livekit.EgressStatus_EGRESS_FAILED, w.consumer.told(ids[2])[0].GetEgressInfo().GetStatus(), "a lost one is in words that the consumer has")

	for id, want := range map[string]string{runs: "not delivered yet", "nobody": `no recording has the ID "nobody"`} {
		require.Equal(t, 2, w.says("redeliver "+id, want).status)
	}
	step := w.says("redeliver "+ids[0]+" --step webhook-1", "it had no step")
	require.Equal(t, 2, step.status)
	require.Equal(t, "starter: --step: it had no step \"webhook-1\"; want one of announce\n", step.err)
	require.Equal(t, 3, w.says("redeliver "+ids[0]+" nobody --json", "1 of 2 could not be redelivered").status)
	require.NoError(t, w.fake.EndCall("runs"))
}

func TestFiftyAreToldAgainAtARate(t *testing.T) {
	t.Parallel()
	const n = 50
	w := newWorld(t, nil)
	w.startWorker()
	var group sync.WaitGroup
	for i := range n {
		room := fmt.Sprintf("room-%d", i)
		w.room(room, fakelivekit.RoomScript{Call: time.Second})
		group.Go(func() {
			if _, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: composite(room)}); err == nil {
				_ = w.fake.EndCall(room)
			}
		})
	}
	group.Wait()
	w.want("all are over in the list", func() bool {
		over := 0
		for _, err := range w.client.Closed(w.ctx(), recordings.Span{}) {
			if err != nil {
				return false
			}
			over++
		}
		return over == n
	})
	told := w.consumer.lostItsDatabase()
	require.Len(t, told, n)

	said := w.starter("", "redeliver", "--since", "1h", "--rate", "100/s")

	require.Zero(t, said.status, said.err)
	require.Equal(t, "redelivered 50, skipped 0, failed 0\n", said.err)
	require.Equal(t, n, strings.Count(said.out, "\n"), "a line each, and no bar without a terminal")
	w.want("all are told again", func() bool { return len(w.consumer.knows()) == n })
	require.Equal(t, told, w.consumer.knows())
	for id := range told {
		require.Len(t, w.consumer.under(id), 1, "each once")
	}
}

func TestAStepThatFailedForGoodIsRetriedAlsoInARedelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_ANNOUNCE_FOR"] = "8s"
	})
	w.startWorker()
	w.consumer.answerWith(func(*livekit.WebhookEvent) int { return http.StatusNotFound })
	w.room("standup", fakelivekit.RoomScript{Call: time.Second})
	id := w.start("standup").Info.Proto().GetEgressId()
	waits := func(what string, recs recordings.Filter) {
		w.want(what, func() bool { return w.count(recs) == 1 })
	}
	waits("the recording waits for a person", recordings.Filter{Stuck: true})
	early := w.says("redeliver "+id, "announce waits for your retry or skip")
	require.Equal(t, 2, early.status)
	wrong := w.says("retry "+id+" --step webhook-1", "does not wait for retry or skip")
	require.Equal(t, "starter: --step: \"webhook-1\" does not wait for retry or skip; want one of announce\n", wrong.err)

	w.consumer.answerWith(nil)
	w.want("the retry is requested", func() bool { // a slow answer may hide that it is
		retried := w.starter("", "retry", id)
		return retried.out == id+": requested retry of step announce\n" || strings.Contains(retried.err, "waits for retry or skip")
	})
	require.Equal(t, []string{"announce"}, w.verdict("standup").Delivered)

	w.consumer.answerWith(func(*livekit.WebhookEvent) int { return http.StatusNotFound })
	w.want("a redelivery begins", func() bool { return w.starter("", "redeliver", id).status == 0 })
	waits("the redelivery waits for a person", recordings.Filter{Stuck: true, Redeliveries: true})
	w.says("redeliver "+id, "egress-redelivery/r-standup/1 is still telling them")
	w.says("list --redeliveries --stuck", id)
	w.says("show "+id, "egress-redelivery/r-standup/1 running, stuck")
	w.want("the step is skipped", func() bool { return w.starter("", "skip", "r-standup").status == 0 })
	w.verdictOf(egress.RedeliveryID("r-standup", 1))
	w.says("skip "+id, "no step of "+id+" waits for retry or skip")
}

func TestTheEndsOfWhatWasLostAreToldOnceThoughTheyComeAfterTheClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_RECOVER"] = "1"
	})
	w.startWorker()
	w.room("dies", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
	part := w.start("dies").Info.Proto().GetEgressId()
	lost := w.verdict("dies")
	require.Equal(t, egress.Lost, lost.Status)
	require.Equal(t, egress.Lost, lost.Parts[0].Status)
	w.want("it has closed", func() bool { return w.state("dies").Workflow == "completed" })

	for _, id := range []string{part, lost.EgressID} {
		for _, event := range []string{"EV_late_" + id, "EV_late_" + id, "EV_again"} {
			w.post(w.requestWebhook("r-dies"), fmt.Sprintf(`{"event":"egress_ended","id":%q,"egressInfo":{"egressId":%q,"roomName":"dies","status":"EGRESS_COMPLETE","endedAt":"%d"}}`,
				event, id, time.Now().UnixNano()))
		}
		v := w.verdictOf(egress.CorrectionID("r-dies", id, 1))
		require.Equal(t, egress.Lost, v.Corrects)
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		told := w.consumer.told(id)
		require.Len(t, w.consumer.under(id), 2, "that it failed, and what it really came to, once")
		require.Equal(t, "EV_late_"+id, told[len(told)-1].GetId())
		w.want("show names it", func() bool {
			return strings.Contains(w.starter("", "show", "r-dies").out, "egress-redelivery/r-dies/corrects-"+id)
		})
	}

	w.consumer.lostItsDatabase()
	again := w.starter("", "redeliver", "r-dies")
	require.Zero(t, again.status, again.err)
	for _, id := range []string{part, lost.EgressID} {
		w.want("it is told again", func() bool { return len(w.consumer.under(id)) == 1 })
		require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, w.consumer.told(id)[0].GetEgressInfo().GetStatus(), "and not that it is lost")
		require.Equal(t, "EV_late_"+id, w.consumer.told(id)[0].GetId())
	}
}

func TestTheCommandsInTheDocsDeliverAgainAndArchive(t *testing.T) {
	t.Parallel()
	needs.Tools(t, "sh")
	w := newWorld(t, nil)
	w.startWorker()
	w.room("standup", fakelivekit.RoomScript{Call: time.Second})
	_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "standup-1", Request: composite("standup")})
	require.NoError(t, err)
	require.NoError(t, w.fake.EndCall("standup"))
	w.verdictOf("standup-1")
	w.want("it is over in the list", func() bool { return w.starter("", "export").out != "" })
	dir := t.TempDir()

	script := documentedShell(t, "Deliver again") + documentedShell(t, "Archive")
	require.Greater(t, strings.Count(script, "starter "), 6)
	cmd := exec.CommandContext(w.ctx(), "sh", "-euc", `starter() { "$STARTER" "$@"; }`+"\n"+script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "STARTER="+binary(t, "starter"))
	for k, v := range w.environ {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()

	require.NoError(t, err, string(out))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 3, "an archive in each form, and that of yesterday")
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "verdicts-") {
			continue
		}
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(b), "standup-1")
	}
	w.want("it was told again", func() bool { return len(w.consumer.all()) > 1 })
}

// documentedShell returns the commands of a section of docs/operations.md.
func documentedShell(t *testing.T, section string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	require.NoError(t, err)
	_, text, found := strings.Cut(string(b), "\n## "+section+"\n")
	require.True(t, found, section)
	text, _, _ = strings.Cut(text, "\n## ")
	var script strings.Builder
	for i, block := range strings.Split(text, "\n```\n") {
		if i%2 == 1 {
			script.WriteString(block + "\n")
		}
	}
	return script.String()
}

// What was sealed for the first announcement opens for the second, even if payloads are encrypted.
func TestTheWebhookThatARequestNamedIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_ENCRYPT_PAYLOADS"] = "true"
	})
	w.startWorker()
	own := newConsumer(t)
	w.room("room", fakelivekit.RoomScript{})
	r := composite("room").(*livekit.RoomCompositeEgressRequest)
	r.Webhooks = []*livekit.WebhookConfig{{Url: own.URL, SigningKey: apiKey}}
	started, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-room", Request: r})
	require.NoError(t, err)
	id := started.Info.Proto().GetEgressId()
	require.NoError(t, w.fake.EndCall("room"))
	w.verdict("room")
	var first *livekit.WebhookEvent
	for _, e := range own.told(id) {
		if e.GetEvent() == egress.EventEnded {
			first = e
		}
	}
	require.NotNil(t, first)
	before, others := len(own.told(id)), len(w.consumer.told(id))

	said := w.starter("", "redeliver", id, "--step", "webhook-1")

	require.Zero(t, said.status, said.err)
	require.Equal(t, []string{"webhook-1"}, w.verdictOf(egress.RedeliveryID("r-room", 1)).Delivered)
	told := own.told(id)
	require.Greater(t, len(told), before)
	require.Equal(t, first.GetId(), told[before].GetId())
	require.Equal(t, own.URL, told[before].GetEgressInfo().GetRoomComposite().GetWebhooks()[0].GetUrl(), "in the caller's own words")
	require.Len(t, w.consumer.told(id), others, "nobody else is told")
}
