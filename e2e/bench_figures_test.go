package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figures collects what each round of a benchmark measured.
type figures struct {
	names  []string // in the order of their first appearance
	rounds map[string][]float64
}

func (f *figures) add(name string, value float64) {
	if f.rounds == nil {
		f.rounds = map[string][]float64{}
	}
	if _, ok := f.rounds[name]; !ok {
		f.names = append(f.names, name)
	}
	f.rounds[name] = append(f.rounds[name], value)
}

// addTimes adds p50, p99 and the maximum of durations, in milliseconds.
func (f *figures) addTimes(name string, d []time.Duration) {
	slices.Sort(d)
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
		f.add(name+"-"+q.name+"-ms", milliseconds(quantile(d, q.at)))
	}
}

// report puts the median of the rounds into the benchmark's own line, and prints the lowest and the
// highest beside it.
func (f *figures) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // a round's length is not a result
	var t strings.Builder
	fmt.Fprintf(&t, "\n%-24s %10s %10s %10s   rounds\n", strings.TrimPrefix(b.Name(), "Benchmark"), "min", "median", "max")
	for _, name := range f.names {
		v := slices.Clone(f.rounds[name])
		slices.Sort(v)
		median := (v[(len(v)-1)/2] + v[len(v)/2]) / 2
		b.ReportMetric(median, name)
		fmt.Fprintf(&t, "%-24s %10.2f %10.2f %10.2f %8d\n", name, v[0], median, v[len(v)-1], len(v))
	}
	fmt.Print(t.String())
}

// quantile returns a quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// cpu is the CPU time used so far by this process (worker, client and doubles) and by the Temporal
// server. It is zero if /proc does not say, as outside Linux.
type cpu struct{ own, server time.Duration }

func cpuNow(serverPID int) cpu {
	return cpu{own: processCPU(os.Getpid()), server: processCPU(serverPID)}
}

func (c cpu) since(before cpu) cpu {
	return cpu{own: c.own - before.own, server: c.server - before.server}
}

func (c cpu) and(more cpu) cpu {
	return cpu{own: c.own + more.own, server: c.server + more.server}
}

// of returns the ratio of both CPU times together, or zero if it is unknown.
func (c cpu) of(floor cpu) float64 {
	if floor.own+floor.server == 0 {
		return 0
	}
	return float64(c.own+c.server) / float64(floor.own+floor.server)
}

// processCPU returns user plus system time of a process, read in ticks of 10 ms.
func processCPU(pid int) time.Duration {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, ok := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(rest))
	if err != nil || !ok || len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime; fields begin with the stat file's field 3
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// serverPID returns this process's child that serves at the address, or 0 if it cannot be found.
func serverPID(address string) int {
	port := address[strings.LastIndex(address, ":")+1:]
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is valid
	for _, name := range lines {
		line, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(line, []byte("\x00--port\x00"+port+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			return pid
		}
	}
	return 0
}
