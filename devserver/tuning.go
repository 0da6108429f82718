package main

import (
	"encoding/json"
	"math"
	"os"
	"runtime/debug"

	"go.temporal.io/server/common/dynamicconfig"
)

// processorPollRPS replaces a default of 20 polls a second for each shard. There is one shard here,
// so with the default every workflow task waits for a 50 ms tick: with 2000 a start takes 23 ms
// instead of 100, and a signal reaches its activity in 7 ms instead of 50 (measured on two cores).
const processorPollRPS = 2000

// gcPercent lets the heap grow to five times what is live before a collection: a small heap is
// collected all the time otherwise, and the server's CPU is what limits a development machine.
const gcPercent = 400

// tuning is what a server for one developer wants different from a cluster's defaults.
// Update-with-start and schedules are on by default in this server version.
func tuning() map[dynamicconfig.Key]any {
	return map[dynamicconfig.Key]any{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   processorPollRPS,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      processorPollRPS,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): processorPollRPS,

		// One partition: no forwarding between partitions, shorter tails, 9 % less CPU.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// One namespace is busy here. A queue that is narrowed to it can't grow in place any more: each new
		// task has all that are tracked moved to another map, which was 11 % of the CPU.
		dynamicconfig.QueueShrinkPredicateMaxPendingKeys.Key(): 0,

		// A search attribute or Nexus endpoint is visible as soon as it is made. The first reads the
		// database more often, hence the limits below, which are the CLI's.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():               10000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                45000,

		// Ten lists a second are too few for tests that wait for visibility.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
		// A cache for 128,000 workflows is a cluster's.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8192,
		// Nothing here calls home.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
}

// dynamicConfig is the tuning with the user's own values over it.
func dynamicConfig(own map[string]any) dynamicconfig.StaticClient {
	values := dynamicconfig.StaticClient(tuning())
	for key, value := range own {
		values[dynamicconfig.MakeKey(key)] = value
	}
	return values
}

// parseDynamicValue decodes one JSON value. Whole numbers become int, the only integer type that the
// server's settings take.
func parseDynamicValue(text string) (any, error) {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, err
	}
	if number, ok := value.(float64); ok && number == math.Trunc(number) {
		return int(number), nil
	}
	return value, nil
}

// tuneGC sets the collector, unless the user did by GOGC.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
