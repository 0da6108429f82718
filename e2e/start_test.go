package e2e

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func TestARefusalReachesTheCallerAsLiveKitSaidItAndFreesTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	ask := egress.StartOptions{RequestID: "key", Request: composite("room")}

	for range 2 { // the second answer is a new one, not a repeat of the first
		_, err := w.client.Start(w.ctx(), ask)
		var refused *egress.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, egress.NotFound, refused.Reason)
		require.Equal(t, "not_found", refused.Code)
		require.Equal(t, "requested room does not exist", refused.Message)
	}
	require.GreaterOrEqual(t, w.fake.Calls()["StartRoomCompositeEgress"], 2)
	require.Empty(t, w.fake.Egresses())

	w.room("room", fakelivekit.RoomScript{})
	_, err := w.client.Start(w.ctx(), ask)
	require.NoError(t, err)
}

func TestTheSameKeyGivesTheSameEgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})

	var wg sync.WaitGroup
	ids := make([]string, 8)
	for n := range ids {
		wg.Go(func() { ids[n] = w.start("room").Info.Proto().GetEgressId() })
	}
	wg.Wait()
	require.NoError(t, w.fake.EndCall("room"))
	w.verdict("room")
	again := w.start("room").Info.Proto().GetEgressId()

	require.Equal(t, slices.Repeat([]string{again}, len(ids)), ids)
	require.Len(t, w.fake.Egresses(), 1)

	other := &livekit.RoomCompositeEgressRequest{RoomName: "room", AudioOnly: true}
	_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-room", Request: other})
	require.Equal(t, egress.Conflict, egress.ReasonOf(err), "%v", err)
}

func TestAStartWhoseCommandIsKilledGoesOnAndIsGivenToWhoAsksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	require.NoError(t, w.fake.SetFault(fakelivekit.RateLimited, 1))
	args := []string{"start", "room-composite", "--room", "room", "--file", "{room_name}-{time}.mp4", "--id", "one", "--json"}
	var out bytes.Buffer
	p := w.spawn("starter", w.environ, args...)
	p.Stdout = &out
	p.start(t)
	w.want("LiveKit is asked", func() bool { return w.fake.Calls()["StartRoomCompositeEgress"] > 0 })
	p.kill()
	require.Empty(t, out.String(), "it has not been answered")
	require.Empty(t, w.fake.Egresses())

	require.NoError(t, w.fake.SetFault(fakelivekit.RateLimited, 0))
	w.want("it goes on without whoever asked", func() bool { return len(w.fake.Egresses()) == 1 })

	again := w.starter("", args...)
	require.Zero(t, again.status, again.err)
	require.Contains(t, again.out, w.fake.Egresses()[0].Info.GetEgressId())
	require.Len(t, w.fake.Egresses(), 1)
}

func TestAStartGoesOnUntilLiveKitTakesIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		tries       int // calls that LiveKit gets before it recovers
		begin, mend func(w *world) error
	}{
		{"no worker is free", 2, setFault(fakelivekit.StartRefused, 1), setFault(fakelivekit.StartRefused, 0)},
		{"too many requests", 2, setFault(fakelivekit.RateLimited, 1), setFault(fakelivekit.RateLimited, 0)},
		{"the API is down: what cannot be looked for is not started again", 1, setFault(fakelivekit.APIDown, 1), setFault(fakelivekit.APIDown, 0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
				fake.RefuseWith = []twirp.ErrorCode{twirp.ResourceExhausted}
			})
			w.startWorker()
			w.room("room", fakelivekit.RoomScript{})
			require.NoError(t, tt.begin(w))
			tried := make(chan struct{})
			go func() {
				defer close(tried)
				w.start("room")
			}()
			w.want("tries", func() bool { return w.fake.Calls()["StartRoomCompositeEgress"] >= tt.tries })
			require.NoError(t, tt.mend(w))

			<-tried
			_, err := w.client.Stop(w.ctx(), "r-room")
			require.NoError(t, err)
			require.Contains(t, []egress.Status{"EGRESS_COMPLETE", "EGRESS_ABORTED"}, w.verdict("room").Status, "stopped before or after it was active")
			require.Zero(t, w.twins())
		})
	}
}

func setFault(f fakelivekit.Fault, rate float64) func(w *world) error {
	return func(w *world) error { return w.fake.SetFault(f, rate) }
}

func TestAnyTemporalClientStartsARecordingWithPlainJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	c := w.temporal()

	run, err := c.ExecuteWorkflow(w.ctx(), client.StartWorkflowOptions{ID: "egress/plain-1", TaskQueue: "egress"}, "Egress", map[string]any{
		"room_composite": map[string]any{"room_name": "room", "file_outputs": []any{map[string]any{"filepath": "x.mp4"}}},
		"max_duration":   "1s",
	})
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, run.Get(w.ctx(), &v))

	require.Equal(t, "EGRESS_COMPLETE", v["status"])
	require.Equal(t, "max_duration", v["stopped"])
}

// Names and arguments are as docs/start-from-temporal.md gives them for the SDKs of other languages.
func TestAnyTemporalClientGetsLiveKitsAnswersAsPlainJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	c := w.temporal()
	start := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: "egress/plain-2", TaskQueue: "egress", WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, "Egress", map[string]any{
		"room_composite": map[string]any{"room_name": "room", "file_outputs": []any{map[string]any{"filepath": "x.mp4"}}},
	})
	update := func(name string, args ...any) client.UpdateWorkflowOptions {
		return client.UpdateWorkflowOptions{WorkflowID: "egress/plain-2", UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted}
	}
	var started, stopped, v map[string]any

	answer, err := c.UpdateWithStartWorkflow(w.ctx(), client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start, UpdateOptions: update("egress.start", map[string]any{}),
	})
	require.NoError(t, err)
	require.NoError(t, answer.Get(w.ctx(), &started))
	answer, err = c.UpdateWorkflow(w.ctx(), update("egress.stop"))
	require.NoError(t, err)
	require.NoError(t, answer.Get(w.ctx(), &stopped))
	require.NoError(t, c.GetWorkflow(w.ctx(), "egress/plain-2", "").Get(w.ctx(), &v))

	id := w.fake.Egresses()[0].Info.GetEgressId()
	require.Equal(t, []any{id, id, id}, []any{started["egressId"], stopped["egressId"], v["egress_id"]})
	require.Equal(t, "requested", v["stopped"])
}

func TestAPlainStartThatIsWrongFailsAndNamesTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	c := w.temporal()
	file := map[string]any{"filepath": "x.mp4"}
	for name, tt := range map[string]struct {
		id    string
		input any
		want  string
	}{
		"another workflow ID":  {"recording-1", map[string]any{"track": map[string]any{}}, "workflow ID"},
		"no request":           {"egress/a", map[string]any{"max_duration": "3h"}, "request: is missing"},
		"a misspelt field":     {"egress/b", map[string]any{"rom_composite": map[string]any{}}, "rom_composite: is not a field"},
		"a misspelt sub-field": {"egress/c", map[string]any{"room_composite": map[string]any{"rom_name": "x"}}, "rom_name"},
		"a duration of no unit": {"egress/d", map[string]any{
			"room_composite": map[string]any{"room_name": "x"}, "max_duration": 3,
		}, "max_duration"},
		"a credential": {"egress/e", map[string]any{"room_composite": map[string]any{
			"room_name": "x", "file_outputs": []any{file, map[string]any{"s3": map[string]any{"secret": "s"}}},
		}}, "room_composite.file_outputs[1].s3.secret: holds a credential"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, err := c.ExecuteWorkflow(w.ctx(), client.StartWorkflowOptions{ID: tt.id, TaskQueue: "egress"}, "Egress", tt.input)
			require.NoError(t, err)

			err = run.Get(w.ctx(), nil)

			var failed *temporal.WorkflowExecutionError
			require.ErrorAs(t, err, &failed)
			require.ErrorContains(t, err, tt.want)

			// An update that is sent along is told so, too.
			start := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
				ID: tt.id, TaskQueue: "egress", WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			}, "Egress", tt.input)
			told, err := c.UpdateWithStartWorkflow(w.ctx(), client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: start, UpdateOptions: client.UpdateWorkflowOptions{
				UpdateName: "egress.start", Args: []any{map[string]any{}}, WaitForStage: client.WorkflowUpdateStageCompleted,
			}})
			if err == nil {
				err = told.Get(w.ctx(), nil)
			}
			var said *temporal.ApplicationError
			require.ErrorAs(t, err, &said)
			require.Equal(t, "invalid", said.Type())
			require.ErrorContains(t, err, tt.want)
		})
	}
	t.Cleanup(func() { require.Empty(t, w.fake.Egresses()) })
}

// temporal returns a client of the world's namespace, like any program's.
func (w *world) temporal() client.Client {
	w.t.Helper()
	w.dialled.Do(func() {
		opts, err := config.TemporalOptions(w.environ)
		require.NoError(w.t, err)
		opts.ConnectionOptions.GetSystemInfoTimeout = limit
		w.program, err = client.DialContext(context.Background(), opts)
		require.NoError(w.t, err)
		w.t.Cleanup(w.program.Close)
	})
	return w.program
}
