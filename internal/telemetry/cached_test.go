package telemetry

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An instrument that is made once counts like one that is made anew each time, from wherever it is
// used.
func TestTemporalsInstrumentsCountForEachOfTheirTags(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(t, Config{})
	root := tel.TemporalMetrics()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, tags := range []map[string]string{{"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1", "b": "3"}, {"a": "1b"}} {
				h := root.WithTags(tags)
				h.Counter("calls").Inc(1)
				h.WithTags(map[string]string{"c": "3"}).Counter("calls").Inc(1)
				h.Timer("lag").Record(time.Second)
				h.Gauge("level").Update(4)
			}
		})
	}
	all.Wait()

	served := scrape(tel)

	require.Contains(t, served, `calls_total{a="1",b="2"} 16`)
	require.Contains(t, served, `calls_total{a="1",b="3"} 8`)
	require.Contains(t, served, `calls_total{a="1",b="2",c="3"} 16`)
	require.Contains(t, served, `lag_seconds_count{a="1",b="2"} 16`)
	require.Contains(t, served, `level{a="1",b="3"} 4`)
	require.NotContains(t, served, `calls_total 8`)
}
