package codec_test

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
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

// counted counts the payloads that its codec could not decode.
type counted struct {
	converter.PayloadCodec
	failed atomic.Int32
}

func (c *counted) Decode(p []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out, err := c.PayloadCodec.Decode(p)
	if err != nil {
		c.failed.Add(1)
	}
	return out, err
}

// awaitFailedTask waits until a workflow task of a running workflow has failed. Temporal writes an
// event only for a first attempt, which a slow worker may let time out.
func awaitFailedTask(ctx context.Context, t *testing.T, temporal client.Client, run client.WorkflowRun, by *counted) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := temporal.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
		return err == nil && d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING &&
			d.GetPendingWorkflowTask().GetAttempt() > 1 && by.failed.Load() > 0
	}, 3*time.Minute, 20*time.Millisecond)
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

	other := &counted{PayloadCodec: encrypting(t, "two")}
	without := work(t, dial(t, server.Address, codec.Blocking(other)))
	awaitFailedTask(ctx, t, starter, run, other)
	without.Stop()

	with := work(t, dial(t, server.Address, codec.Blocking(encrypting(t, "two", "one"))))
	t.Cleanup(with.Stop)
	var got string
	require.NoError(t, run.Get(ctx, nil))
	require.ErrorContains(t, run.Get(ctx, &got), "REELKEEPER_PREVIOUS_SECRETS", "the result is of the new key")
	require.NoError(t, dial(t, server.Address, encrypting(t, "two")).GetWorkflow(ctx, run.GetID(), "").Get(ctx, &got))
	require.Equal(t, "the key is back", got)
}
