package codec_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

const queue = "codec"

// dial returns a client whose payloads go through a codec.
func dial(t *testing.T, address string, c converter.PayloadCodec) client.Client {
	t.Helper()
	temporal, err := client.Dial(client.Options{
		HostPort: address, DataConverter: converter.NewCodecDataConverter(payload.Converter(), c),
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	return temporal
}

// join waits for one signal and returns it appended to its input.
func join(ctx workflow.Context, first string) (string, error) {
	var second string
	workflow.GetSignalChannel(ctx, "second").Receive(ctx, &second)
	return first + second, nil
}

func work(t *testing.T, temporal client.Client) worker.Worker {
	t.Helper()
	w := worker.New(temporal, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(join, workflow.RegisterOptions{Name: "join"})
	require.NoError(t, w.Start())
	return w
}

// awaitEvent waits until a history has an event of a type, by the server's own long poll.
func awaitEvent(ctx context.Context, t *testing.T, temporal client.Client, run client.WorkflowRun, want enumspb.EventType) {
	t.Helper()
	events := temporal.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(t, err)
		if e.GetEventType() == want {
			return
		}
	}
	require.Fail(t, "the workflow ended without "+want.String())
}

// A worker that lacks a secret must not fail every running workflow, nor drop its signals: it waits
// for the secret.
func TestAWorkerWithoutTheKeyHoldsAWorkflowUntilTheKeyIsBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	server, err := devtemporal.Start(ctx, devtemporal.Options{Headless: true, Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(server.Kill)

	starter := dial(t, server.Address, encrypting(t, "one"))
	run, err := starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue, WorkflowTaskTimeout: time.Second}, "join", "the key ")
	require.NoError(t, err)
	require.NoError(t, starter.SignalWorkflow(ctx, run.GetID(), "", "second", "is back"))

	without := work(t, dial(t, server.Address, codec.Blocking(encrypting(t, "two"))))
	awaitEvent(ctx, t, starter, run, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)
	without.Stop()

	with := work(t, dial(t, server.Address, codec.Blocking(encrypting(t, "two", "one"))))
	t.Cleanup(with.Stop)
	var got string
	require.NoError(t, run.Get(ctx, nil))
	require.ErrorContains(t, run.Get(ctx, &got), "REELKEEPER_PREVIOUS_SECRETS", "the result is of the new key")
	require.NoError(t, dial(t, server.Address, encrypting(t, "two")).GetWorkflow(ctx, run.GetID(), "").Get(ctx, &got))
	require.Equal(t, "the key is back", got)
}
