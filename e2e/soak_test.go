package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak runs; zero: not at all")
	soakRate = flag.Float64("soak-rate", 1, "recordings that TestSoak begins a second")
)

// soakCall is how long each of its recordings lasts.
const soakCall = 10 * time.Second

// TestSoak runs what ships, as processes, at a steady rate of recordings that LiveKit's own client
// starts at the front door, with a third of the webhooks lost, and checks whether any of the
// processes grows:
//
//	go test ./e2e -run TestSoak -soak 1h -timeout 2h -v
func TestSoak(t *testing.T) { //nolint:paralleltest // it measures, and runs alone
	if *soakFor == 0 {
		t.Skip("run with -soak 1h")
	}
	needsProc(t)
	s := newSoak(t)
	samples := s.run()
	s.print(samples)
	require.Empty(t, grew(samples), "of the second quarter and the last")
}

// soak holds the processes under observation.
type soak struct {
	*world
	front *lksdk.EgressClient // to the front door of the observed starter
	pids  []int
	admin []string // where each serves its metrics; empty for Temporal's server
	db    string
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{db: filepath.Join(t.TempDir(), "temporal.db")}
	temporal, err := devtemporal.Start(within(t), devtemporal.Options{Headless: true, SearchAttributes: egress.Attributes(), DBFilename: s.db})
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	base := freeBase(t)
	address := func(n int) string { return "127.0.0.1:" + strconv.Itoa(base+n) }
	s.world = newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.AnyRoom, fake.WebhookURLs = true, []string{"http://" + address(0) + egress.WebhookPath}
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1. / 3}
		maps.Copy(environ, map[string]string{
			"TEMPORAL_ADDRESS": temporal.Address, "TEMPORAL_NAMESPACE": "default", "REELKEEPER_RECONCILE_EVERY": "1m",
			"REELKEEPER_PUBLIC_URL": "http://" + address(0), "REELKEEPER_LISTEN": address(0),
			"REELKEEPER_LOOK_STARTING": "5s", "REELKEEPER_LOOK_ACTIVE": "15s", "REELKEEPER_LOOK_ENDING": "2s",
		})
	})
	for n, command := range []struct {
		name string
		args []string
	}{{"worker", nil}, {"starter", []string{"serve"}}} {
		environ := maps.Clone(s.environ)
		environ["REELKEEPER_ADMIN_LISTEN"] = address(1 + n)
		p := s.spawn(command.name, environ, command.args...)
		if len(command.args) > 0 {
			p.start(t)
		}
		s.pids, s.admin = append(s.pids, p.Process.Pid), append(s.admin, "http://"+address(1+n)+"/metrics")
	}
	s.pids, s.admin = append(s.pids, serverPID(temporal.Address)), append(s.admin, "")
	s.front = agentAt("http://" + address(0))
	s.want("the front door", func() bool {
		_, err := s.front.ListEgress(s.ctx(), &livekit.ListEgressRequest{Active: true})
		return err == nil
	})
	return s
}

// run starts recordings and takes samples until the time is over and all have ended well.
func (s *soak) run() []sample {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var lives errgroup.Group
	begin, end := time.NewTicker(time.Duration(float64(time.Second) / *soakRate)), time.After(*soakFor)
	look := time.NewTicker(*soakFor / 120)
	var samples []sample
	for began := 0; ; {
		select {
		case <-begin.C:
			began++
			room := "soak-" + strconv.Itoa(began)
			lives.Go(func() error { return s.live(ctx, room) })
		case <-look.C:
			samples = append(samples, s.sample(began))
		case <-end:
			require.NoError(s.t, lives.Wait())
			s.t.Logf("%d recordings, each with one verdict and told of", began)
			return samples
		}
	}
}

// live is one recording.
func (s *soak) live(ctx context.Context, room string) error {
	if _, err := askAt(ctx, s.front, room, room); err != nil {
		return fmt.Errorf("%s: %w", room, err)
	}
	<-time.After(soakCall)
	if err := s.fake.EndCall(room); err != nil {
		return fmt.Errorf("%s: %w", room, err)
	}
	v, err := s.client.Wait(ctx, room)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", room, err)
	case v.Status != "EGRESS_COMPLETE" || len(v.Delivered) != 1:
		return fmt.Errorf("%s: %s, delivered %q", room, v.Status, v.Delivered)
	}
	return nil
}

// What is measured of a process.
const (
	goroutines = iota
	openFiles
	memory // resident bytes
	measures
)

const mb = 1 << 20

type sample struct {
	lives   int // started so far
	process [len(observed)][measures]float64
	db      float64 // bytes
}

func (s *soak) sample(lives int) sample {
	s.t.Helper()
	out := sample{lives: lives}
	for n, pid := range s.pids {
		proc := filepath.Join("/proc", strconv.Itoa(pid))
		open, err := os.ReadDir(filepath.Join(proc, "fd"))
		require.NoError(s.t, err, "%s is gone", observed[n])
		out.process[n][openFiles] = float64(len(open))
		out.process[n][memory] = resident(s.t, pid)
		if s.admin[n] != "" {
			out.process[n][goroutines] = s.gauge(s.admin[n], "go_goroutines")
		}
	}
	for _, name := range []string{s.db, s.db + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			out.db += float64(info.Size())
		}
	}
	return out
}

// needsProc skips tests that read other processes' state in /proc.
func needsProc(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip("memory, open files and CPU time of processes are read from Linux's /proc, which is not here")
	}
}

// resident returns the resident memory of a process, in bytes.
func resident(t testing.TB, pid int) float64 {
	t.Helper()
	statm, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	require.NoError(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	require.NoError(t, err)
	return float64(pages * os.Getpagesize())
}

// gauge reads one metric without labels.
func (s *soak) gauge(url, name string) float64 {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	require.NoError(s.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(s.t, err)
			return v
		}
	}
	require.Fail(s.t, "no metric "+name)
	return 0
}

// print writes the rows of the table in docs/performance.md.
func (s *soak) print(samples []sample) {
	fmt.Println("| after | recordings | worker: goroutines, files, MB | starter: goroutines, files, MB | Temporal: files, MB | database MB |")
	fmt.Println("|---|---|---|---|---|---|")
	for q := range 5 {
		n := max(0, q*len(samples)/4-1)
		v := samples[n]
		w, st, te := v.process[0], v.process[1], v.process[2]
		fmt.Printf("| %s | %d | %.0f, %.0f, %.0f | %.0f, %.0f, %.0f | %.0f, %.0f | %.0f |\n", (*soakFor * time.Duration(n+1) / 120).Round(time.Second), v.lives,
			w[goroutines], w[openFiles], w[memory]/mb, st[goroutines], st[openFiles], st[memory]/mb, te[openFiles], te[memory]/mb, v.db/mb)
	}
}
