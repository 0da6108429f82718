package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// greeted answers an update and ends.
func greeted(ctx workflow.Context) error {
	asked := false
	err := workflow.SetUpdateHandler(ctx, "greet", func(_ workflow.Context, name string) (string, error) {
		asked = true
		return "hello " + name, nil
	})
	if err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return asked && workflow.AllHandlersFinished(ctx) })
}

// Reelkeeper begins every egress by update-with-start: it has to work without any flag.
func TestUpdateWithStartWorksByDefaultAndTwiceIsOnce(t *testing.T) {
	t.Parallel()
	c := start(t).dial(t)
	w := worker.New(c, taskQueue, worker.Options{WorkerStopTimeout: time.Millisecond})
	w.RegisterWorkflow(greeted)
	must(t, w.Start())
	defer w.Stop()
	var runs [2]string
	for i := range runs {
		operation := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID: "egress/greeted", TaskQueue: taskQueue,
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		}, greeted)
		handle, err := c.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: operation,
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateID: "start", UpdateName: "greet", Args: []any{"room"},
				WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		must(t, err)
		var greeting string
		must(t, handle.Get(t.Context(), &greeting))
		if greeting != "hello room" {
			t.Errorf("the update answered %q", greeting)
		}
		runs[i] = handle.RunID()
	}
	if runs[0] != runs[1] {
		t.Errorf("the same start made two runs: %v", runs)
	}
}

// What was acknowledged is on disk, whatever the server was doing when it was killed.
func TestEveryAcknowledgedStartSurvivesKill9UnderLoad(t *testing.T) {
	t.Parallel()
	const callers, enough = 8, 60
	file := filepath.Join(t.TempDir(), "load.db")
	first := start(t, "--db-filename", file)
	c := first.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	acknowledged := make(chan string, 10*enough)
	var working sync.WaitGroup
	for caller := range callers {
		working.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("egress/%d/%d", caller, n)
				_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, waitForWord)
				if err != nil {
					return // The server is gone, and so is this caller.
				}
				acknowledged <- id
			}
		})
	}
	ids := make([]string, 0, enough)
	for len(ids) < enough {
		ids = append(ids, <-acknowledged)
	}
	first.kill()
	cancel()
	working.Wait()
	close(acknowledged)
	for id := range acknowledged {
		ids = append(ids, id)
	}

	c = start(t, "--db-filename", file).dial(t)
	for _, id := range ids {
		described, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		if err != nil {
			t.Errorf("%s was acknowledged and is lost: %v", id, err)
		} else if status := described.WorkflowExecutionInfo.Status; status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			t.Errorf("%s is %s", id, status)
		}
	}
}

func TestEitherSignalStopsItCleanly(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t)
		must(t, p.cmd.Process.Signal(signal))
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("after %s: %v\n%s", signal, err, p.stderr)
		}
		if said := troubles(p.stderr); said != "" {
			t.Errorf("after %s it said %s", signal, said)
		}
	}
}

func TestMetricsAreServedWhereAsked(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(freePort(t))
	start(t, "--metrics-port", port)
	reply, err := http.Get("http://127.0.0.1:" + port + "/metrics")
	must(t, err)
	must(t, reply.Body.Close())
	if reply.StatusCode != http.StatusOK {
		t.Errorf("the metrics answer %s", reply.Status)
	}
}

func TestTwoServersInMemoryDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	first, second := start(t).dial(t), start(t).dial(t)
	const id = "egress/only-in-the-first"
	_, err := first.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, waitForWord)
	must(t, err)
	if _, err := second.DescribeWorkflowExecution(t.Context(), id, ""); err == nil {
		t.Error("a workflow of the first server is in the second")
	}
}
