package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// withPipeline sets a world's pipelines.
func withPipeline(t *testing.T, text string, more ...string) func(*fakelivekit.Config, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipelines.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_PIPELINE"] = path
		for i := 0; i+1 < len(more); i += 2 {
			environ[more[i]] = more[i+1]
		}
	}
}

// theirs is a user's own worker, which does not have our codec.
type theirs struct {
	mu     sync.Mutex
	inputs []egress.StepInput
	answer func(egress.StepInput) (any, error) // default: nothing
}

// theirWorker serves a task queue with one activity.
func (w *world) theirWorker(queue, name string) *theirs {
	w.t.Helper()
	c, err := client.DialContext(w.ctx(), client.Options{HostPort: server.Address, Namespace: w.environ["TEMPORAL_NAMESPACE"]})
	require.NoError(w.t, err)
	w.t.Cleanup(c.Close)
	their := &theirs{}
	tw := worker.New(c, queue, worker.Options{})
	tw.RegisterActivityWithOptions(their.do, activity.RegisterOptions{Name: name})
	require.NoError(w.t, tw.Start())
	w.t.Cleanup(tw.Stop)
	return their
}

func (s *theirs) do(_ context.Context, in egress.StepInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inputs = append(s.inputs, in)
	if s.answer == nil {
		return nil, nil
	}
	return s.answer(in)
}

func (s *theirs) answerWith(answer func(egress.StepInput) (any, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// requests returns those for whose recordings the step ran.
func (s *theirs) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, in := range s.inputs {
		ids = append(ids, in.RequestID)
	}
	return ids
}

// inside returns the whole state of a room's recording, or zero if there is none.
func (w *world) inside(room string) egress.State {
	w.t.Helper()
	var s egress.State
	if v, err := w.temporal().QueryWorkflow(w.ctx(), egress.WorkflowID("r-"+room), "", egress.QueryState); err == nil {
		require.NoError(w.t, v.Get(&s))
	}
	return s
}

// A step that fails without retry waits for a person, who is told what to do, and does it.
func TestAFailedStepIsRetriedByAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPipeline(t, `
default: p
pipelines:
  p:
    steps:
      - {name: transcribe, activity: Transcribe, task_queue: media, with: {language: xx}}
`))
	w.startWorker()
	media := w.theirWorker("media", "Transcribe")
	media.answerWith(func(in egress.StepInput) (any, error) {
		return nil, temporal.NewNonRetryableApplicationError("no such language: "+in.With["language"].(string), "Language", nil)
	})
	w.room("room", fakelivekit.RoomScript{Call: time.Second})
	started := w.start("room")
	w.want("a person is waited for", func() bool { return len(w.inside("room").AwaitsWord) > 0 })
	w.want("a failed step holds no announcement back", func() bool { return len(w.consumer.under(started.Info.Proto().GetEgressId())) == 1 })
	w.says("show r-room", "step transcribe failed for good: no such language: xx", "starter retry r-room transcribe")
	media.answerWith(func(egress.StepInput) (any, error) { return map[string]string{"text": "s3://b/t"}, nil })

	retried := w.says("retry r-room transcribe", "requested retry of step transcribe")

	require.Zero(t, retried.status, retried.err)
	v := w.verdict("room")
	require.JSONEq(t, `{"text":"s3://b/t"}`, string(v.Results["transcribe"]))
	require.Len(t, media.inputs, 2)
	require.Equal(t, media.inputs[0], media.inputs[1], "the second attempt is given what the first was, the idempotency key too")
}

// A pipeline stays as it was when an egress began; only later starts use the new one.
func TestEgressesKeepThePipelineThatTheyBeganWith(t *testing.T) {
	t.Parallel()
	text := func(queue string) string {
		return "default: p\npipelines:\n  p:\n    steps:\n      - {name: s, activity: Work, task_queue: " + queue + "}\n"
	}
	w := newWorld(t, withPipeline(t, text("before")))
	before, after := w.theirWorker("before", "Work"), w.theirWorker("after", "Work")
	first := w.workerProcess()
	w.room("old", fakelivekit.RoomScript{})
	w.start("old")
	w.want("its terms", func() bool { return len(w.inside("old").Pipeline.Steps) > 0 })
	require.NoError(t, os.WriteFile(w.environ["REELKEEPER_PIPELINE"], []byte(text("after")), 0o600))
	first.kill()
	w.workerProcess()
	w.room("new", fakelivekit.RoomScript{})
	w.start("new")
	for _, room := range []string{"old", "new"} {
		require.NoError(t, w.fake.EndCall(room))
		require.Contains(t, w.verdict(room).Delivered, "s")
	}
	require.Equal(t, []string{"r-old"}, before.requests())
	require.Equal(t, []string{"r-new"}, after.requests())
}

const three = `
default: standard
pipelines:
  standard: {steps: [{name: standard, activity: Work, task_queue: media}]}
  archive: {steps: [{name: archive, activity: Work, task_queue: media}]}
  bare: {}
`

// A start may name its pipeline, whichever way it is made.
func TestARequestChoosesItsPipeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPipeline(t, three, "REELKEEPER_FAIL_OPEN_AFTER", "off")) // else a slow Temporal is passed, and LiveKit asked
	w.startWorker()
	w.theirWorker("media", "Work")
	byHeader := func(ctx context.Context, name string) error {
		ctx, err := twirp.WithHTTPRequestHeaders(ctx, http.Header{"Idempotency-Key": {"r-header"}, "X-Reelkeeper-Pipeline": {name}})
		require.NoError(t, err)
		_, err = w.agent().StartRoomCompositeEgress(lksdk.WithFailover(ctx, false), composite("header").(*livekit.RoomCompositeEgressRequest))
		return err
	}
	for _, room := range []string{"none", "flag", "header", "plain"} {
		w.room(room, fakelivekit.RoomScript{})
	}
	said := w.starter("", "start", "room-composite", "--room", "flag", "--file", "x.mp4", "--id", "r-flag", "--pipeline", "archived")
	require.Equal(t, 2, said.status)
	require.Contains(t, said.err, `--pipeline: there is no "archived"; want one of archive, bare, standard`)
	refused := byHeader(w.ctx(), "archived")
	require.ErrorContains(t, refused, "invalid_argument")
	require.ErrorContains(t, refused, `there is no "archived"`)
	require.Zero(t, w.fake.Calls()["StartRoomCompositeEgress"], "LiveKit was not asked")

	w.start("none")
	said = w.starter("", "start", "room-composite", "--room", "flag", "--file", "x.mp4", "--id", "r-flag", "--pipeline", "archive")
	require.Zero(t, said.status, said.err)
	require.NoError(t, byHeader(w.ctx(), "archive"))
	_, err := w.temporal().ExecuteWorkflow(w.ctx(), client.StartWorkflowOptions{ID: egress.WorkflowID("r-plain"), TaskQueue: egress.TaskQueue},
		egress.WorkflowType, json.RawMessage(`{"room_composite":{"room_name":"plain","file_outputs":[{"filepath":"x.mp4"}]},"pipeline":"bare"}`))
	require.NoError(t, err)
	for room, want := range map[string][]string{"none": {"announce", "standard"}, "flag": {"announce", "archive"}, "header": {"announce", "archive"}, "plain": {"announce"}} {
		w.want(room+" records", func() bool { return w.inside(room).ID != "" })
		require.NoError(t, w.fake.EndCall(room))
		require.Equal(t, want, w.verdict(room).Delivered, room)
	}
}

// A start that went past Temporal names its pipeline in our webhook's URL, whoever adopts it.
func TestWhatIsAdoptedTakesThePipelineThatItsStartNamed(t *testing.T) {
	t.Parallel()
	for name, byWebhook := range map[string]bool{"by its first webhook": true, "by the reconciler": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := withPipeline(t, three)
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				change(fake, environ)
				if !byWebhook {
					reconciled(fake, environ)
				}
			})
			w.startWorker()
			w.theirWorker("media", "Work")
			w.room("room", fakelivekit.RoomScript{})
			id := w.stray("room", "r-room", "?p=archive")
			w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
			if !byWebhook {
				require.Equal(t, 1, w.round(false).Adopted)
			}
			w.want("it is adopted", func() bool { return w.inside("room").ID == id })
			require.NoError(t, w.fake.EndCall("room"))
			w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE)
			if !byWebhook {
				w.roundWith(1, true, func(r egress.Round) int { return r.Nudged })
			}
			require.Equal(t, []string{"announce", "archive"}, w.verdict("room").Delivered)
		})
	}
}

// With encryption on, a worker that cannot decrypt gets the input of its steps in the clear if the
// steps say so, and nothing else is unencrypted.
func TestAClearStepIsReadableWhereAllElseIsEncrypted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPipeline(t, `
default: p
pipelines:
  p:
    steps:
      - {name: clear, activity: Work, task_queue: media, clear: true, with: {language: en}}
      - {name: again, activity: Work, task_queue: media, clear: true}
`, "REELKEEPER_ENCRYPT_PAYLOADS", "true"))
	w.startWorker()
	media := w.theirWorker("media", "Work")
	media.answerWith(func(in egress.StepInput) (any, error) { return "by " + in.Step, nil })
	w.room("room", fakelivekit.RoomScript{Call: time.Second})
	w.start("room")

	v := w.verdict("room")

	require.JSONEq(t, `"by clear"`, string(v.Results["clear"]))
	require.JSONEq(t, `"by clear"`, string(media.inputs[1].Results["clear"]))
	readable := map[string]int{}
	for _, e := range w.history("r-room") {
		for name, p := range map[string]*commonpb.Payloads{
			"input of " + e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(): e.GetActivityTaskScheduledEventAttributes().GetInput(),
			"result": e.GetActivityTaskCompletedEventAttributes().GetResult(),
		} {
			for _, payload := range p.GetPayloads() {
				if string(payload.GetMetadata()["encoding"]) != "binary/encrypted" {
					readable[name]++
				}
			}
		}
	}
	require.Equal(t, map[string]int{"input of Work": 2, "result": 2}, readable)
}
