package devtemporal

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"slices"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// startReal starts the real server that a user gets.
func startReal(t *testing.T, opts Options) *Server {
	t.Helper()
	path, err := realPath()
	must(t, err)
	opts.Path = path
	s, err := Start(t.Context(), opts)
	must(t, err)
	t.Cleanup(s.Kill)
	return s
}

func TestARealServerKeepsItsFileThroughKillAndRestart(t *testing.T) {
	t.Parallel()
	path, err := realPath()
	must(t, err)
	file, err := DBFilename(t.Context(), t.TempDir(), path)
	must(t, err)
	first := startReal(t, Options{DBFilename: file, Headless: true, SearchAttributes: map[string]string{"EgressRoom": "Keyword"}})
	if first.UIURL != "" || first.Err() != nil {
		t.Errorf("a headless server has the UI %q and the error %v", first.UIURL, first.Err())
	}
	first.Kill()
	await(t, "a killed server", first.Done())

	second := startReal(t, Options{DBFilename: file, Namespace: "recordings", SearchAttributes: map[string]string{"EgressStuck": "Bool"}})
	checkNamespace(t, second, "recordings")
	reply, err := http.Get(second.UIURL)
	must(t, err)
	must(t, reply.Body.Close())
	if reply.StatusCode != http.StatusOK {
		t.Errorf("the UI answers %s", reply.Status)
	}

	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
	await(t, "a stopped server", second.Done())
	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("stop again: %v", err)
	}
}

// checkNamespace checks the namespace through the API, as a worker would find it.
func checkNamespace(t *testing.T, s *Server, namespace string) {
	t.Helper()
	c, err := dial(t.Context(), s.Address, namespace)
	must(t, err)
	defer c.Close()
	described, err := c.WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	must(t, err)
	if kept := described.Config.WorkflowExecutionRetentionTtl.AsDuration(); kept < minRetention {
		t.Errorf("closed workflows are kept for %s only", kept)
	}
	listed, err := c.OperatorService().ListSearchAttributes(t.Context(),
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	must(t, err)
	if listed.CustomAttributes["EgressStuck"] != enumspb.INDEXED_VALUE_TYPE_BOOL {
		t.Errorf("the search attributes are %v", listed.CustomAttributes)
	}
}

// The Temporal CLI does not change an existing namespace, so we must.
func TestWhatTheServerDidNotDoIsDoneThroughItsAPI(t *testing.T) {
	t.Parallel()
	s := startReal(t, Options{Headless: true})
	c, err := dial(t.Context(), s.Address, "default")
	must(t, err)
	defer c.Close()
	must(t, keepLonger(t.Context(), c, "default"))
	opts := Options{Namespace: "default", SearchAttributes: map[string]string{"EgressStuck": "Bool", "EgressRoom": "Keyword"}}
	must(t, addSearchAttributes(t.Context(), c, opts))
	must(t, addSearchAttributes(t.Context(), c, opts))
	checkNamespace(t, s, "default")

	opts.SearchAttributes["EgressRoom"] = "Int"
	contains(t, addSearchAttributes(t.Context(), c, opts), "search attribute EgressRoom is Keyword already, not Int")
	opts.SearchAttributes["EgressRoom"] = "Varchar"
	contains(t, addSearchAttributes(t.Context(), c, opts), "search attribute EgressRoom", "Varchar")
}

func TestAServerThatEndsWhileStartingIsQuoted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, err := Start(t.Context(), Options{Path: fake("dies"), Log: &log})
	contains(t, err, "ended by itself (exit status 1)", "first line\ndevserver: database file x.db: no")
	if log.String() != "first line\ndevserver: database file x.db: no\n" {
		t.Errorf("the log got %q", &log)
	}
}

func TestABinaryThatCanNotBeStartedIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Path: fake("no-such-file")})
	contains(t, err, "start "+fake("no-such-file"))
}

func TestAServerThatNeverServesIsGivenUpWithTheContext(t *testing.T) {
	t.Parallel()
	log := make(firstWrite, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-log
		cancel()
	}()
	_, err := Start(ctx, Options{Path: fake("hangs"), Log: log})
	contains(t, err, "wait for the development Temporal server", "still thinking")
}

func TestAServerThatDoesNotStopIsKilled(t *testing.T) {
	t.Parallel()
	log := make(firstWrite, 1)
	s := newServer(Options{Path: fake("hangs"), IP: "127.0.0.1", Log: log})
	must(t, s.spawn())
	<-log // It ignores the signal from here on.
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	contains(t, s.Stop(impatient), "did not stop in time and was killed")
	await(t, "a killed server", s.Done())
}

func TestAServerThatEndsByItselfSaysSo(t *testing.T) {
	t.Parallel()
	s := newServer(Options{Path: fake("dies"), IP: "127.0.0.1", Log: &bytes.Buffer{}})
	must(t, s.spawn())
	await(t, "a server that dies", s.Done())
	contains(t, s.Err(), "exit status 1", "x.db")
	contains(t, s.Stop(t.Context()), "exit status 1", "x.db")
}

func TestABusyPortIsNotMistakenForOurServer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	busy := listener.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // Without the wait for a port that is about to be free.
	for _, opts := range []Options{{Port: busy}, {UIPort: busy}} {
		opts.Path = fake("dies")
		_, err = Start(ctx, opts)
		contains(t, err, "is in use: stop what holds it")
	}
}

func TestTheCommandLineIsThatOfStartDev(t *testing.T) {
	t.Parallel()
	opts := Options{
		IP: "127.0.0.1", Port: 7233, UIPort: 8233, DBFilename: "x.db", Namespace: "recordings",
		SearchAttributes: map[string]string{"B": "Bool", "A": "Keyword"}, Args: []string{"--log-level", "error"},
	}
	want := []string{
		"server", "start-dev", "--ip", "127.0.0.1", "--port", "7233", "--namespace", "recordings",
		"--ui-port", "8233", "--db-filename", "x.db",
		"--search-attribute", "A=Keyword", "--search-attribute", "B=Bool", "--log-level", "error",
	}
	if got := opts.arguments(); !slices.Equal(got, want) {
		t.Errorf("the arguments are %q", got)
	}
	opts.Headless = true
	if got := opts.arguments(); !slices.Contains(got, "--headless") || slices.Contains(got, "--ui-port") {
		t.Errorf("headless, the arguments are %q", got)
	}
}

func TestTheTailIsTheLastLines(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer
	last := newTail(&all, 2)
	if last.String() != "it wrote nothing" {
		t.Errorf("an empty tail reads %q", last)
	}
	for _, text := range []string{"one\ntw", "o\nthree\n", "four"} {
		_, err := last.Write([]byte(text))
		must(t, err)
	}
	if last.String() != "two\nthree\nfour" || all.String() != "one\ntwo\nthree\nfour" {
		t.Errorf("the tail reads %q of %q", last, &all)
	}
}

func TestABuildsLinesAreCounted(t *testing.T) {
	t.Parallel()
	output := &buildOutput{tail: newTail(&bytes.Buffer{}, 1)}
	for _, step := range []struct{ written, want string }{
		{"", "begun"},
		{"go: downloading a v1\ngo: downloading b v1\n", "2 modules fetched"},
		{"a/p\nb/q\nb/r\n", "3 packages compiled"},
	} {
		_, err := output.Write([]byte(step.written))
		must(t, err)
		if output.String() != step.want {
			t.Errorf("after %q: %q", step.written, output)
		}
	}
}

// firstWrite is signalled when something is written for the first time.
type firstWrite chan struct{}

func (f firstWrite) Write(p []byte) (int, error) {
	select {
	case f <- struct{}{}:
	default:
	}
	return len(p), nil
}
