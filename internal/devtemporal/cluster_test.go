package devtemporal

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// startCluster starts a real one with few shards, or skips the test if there is no PostgreSQL.
func startCluster(t *testing.T) *Cluster {
	t.Helper()
	dynamic := filepath.Join(t.TempDir(), "dynamic.yaml")
	must(t, os.WriteFile(dynamic, []byte("{}\n"), 0o600))
	c, err := StartCluster(t.Context(), ClusterOptions{
		Server: map[string]string{
			"DB": "postgres12", "POSTGRES_USER": "temporal", "NUM_HISTORY_SHARDS": "16", "DYNAMIC_CONFIG_FILE_PATH": dynamic,
		},
		Schema:       map[string]string{"SQL_PLUGIN": "postgres12", "SQL_USER": "temporal"},
		SchemaScript: "../../deploy/temporal-schema.sh", Progress: os.Stderr,
	})
	if errors.Is(err, ErrNoPostgres) && os.Getenv("CI") == "" { // In CI nothing is skipped for a missing tool.
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func TestAClusterKeepsWhatItHasThroughKillsOfBoth(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	attributes := map[string]string{"EgressRoom": "Keyword", "EgressStuck": "Bool"}
	must(t, c.MakeNamespaces(t.Context(), attributes, "one", "two"))
	start(t, c, "one", "acknowledged")
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"} {
		if got, err := c.Postgres.Query(t.Context(), "temporal", "SHOW "+setting); err != nil || got != want {
			t.Errorf("%s is %q (%v): what is acknowledged would not be on disk", setting, got, err)
		}
	}

	c.Postgres.Kill()
	ended := c.temporal.Done()
	must(t, c.Postgres.Start(t.Context()))
	select {
	case <-ended:
		t.Errorf("without its database Temporal ended: %v", c.Err())
	default:
	}
	c.KillTemporal()
	must(t, c.StartTemporal(t.Context()))

	must(t, c.MakeNamespaces(t.Context(), attributes, "one", "two"))
	temporal, err := dial(t.Context(), c.Address, "one")
	must(t, err)
	defer temporal.Close()
	found, err := temporal.DescribeWorkflowExecution(t.Context(), "acknowledged", "")
	must(t, err)
	if status := found.GetWorkflowExecutionInfo().GetStatus(); status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("the workflow is %s", status)
	}
}

func start(t *testing.T, c *Cluster, namespace, id string) {
	t.Helper()
	temporal, err := dial(t.Context(), c.Address, namespace)
	must(t, err)
	defer temporal.Close()
	_, err = temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody's"}, "Any")
	must(t, err)
}

// The job runs at each deployment, on databases that are in use.
func TestTheSchemaIsMadeOnceAndLeftAlone(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	version := func(database string) string {
		text, err := c.Postgres.Query(t.Context(), database, "SELECT curr_version FROM schema_version")
		must(t, err)
		return text
	}
	changes := func(database string) string {
		text, err := c.Postgres.Query(t.Context(), database, "SELECT count(*), max(update_time) FROM schema_update_history")
		must(t, err)
		return text
	}
	for database, folder := range map[string]string{"temporal": "temporal", "temporal_visibility": "visibility"} {
		steps, err := os.ReadDir(filepath.Join(c.tools.Schemas, folder, "versioned"))
		must(t, err)
		names := make([]string, len(steps))
		for i, step := range steps {
			names[i] = step.Name()
		}
		if !slices.Contains(names, "v"+version(database)) {
			t.Errorf("%s has version %s, which none of %v makes", database, version(database), names)
		}
		before := changes(database)
		must(t, c.MakeSchema(t.Context()))
		if after := changes(database); after != before {
			t.Errorf("a second run changed the history of %s from %s to %s", database, before, after)
		}
	}
}

// The version is noted after all of a change's statements. Temporal's tool forgives what is there
// already, not what it has already dropped.
func TestASchemaJobThatWasInterruptedInAChangeMayNeverSucceedAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	_, err := c.Postgres.Query(t.Context(), "temporal", "UPDATE schema_version SET curr_version = '1.12'") // 1.13 drops tables
	must(t, err)
	for range 2 {
		contains(t, c.MakeSchema(t.Context()), "does not exist")
	}
}

func TestAScriptThatFailsIsQuoted(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "schema.sh")
	must(t, os.WriteFile(script, []byte("echo \"no $SQL_PLUGIN at $SQL_PORT\"; exit 3\n"), 0o600))
	c := &Cluster{
		Postgres: &Postgres{Port: 5432, dir: t.TempDir()}, tools: Tools{SQLTool: "/bin/true"},
		opts: ClusterOptions{SchemaScript: script, Schema: map[string]string{"SQL_PLUGIN": "postgres12"}},
	}
	contains(t, c.MakeSchema(t.Context()), "schema.sh", "exit status 3", "no postgres12 at 5432")
}

func TestOurOwnSettingsWinOverTheGivenOnes(t *testing.T) {
	t.Parallel()
	given := map[string]string{"DB": "postgres12", "BIND_ON_IP": "0.0.0.0"}
	before := maps.Clone(given)
	got := environ(given, map[string]string{"BIND_ON_IP": "127.0.0.1"})
	if !slices.Equal(got, []string{"BIND_ON_IP=127.0.0.1", "DB=postgres12"}) {
		t.Errorf("got %v", got)
	}
	if !maps.Equal(given, before) {
		t.Error("the caller's map was changed")
	}
	if got := environ(nil, nil); len(got) != 0 {
		t.Errorf("from nothing came %s", strings.Join(got, " "))
	}
}
