package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// binary builds one of the commands, once for all tests. A released worker is already built.
func binary(t testing.TB, name string) string {
	t.Helper()
	if name == "worker" && *released != "" {
		return *released
	}
	build, _ := binaries.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		path := filepath.Join(builds, name)
		return path, compile(path, name)
	}))
	path, err := build.(func() (string, error))()
	require.NoError(t, err)
	return path
}

// compile builds one of the commands, with flags of go build. It leaves out what debuggers need: that would take a third
// of its time.
func compile(path, name string, flags ...string) error {
	args := slices.Concat([]string{"build", "-o", path, "-ldflags=-w"}, flags, []string{"../" + name})
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return nil
}

var (
	binaries sync.Map
	// builds is the folder in which they are; go build makes it, and run removes it.
	builds = filepath.Join(os.TempDir(), fmt.Sprintf("reelkeeper-e2e-%d", os.Getpid()))
)

// process is a command that a test can kill as by the kernel.
type process struct {
	*exec.Cmd
	done chan struct{}
}

func (w *world) spawn(name string, environ map[string]string, args ...string) *process {
	w.t.Helper()
	return spawn(w.t, w.log, name, environ, args...)
}

func spawn(t testing.TB, log *logBuffer, name string, environ map[string]string, args ...string) *process {
	t.Helper()
	return launch(t, log, binary(t, name), environ, args...)
}

// launch runs a command that has been built.
func launch(t testing.TB, log *logBuffer, path string, environ map[string]string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")}
	for _, k := range slices.Sorted(maps.Keys(environ)) {
		p.Env = append(p.Env, k+"="+environ[k])
	}
	p.Stderr = log
	if len(args) == 0 {
		p.Stdout = log
		p.start(t)
	}
	return p
}

func (p *process) start(t testing.TB) {
	t.Helper()
	require.NoError(t, p.Start())
	go func() {
		defer close(p.done)
		_ = p.Wait() // it was killed
	}()
	t.Cleanup(p.kill)
}

func (p *process) kill() {
	_ = p.Process.Kill() // it may already be gone
	<-p.done
}

// workerProcess runs the shipped worker in a process of its own.
func (w *world) workerProcess() *process {
	environ := maps.Clone(w.environ)
	environ["REELKEEPER_ADMIN_LISTEN"] = "127.0.0.1:0"
	return w.spawn("worker", environ)
}

func TestTheWorkerIsKilled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		loss  float64
		until func(w *world, egressID func() string) // what has happened when it is killed
		after func(w *world)                         // what happens while there is no worker
	}{
		{"while LiveKit is being asked to start", 0, func(w *world, _ func() string) {
			w.want("a start", func() bool { return w.fake.Calls()["StartRoomCompositeEgress"] > 0 })
		}, func(w *world) { w.fake.ReleaseStarts() }},
		{"while it records, and the end comes while there is none", 0, func(w *world, id func() string) {
			w.fake.ReleaseStarts()
			w.want("ACTIVE", func() bool { return w.statusOf(id()) == livekit.EgressStatus_EGRESS_ACTIVE })
		}, endAndWait},
		{"while it records, and every webhook is lost", 1, func(w *world, id func() string) {
			w.fake.ReleaseStarts()
			w.want("ACTIVE", func() bool { return w.statusOf(id()) == livekit.EgressStatus_EGRESS_ACTIVE })
		}, endAndWait},
		{"while the consumer is being told", 0, func(w *world, id func() string) {
			told := make(chan struct{}, 100)
			answer := make(chan struct{})
			w.consumer.answerWith(func(*livekit.WebhookEvent) int {
				told <- struct{}{}
				<-answer
				return http.StatusOK
			})
			w.fake.ReleaseStarts()
			w.want("ACTIVE", func() bool { return w.statusOf(id()) == livekit.EgressStatus_EGRESS_ACTIVE })
			require.NoError(w.t, w.fake.EndCall("room"))
			<-told
			w.consumer.answerWith(nil)
			defer close(answer)
		}, func(*world) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
				fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: tt.loss, fakelivekit.RoomWebhookLost: tt.loss}
			})
			w.room("room", fakelivekit.RoomScript{})
			w.fake.HoldStarts()
			asked := make(chan string, 1)
			go func() { // it may wait for the next worker, or for the end
				s, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-room", Request: composite("room")})
				if err == nil {
					asked <- s.Info.Proto().GetEgressId()
				}
				close(asked)
			}()
			id := sync.OnceValue(func() string { return <-asked })

			first := w.workerProcess()
			tt.until(w, id)
			first.kill()
			tt.after(w)
			w.workerProcess()
			require.NotEmpty(t, id(), "the caller still gets the answer")
			_ = w.fake.EndCall("room") // in case it has not ended yet

			v := w.verdict("room")

			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Zero(t, w.twins())
			told := w.consumer.told(v.EgressID)
			require.NotEmpty(t, told)
			for _, e := range told {
				require.Equal(t, told[0].GetId(), e.GetId())
			}
		})
	}
}

// endAndWait ends the call, and waits until LiveKit has ended the egress.
func endAndWait(w *world) {
	require.NoError(w.t, w.fake.EndCall("room"))
	w.want("the end on LiveKit's side", func() bool {
		for _, r := range w.fake.Egresses() {
			if r.Ended.IsZero() {
				return false
			}
		}
		return true
	})
}

func (w *world) statusOf(egressID string) livekit.EgressStatus {
	for _, r := range w.fake.Egresses() {
		if r.Info.GetEgressId() == egressID {
			return r.Info.GetStatus()
		}
	}
	return -1
}

// Kills at random moments hit between any two steps.
func TestTheWorkerIsKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	const lives, kills = 12, 8
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 0.3}
		fake.Seed = seed
	})
	for n := range lives {
		room := fmt.Sprintf("room-%d", n)
		w.room(room, fakelivekit.RoomScript{})
		go func() { // the caller may be gone before the answer: the recording goes on
			_, _ = w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: composite(room)})
		}()
	}
	for range kills {
		p := w.workerProcess()
		alive := time.NewTimer(300*time.Millisecond + time.Duration(random.Int64N(int64(time.Second))))
		<-alive.C // the timeline: the worker lives for that long
		p.kill()
	}
	w.workerProcess()
	for n := range lives {
		room := fmt.Sprintf("room-%d", n)
		w.want(room+" records", func() bool { v, err := w.client.State(w.ctx(), "r-"+room); return err == nil && v.EgressID != "" })
		require.NoError(t, w.fake.EndCall(room))
	}

	for n := range lives {
		v := w.verdict(fmt.Sprintf("room-%d", n))
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		require.NotEmpty(t, w.consumer.told(v.EgressID))
	}
	require.Zero(t, w.twins())
	require.Len(t, w.fake.Egresses(), lives)
}

// The whole of dev dies with its Temporal and its fake LiveKit, in mid-recording, and continues
// from the same state.
func TestDevIsKilledAndGoesOn(t *testing.T) {
	t.Parallel()
	const recorded = 5
	consumer := newConsumer(t)
	state := t.TempDir()
	environ := maps.Clone(timers)
	environ["REELKEEPER_ANNOUNCE_URL"] = consumer.URL
	path, err := devtemporal.Path(t.Context(), os.Stderr)
	require.NoError(t, err)
	environ[devtemporal.PathVariable] = path
	log := &logBuffer{}
	var first *process
	var place map[string]string
	args := []string{"--json", "--state", state, "--port-base", ""}
	for tries := 0; place == nil; tries++ { // somebody else may take a port that was free
		require.Less(t, tries, 5, log.String())
		args[len(args)-1] = fmt.Sprint(freeBase(t))
		first, place = startDev(t, log, environ, args)
	}
	client := clientOf(t, place)
	var ids []string
	for n := range recorded {
		s, err := client.Start(within(t), egress.StartOptions{RequestID: fmt.Sprintf("r-%d", n), Request: composite("standup")})
		require.NoError(t, err)
		ids = append(ids, s.Info.Proto().GetEgressId())
	}
	first.kill()

	place = nil
	for tries := 0; place == nil; tries++ { // processes that it started may still be dying, and hold its ports
		require.Less(t, tries, 5, log.String())
		_, place = startDev(t, log, environ, args)
	}
	client = clientOf(t, place)
	for n := range recorded {
		require.Eventually(t, func() bool {
			v, err := client.State(within(t), fmt.Sprintf("r-%d", n))
			return err == nil && v.Status == "EGRESS_ACTIVE"
		}, limit, 100*time.Millisecond, "the fake goes on, too")
	}
	rooms := lksdk.NewRoomServiceClient(place["livekit"], place["api_key"], place["api_secret"])
	_, err = rooms.DeleteRoom(within(t), &livekit.DeleteRoomRequest{Room: "standup"})
	require.NoError(t, err)
	for n, id := range ids {
		v, err := client.Wait(within(t), fmt.Sprintf("r-%d", n))
		require.NoError(t, err, log.String())
		require.Equal(t, id, v.EgressID)
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		require.Len(t, consumer.told(id), 1)
	}
}

// startDev runs dev until it prints its place. It returns nil if dev ends before.
func startDev(t *testing.T, log *logBuffer, environ map[string]string, args []string) (*process, map[string]string) {
	t.Helper()
	p := spawn(t, log, "dev", environ, args...)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.start(t)
	var place map[string]string
	if err := json.NewDecoder(out).Decode(&place); err != nil {
		return p, nil
	}
	return p, place
}

func clientOf(t *testing.T, place map[string]string) *recordings.Client {
	t.Helper()
	a, err := app.Open(app.Options{Role: config.Client, LogTo: &logBuffer{}, Environ: map[string]string{
		"LIVEKIT_API_KEY": place["api_key"], "LIVEKIT_API_SECRET": place["api_secret"],
		"TEMPORAL_ADDRESS": place["temporal"], "TEMPORAL_NAMESPACE": place["namespace"],
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.Close() })
	return a.Recordings()
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// freeBase finds five free ports in a row, of which none is reserved for a server that is down.
func freeBase(t *testing.T) int {
	t.Helper()
	alone := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0) })
		return errors.Join(failed, err)
	}}
	for range 100 {
		base := 20000 + rand.IntN(12000) // below those that connections get
		free := 0
		for n := range 5 {
			l, err := alone.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", base+n))
			if err == nil {
				free++
				_ = l.Close()
			}
		}
		if free == 5 {
			return base
		}
	}
	t.Fatal("no five free ports in a row")
	return 0
}
