package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.temporal.io/server/common/log"
)

const taskQueue = "devserver-test"

// waitForWord ends with the word that it is signalled.
func waitForWord(ctx workflow.Context) (string, error) {
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return word, nil
}

func startWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{WorkerStopTimeout: time.Millisecond})
	w.RegisterWorkflow(waitForWord)
	must(t, w.Start())
	return w
}

func TestTheSDKsTestSuiteDrivesIt(t *testing.T) {
	t.Parallel()
	uiPort := strconv.Itoa(freePort(t))
	var stderr bytes.Buffer
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath:  executable(t),
		ClientOptions: &client.Options{Namespace: "recordings", Logger: log.NewSdkLogger(log.NewNoopLogger())},
		EnableUI:      true,
		UIPort:        uiPort,
		LogLevel:      "warn",
		LogFormat:     "pretty",
		Stdout:        io.Discard,
		Stderr:        &stderr,
	})
	must(t, err)

	w := startWorker(t, server.Client())
	run, err := server.Client().SignalWithStartWorkflow(t.Context(), "egress/1", "word", "kept",
		client.StartWorkflowOptions{TaskQueue: taskQueue}, waitForWord)
	must(t, err)
	var word string
	must(t, run.Get(t.Context(), &word))
	if word != "kept" {
		t.Errorf("the workflow returned %q, not what it was signalled", word)
	}

	reply, err := http.Get("http://127.0.0.1:" + uiPort + "/namespaces/recordings/workflows")
	must(t, err)
	page, err := io.ReadAll(reply.Body)
	must(t, err)
	must(t, reply.Body.Close())
	if !strings.Contains(string(page), "<!doctype html>") {
		t.Errorf("the UI answered %s without a page", reply.Status)
	}

	w.Stop()
	server.Client().Close()
	if err := server.Stop(); err != nil {
		t.Errorf("an interrupted server has to exit with status 0: %v", err)
	}
	if said := troubles(&stderr); said != "" {
		t.Errorf("a life without trouble logs nothing at warn, but it said:\n%s", said)
	}
}

func TestARunningWorkflowSurvivesKill9(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a name with % # and ?.db")
	first := start(t, "--db-filename", file)
	const id = "egress/survivor"
	_, err := first.dial(t).ExecuteWorkflow(t.Context(),
		client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, waitForWord)
	must(t, err)
	first.kill() // In the very moment in which the start was acknowledged.

	c := start(t, "--db-filename", file).dial(t)
	w := startWorker(t, c)
	defer w.Stop()
	must(t, c.SignalWorkflow(t.Context(), id, "", "word", "still here"))
	var word string
	must(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &word))
	if word != "still here" {
		t.Errorf("the workflow returned %q after the restart", word)
	}
}

func TestAnOldFileGetsTheSearchAttributesAndNamespacesOfLaterFlags(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "old.db")
	start(t, "--db-filename", file, "--search-attribute", "EgressRoom=Keyword").kill()

	later := start(t, "--db-filename", file, "--namespace", "recordings",
		"--search-attribute", "EgressRoom=Keyword", "--search-attribute", "EgressStuck=Bool").dial(t)
	for _, namespace := range []string{"default", "recordings"} {
		reply, err := later.OperatorService().ListSearchAttributes(t.Context(),
			&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		must(t, err)
		custom := reply.CustomAttributes
		if len(custom) != 2 || custom["EgressRoom"] != enumspb.INDEXED_VALUE_TYPE_KEYWORD ||
			custom["EgressStuck"] != enumspb.INDEXED_VALUE_TYPE_BOOL {
			t.Errorf("namespace %s has the search attributes %v", namespace, custom)
		}
		described, err := later.WorkflowService().DescribeNamespace(t.Context(),
			&workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		must(t, err)
		if kept := described.Config.WorkflowExecutionRetentionTtl.AsDuration(); kept < minRetention {
			t.Errorf("namespace %s keeps closed workflows for %s only", namespace, kept)
		}
	}

	status, _, stderr := runHere("--port", strconv.Itoa(freePort(t)), "--headless", "--db-filename", file)
	if status != exitFailed || !strings.Contains(stderr, file+" is in use by another process") {
		t.Errorf("a second server on the same file: status %d, %q", status, stderr)
	}
}

func TestABusyPortIsNamedWithItsFlag(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { must(t, listener.Close()) }) // Not deferred: the subtests run later.
	busy := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	free := strconv.Itoa(freePort(t))
	for _, tc := range []struct {
		flag string
		args []string
	}{
		{"--port", []string{"--headless", "--port", busy}},
		{"--ui-port", []string{"--port", free, "--ui-port", busy}},
		{"--http-port", []string{"--headless", "--port", free, "--http-port", busy}},
		{"--metrics-port", []string{"--headless", "--port", free, "--metrics-port", busy}},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			t.Parallel()
			status, _, stderr := runHere(tc.args...)
			want := "port " + busy + " on 127.0.0.1 is in use: stop what holds it, or choose another with " + tc.flag + "\n"
			if status != exitFailed || !strings.HasSuffix(stderr, want) {
				t.Errorf("status %d, %q", status, stderr)
			}
		})
	}
}
