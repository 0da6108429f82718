package devtemporal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// documented returns commands of a page, in order and split into words: what the pattern's group
// matches.
func documented(t *testing.T, page, pattern string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	must(t, err)
	var commands [][]string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		commands = append(commands, strings.Fields(m[1]))
	}
	if len(commands) == 0 {
		t.Fatalf("docs/%s has no %s", page, pattern)
	}
	return commands
}

// inContainer matches the calls of one of PostgreSQL's programs.
func inContainer(program string) string {
	return `(?m)^docker compose exec -T postgresql (` + program + ` [^<>\n]*)`
}

// save starts a command whose output goes to a new file.
func save(t *testing.T, c *Cluster, args []string) (saved string, ended <-chan error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "saved"))
	must(t, err)
	defer file.Close()
	command := c.Postgres.program(t.Context(), args[0], args[1:]...)
	command.Stdout, command.Stderr = file, os.Stderr
	must(t, command.Start())
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	return file.Name(), done
}

// feed runs a command with a saved file as its input.
func feed(t *testing.T, command *exec.Cmd, saved string) {
	t.Helper()
	file, err := os.Open(saved)
	must(t, err)
	defer file.Close()
	command.Stdin = file
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", command.Args, err, out)
	}
}

// startToBackUp starts a cluster in which the workflow "acknowledged" is running, and is listed.
func startToBackUp(t *testing.T) *Cluster {
	t.Helper()
	c := startCluster(t)
	must(t, c.MakeNamespaces(t.Context(), map[string]string{"EgressRoom": "Keyword"}, "one"))
	start(t, c, "one", "acknowledged")
	temporal := dialed(t, c)
	must(t, poll(within(t), func() error { return listed(t, temporal) }))
	return c
}

// within bounds what never succeeds if the backup is no good.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterLimit)
	t.Cleanup(cancel)
	return ctx
}

func dialed(t *testing.T, c *Cluster) client.Client {
	t.Helper()
	temporal, err := dial(t.Context(), c.Address, "one")
	must(t, err)
	t.Cleanup(temporal.Close)
	return temporal
}

func listed(t *testing.T, temporal client.Client) error {
	t.Helper()
	found, err := temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowId = 'acknowledged' AND ExecutionStatus = 'Running'",
	})
	if err == nil && found.GetCount() != 1 {
		err = fmt.Errorf("it is listed %d times", found.GetCount())
	}
	return err
}

// loseDisk ends both servers and deletes all that PostgreSQL had.
func loseDisk(t *testing.T, c *Cluster) {
	t.Helper()
	c.KillTemporal()
	c.Postgres.Kill()
	// Its children may still write for a moment.
	must(t, poll(within(t), func() error { return os.RemoveAll(c.Postgres.data()) }))
}

// goesOn starts Temporal on what was restored, after the job of each `up`, and checks that history and
// visibility have what was running at the backup, and nothing that came after it.
func goesOn(t *testing.T, c *Cluster) {
	t.Helper()
	rows, err := c.Postgres.Query(t.Context(), "temporal_visibility", "SELECT count(*) FROM executions_visibility WHERE workflow_id = 'acknowledged'")
	if err != nil || rows != "1" {
		t.Errorf("visibility has %s rows of it (%v)", rows, err)
	}
	must(t, c.MakeSchema(t.Context()))
	must(t, c.StartTemporal(t.Context()))
	temporal := dialed(t, c)
	must(t, temporal.SignalWorkflow(t.Context(), "acknowledged", "", "news", nil)) // It takes a running one.
	must(t, listed(t, temporal))
	var none *serviceerror.NotFound
	if _, err := temporal.DescribeWorkflowExecution(t.Context(), "later", ""); !errors.As(err, &none) {
		t.Errorf("it has what came after the backup: %v", err)
	}
	start(t, c, "one", "new")
}

// These are the commands of docs/backup.md. No server is stopped for them.
func TestABackupOfARunningTemporalIsRestored(t *testing.T) {
	t.Parallel()
	c := startToBackUp(t)
	archive, ended := save(t, c, documented(t, "backup.md", inContainer("pg_basebackup"))[0])
	for n, running := 0, true; running; n++ {
		select {
		case err := <-ended:
			must(t, err)
			running = false
		default:
			start(t, c, "one", fmt.Sprint("meanwhile-", n))
		}
	}
	start(t, c, "one", "later")

	loseDisk(t, c)
	must(t, os.Mkdir(c.Postgres.data(), 0o700))
	must(t, c.Postgres.owner.give(c.Postgres.data()))
	line := documented(t, "backup.md", `(?m)^docker compose run .*--entrypoint sh postgresql -c '(.*)' <`)[0]
	unpack := exec.CommandContext(t.Context(), "sh", "-c", strings.Join(line, " "))
	unpack.Env = append(os.Environ(), "PGDATA="+c.Postgres.data())
	c.Postgres.owner.lend(unpack)
	feed(t, unpack, archive)
	must(t, c.Postgres.Start(within(t)))
	goesOn(t, c)
}

// These are the commands of docs/upgrades.md, for PostgreSQL's next major version.
func TestADumpIsLoadedIntoANewPostgreSQL(t *testing.T) {
	t.Parallel()
	c := startToBackUp(t)
	c.KillTemporal()
	var dumps []string
	for _, dump := range documented(t, "upgrades.md", inContainer("pg_dump")) {
		saved, ended := save(t, c, dump)
		must(t, <-ended)
		dumps = append(dumps, saved)
	}

	loseDisk(t, c)
	must(t, c.Postgres.initialize(t.Context()))
	must(t, c.Postgres.Start(within(t)))
	_, err := c.Postgres.Query(t.Context(), "postgres", "CREATE DATABASE temporal") // As the image does.
	must(t, err)
	loads := documented(t, "upgrades.md", inContainer("psql"))
	if len(loads) != len(dumps) {
		t.Fatalf("%d dumps are loaded %d times", len(dumps), len(loads))
	}
	for i, load := range loads {
		feed(t, c.Postgres.program(t.Context(), load[0], load[1:]...), dumps[i])
	}
	goesOn(t, c)
}
