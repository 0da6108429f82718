package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

const (
	// onPostgres begins the names of the tests that run on production.
	onPostgres = "TestOnPostgreSQL/"
	// productionWorlds is how many of them can have a namespace of their own.
	productionWorlds = 20
)

// production is Temporal as in docker-compose.yml. TestOnPostgreSQL starts it.
var production cluster

type cluster struct {
	*devtemporal.Cluster
	given atomic.Int64
}

func (c *cluster) next(t *testing.T) string {
	t.Helper()
	n := c.given.Add(1) - 1
	if n >= productionWorlds {
		t.Fatalf("more than %d tests want a namespace on PostgreSQL", productionWorlds)
	}
	return namespace(n)
}

// The servers are killed; after that, the same tests as on the development server, for what may
// behave differently on production's.
func TestOnPostgreSQL(t *testing.T) { //nolint:tparallel // who kills the servers is alone on them
	t.Parallel()
	production.Cluster = startProduction(t)
	for name, kill := range map[string]outageOf{ //nolint:paralleltest // the servers are killed one after the other
		"PostgreSQL is killed": {production.Postgres.Kill, production.Postgres.Start},
		"Temporal is killed":   {production.KillTemporal, production.StartTemporal},
	} {
		t.Run(name, func(t *testing.T) { whatWasAcceptedOutlives(t, kill) })
	}
	t.Run("whole", func(t *testing.T) { //nolint:paralleltest // it ends before the next deployment
		for name, test := range map[string]func(*testing.T){
			"faults":                 faultsOnPostgres,
			"no webhook at all":      TestAnAgentChangesOneURLAndItsRecordingIsDurable,
			"one key":                TestTheSameKeyGivesTheSameEgress,
			"a refusal":              TestARefusalReachesTheCallerAsLiveKitSaidItAndFreesTheKey,
			"what a person sees":     TestWhoeverLooksIntoTheUIUnderstandsOneEgress,
			"documented queries":     TestTheQueriesInTheDocsAreOnesThatTemporalTakes,
			"rooms of any name":      roomsAreFoundWhateverTheirNames,
			"a report":               TestTheReportListsTheMissedAndWhoAskedForThem,
			"a stray":                TestAStrayIsAdoptedAndItsEndIsHeardOf,
			"a stray that has ended": TestAStrayThatNoRoundSawRunningIsAnnouncedToo,
			"the schedule":           TestTheScheduleDoesARound,
			"a new run":              TestALongLifeGoesOnAsANewRun,
		} {
			t.Run(name, test) //nolint:paralleltest // each says so itself
		}
	})
	require.NoError(t, production.MakeSchema(within(t)), "the job of the next deployment")
}

// faultsOnPostgres are a life by webhook, one only by polls, one whose start is searched for, and
// one without an end.
func faultsOnPostgres(t *testing.T) {
	t.Parallel()
	faultsEndInOneVerdictAndOneAnnouncement(t, func(f fakelivekit.Fault) bool {
		return slices.Contains([]fakelivekit.Fault{
			fakelivekit.WebhookRepeated, fakelivekit.WebhookLost, fakelivekit.ReplyLost, fakelivekit.Zombie,
		}, f)
	})
}

// startProduction starts what docker-compose.yml describes, or skips the test if there is no
// PostgreSQL.
func startProduction(t testing.TB) *devtemporal.Cluster {
	t.Helper()
	b, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &compose))
	environ := compose.Services["temporal"].Environment
	environ["DYNAMIC_CONFIG_FILE_PATH"], err = filepath.Abs("../deploy/temporal/dynamic.yaml")
	require.NoError(t, err)
	log := &logBuffer{}
	c, err := devtemporal.StartCluster(t.Context(), devtemporal.ClusterOptions{
		Server: environ, Schema: compose.Services["temporal-schema"].Environment,
		SchemaScript: "../deploy/temporal-schema.sh", Log: log, Progress: os.Stderr,
	})
	if errors.Is(err, devtemporal.ErrNoPostgres) && os.Getenv("CI") == "" { // In CI nothing is skipped for a missing tool.
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		if t.Failed() {
			t.Log(log.String())
		}
	})
	names := make([]string, productionWorlds)
	for n := range names {
		names[n] = namespace(int64(n))
	}
	require.NoError(t, c.MakeNamespaces(t.Context(), egress.Attributes(), names...))
	return c
}

// Temporal's equality query does not find values with a quote or a backslash, neither on this store
// nor on the development server's.
func roomsAreFoundWhateverTheirNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	for n, room := range []string{`it's "quoted"`, `back\slash\`, `' OR WorkflowType = 'x`, "日本語 🎥", "100%_", "Any questions?", "?", "nul\x00l"} {
		w.room(room, fakelivekit.RoomScript{})
		s, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: fmt.Sprint("r-", n), Request: composite(room)})
		require.NoError(t, err)
		var found []string
		w.want(room, func() bool {
			found, err = w.client.ByRoom(w.ctx(), room)
			return err == nil && len(found) > 0
		})
		require.Equal(t, []string{s.WorkflowID}, found, room)
	}
}

// outageOf is a server that is killed as by kill -9 and restarted.
type outageOf struct {
	kill  func()
	start func(context.Context) error
}

// Recordings are running, starts and webhooks are in flight, and agents keep asking while the
// server is down. What LiveKit accepted ends with one verdict and is announced.
func whatWasAcceptedOutlives(t *testing.T, outage outageOf) {
	t.Helper()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "500ms"
	})
	w.startWorker()
	a := w.agents()
	a.ask("before", 6)
	for n := range 6 {
		w.becomes(a.egressOf(keyOf("before", n)), livekit.EgressStatus_EGRESS_ACTIVE)
	}
	a.end("before", 0, 2) // their webhooks are in flight

	asked := a.askInTheBackground("meanwhile", 6)
	<-asked.first
	outage.kill()
	a.end("before", 2, 4)
	a.ask("away", 3)
	require.NoError(t, outage.start(within(t)))
	asked.wait()
	require.NoError(t, production.Err(), "Temporal goes on by itself")
	a.ask("after", 2)
	a.endAll()

	for key, id := range a.accepted {
		require.Equal(t, id, a.verdict(key).EgressID, key)
		told := w.consumer.told(id)
		require.NotEmpty(t, told, key)
		for _, e := range told {
			require.Equal(t, told[0].GetId(), e.GetId(), "a repeat carries the same event ID")
		}
	}
	require.Zero(t, w.twins())
	require.Len(t, w.fake.Egresses(), len(a.accepted), "nothing records that nobody answers for")
}
