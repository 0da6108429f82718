package telemetry

import (
	"slices"
	"strings"
	"sync"

	"go.temporal.io/sdk/client"
)

// cached makes each instrument once. Temporal's SDK requests one, by its tags, each time that it
// counts, and OpenTelemetry then sorts and checks the tags.
type cached struct {
	of                       client.MetricsHandler
	tagged                   sync.Map // by tags: *cached
	counters, gauges, timers sync.Map // by name
}

// WithTags returns the handler that adds tags, of which there are few: names of types, queues and
// calls.
func (c *cached) WithTags(tags map[string]string) client.MetricsHandler {
	return once(&c.tagged, keyOf(tags), func() *cached { return &cached{of: c.of.WithTags(tags)} })
}

// Counter returns a counter.
func (c *cached) Counter(name string) client.MetricsCounter {
	return once(&c.counters, name, func() client.MetricsCounter { return c.of.Counter(name) })
}

// Gauge returns a gauge.
func (c *cached) Gauge(name string) client.MetricsGauge {
	return once(&c.gauges, name, func() client.MetricsGauge { return c.of.Gauge(name) })
}

// Timer returns a timer.
func (c *cached) Timer(name string) client.MetricsTimer {
	return once(&c.timers, name, func() client.MetricsTimer { return c.of.Timer(name) })
}

// once returns the value of a key, and makes it if it is missing. Two made at the same moment count
// into the same series.
func once[T any](m *sync.Map, key string, create func() T) T {
	v, ok := m.Load(key)
	if !ok {
		v, _ = m.LoadOrStore(key, create())
	}
	return v.(T) //nolint:forcetypeassert // each map holds what its method makes
}

// keyOf returns the tags as text, in a fixed order.
func keyOf(tags map[string]string) string {
	names, size := make([]string, 0, 8), 0
	for name, value := range tags {
		names, size = append(names, name), size+len(name)+len(value)+2
	}
	slices.Sort(names)
	var b strings.Builder
	b.Grow(size)
	for _, name := range names {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(tags[name])
		b.WriteByte(0)
	}
	return b.String()
}
