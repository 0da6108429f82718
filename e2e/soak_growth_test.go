package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The processes under observation, in the order of a sample.
const (
	ofWorker = iota
	ofStarter
	ofTemporal
)

var observed = [...]string{ofWorker: "worker", ofStarter: "starter", ofTemporal: "temporal"}

// judged is what must not grow. Temporal's server tells nobody of its goroutines, and its caches keep for an hour
// what it worked on (history.cacheTTL, history.eventsCacheTTL), so that its memory does grow.
var judged = [...][]int{
	ofWorker:   {goroutines, openFiles, memory},
	ofStarter:  {goroutines, openFiles, memory},
	ofTemporal: {openFiles},
}

// bounds is how much more of it the last quarter may have than the second: its scatter, and less than a small leak
// adds in half an hour at one recording a second.
var bounds = [measures]struct {
	name        string
	times, plus float64
}{
	goroutines: {name: "goroutines", times: 1, plus: 5},
	openFiles:  {name: "open files", times: 1, plus: 3},
	memory:     {name: "memory", times: 1.08},
}

// grew lists what grew. A process acquires what it needs in the first quarter; what grows after that would grow for
// ever.
func grew(samples []sample) []string {
	early, late := samples[len(samples)/4:len(samples)/2], samples[len(samples)*3/4:]
	var list []string
	for n, measures := range judged {
		for _, m := range measures {
			from, to := mean(early, n, m), mean(late, n, m)
			if b := bounds[m]; to > b.times*from+b.plus {
				list = append(list, fmt.Sprintf("%s of %s: %.1f, and later %.1f", b.name, observed[n], from, to))
			}
		}
	}
	from, lives := growth(early)
	to, later := growth(late)
	// The file grows in steps, when its write-ahead log is written back.
	if to > 1.1*from/lives*later+mb {
		list = append(list, fmt.Sprintf("database: %.0f bytes for each recording, and later %.0f", from/lives, to/later))
	}
	return list
}

func mean(samples []sample, process, measure int) float64 {
	sum := 0.
	for _, s := range samples {
		sum += s.process[process][measure]
	}
	return sum / float64(len(samples))
}

// growth returns by how many bytes the database grew, and in how many recordings.
func growth(samples []sample) (bytes, lives float64) {
	first, last := samples[0], samples[len(samples)-1]
	return last.db - first.db, float64(max(1, last.lives-first.lives))
}

// leak adds what is kept of a recording to a sample.
type leak func(s *sample)

// keeps is a leak of a process: so much of a measure, once in so many recordings.
func keeps(process, measure int, much float64, each int) leak {
	return func(s *sample) { s.process[process][measure] += much * float64(s.lives/each) }
}

// An hour and five minutes of the figures in docs/performance.md, with a scatter of 4 % of the memory and 3 goroutines.
func TestWhatGrowsInASoakIsFound(t *testing.T) {
	t.Parallel()
	const hour = 3600
	for name, tc := range map[string]struct {
		lives int
		leak  leak
		want  []string
	}{
		"nothing":                               {lives: hour},
		"nothing, in five minutes":              {lives: 300},
		"nothing, in a minute":                  {lives: 60},
		"10 kB of the worker a recording":       {hour, keeps(ofWorker, memory, 10_000, 1), []string{"memory of worker"}},
		"10 kB of the starter a recording":      {hour, keeps(ofStarter, memory, 10_000, 1), []string{"memory of starter"}},
		"a worker's goroutine in 200":           {hour, keeps(ofWorker, goroutines, 1, 200), []string{"goroutines of worker"}},
		"a starter's goroutine in 200":          {hour, keeps(ofStarter, goroutines, 1, 200), []string{"goroutines of starter"}},
		"a worker's file in 500":                {hour, keeps(ofWorker, openFiles, 1, 500), []string{"open files of worker"}},
		"a starter's file in 500":               {hour, keeps(ofStarter, openFiles, 1, 500), []string{"open files of starter"}},
		"a file of Temporal's in 300":           {hour, keeps(ofTemporal, openFiles, 1, 300), []string{"open files of temporal"}},
		"a quarter more of the database":        {hour, func(s *sample) { s.db += 0.25 * 41_000 * float64(max(0, s.lives-hour/2)) }, []string{"database"}},
		"a goroutine and 50 kB, in ten minutes": {600, func(s *sample) { keeps(ofWorker, goroutines, 1, 20)(s); keeps(ofWorker, memory, 50_000, 1)(s) }, []string{"goroutines of worker", "memory of worker"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20) {
				var found []string
				for _, g := range grew(soaked(tc.lives, seed, tc.leak)) {
					what, _, _ := strings.Cut(g, ":")
					found = append(found, what)
				}
				require.Equal(t, tc.want, found, "seed %d", seed)
			}
		})
	}
}

// ofTheTable is the table of docs/performance.md.
var ofTheTable = []sample{
	{30, [...][measures]float64{{83, 15, 68 * mb}, {22, 13, 61 * mb}, {0, 34, 210 * mb}}, 6 * mb},
	{870, [...][measures]float64{{70, 15, 74 * mb}, {24, 14, 65 * mb}, {0, 38, 483 * mb}}, 40 * mb},
	{1770, [...][measures]float64{{73, 15, 76 * mb}, {22, 14, 67 * mb}, {0, 38, 643 * mb}}, 77 * mb},
	{2670, [...][measures]float64{{74, 16, 77 * mb}, {22, 14, 66 * mb}, {0, 38, 743 * mb}}, 115 * mb},
	{3570, [...][measures]float64{{73, 16, 77 * mb}, {22, 14, 67 * mb}, {0, 36, 854 * mb}}, 151 * mb},
}

// soaked returns 120 samples of a soak with so many recordings.
func soaked(lives int, seed uint64, more leak) []sample {
	random := rand.New(rand.NewPCG(seed, 0))
	samples := make([]sample, 120)
	for n := range samples {
		s := between(lives * (n + 1) / len(samples))
		for p := range s.process {
			s.process[p][goroutines] += float64(random.IntN(7) - 3)
			s.process[p][memory] *= 0.96 + 0.08*random.Float64()
		}
		if more != nil {
			more(&s)
		}
		samples[n] = s
	}
	return samples
}

// between interpolates the table.
func between(lives int) sample {
	n := 1
	for n < len(ofTheTable)-1 && ofTheTable[n].lives < lives {
		n++
	}
	a, b := ofTheTable[n-1], ofTheTable[n]
	part := float64(lives-a.lives) / float64(b.lives-a.lives)
	s := sample{lives: lives, db: a.db + part*(b.db-a.db)}
	for p := range s.process {
		for m := range measures {
			s.process[p][m] = a.process[p][m] + part*(b.process[p][m]-a.process[p][m])
		}
	}
	return s
}
