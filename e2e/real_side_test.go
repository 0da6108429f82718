package e2e

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/reallivekit"
)

// The keys with which the scenarios were captured; the other one signs the webhooks of requests that name it.
const (
	liveKey, liveSecret   = "APIh2key", "h2secret_h2secret_h2secret_h2secret_32"
	otherKey, otherSecret = "APIh2key2", "h2other_h2other_h2other_h2other_h2oth"
)

// liveKitBinaries are built by the first test that needs them; before a whole run `go run
// ./internal/reallivekit/build` does it, since the build would count against a test's own limit.
var liveKitBinaries = sync.OnceValues(func() (reallivekit.Binaries, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	return reallivekit.Build(ctx, os.Stderr)
})

// realBinaries skips a test if the real server is not available. In CI it must be.
func realBinaries(t *testing.T) reallivekit.Binaries {
	t.Helper()
	b, err := liveKitBinaries()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("there is no livekit-server, and nothing is tested here without it: %v", err)
	}
	require.NoError(t, err)
	return b
}

// startReal starts a real server for one or more tests.
func startReal(t *testing.T, change func(*reallivekit.Options)) *reallivekit.Server {
	t.Helper()
	o := reallivekit.Options{Binaries: realBinaries(t), Dir: t.TempDir(), APIKey: apiKey, APISecret: apiSecret}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s, err := reallivekit.Start(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Log(s.Log())
		}
	})
	return s
}

// who says which people are in a room.
type who string

const (
	alice      who = "alice with microphone and camera"
	aliceAudio who = "alice with a microphone"
	nobody     who = "nobody"
)

// side is a LiveKit on which a scenario is played: the real one, or the fake.
type side interface {
	url() string
	hooks() *hooks
	// open creates a room, in which each egress has a fate.
	open(t *testing.T, room string, in who, fate reallivekit.Fate)
	// leave makes alice leave.
	leave(t *testing.T, room string)
	// killWorker kills the worker of the room's egress.
	killWorker(t *testing.T, room string)
}

// realSide is a livekit-server with a worker double.
type realSide struct {
	*reallivekit.Server
	got *hooks
}

func newRealSide(t *testing.T, change func(*reallivekit.Options)) side {
	t.Helper()
	h := newHooks(t)
	s := startReal(t, func(o *reallivekit.Options) {
		o.APIKey, o.APISecret = liveKey, liveSecret
		o.ExtraKeys = map[string]string{otherKey: otherSecret}
		o.WebhookURLs = []string{h.URL + "/project"}
		if change != nil {
			change(o)
		}
	})
	return realSide{s, h}
}

func (r realSide) url() string   { return r.URL }
func (r realSide) hooks() *hooks { return r.got }

func (r realSide) open(t *testing.T, room string, in who, fate reallivekit.Fate) {
	t.Helper()
	if fate != "" && fate != dies && fate != absent {
		after := time.Second
		if fate == reallivekit.Lingering {
			after = lingers
		}
		require.NoError(t, r.Plan(t.Context(), room, fate, after))
	}
	if in == nobody {
		rooms := livekit.NewRoomServiceProtobufClient(r.URL, signed(t, liveKey, liveSecret, everything()))
		_, err := rooms.CreateRoom(t.Context(), &livekit.CreateRoomRequest{Name: room})
		require.NoError(t, err)
		return
	}
	require.NoError(t, r.Join(t.Context(), room, "alice", in == aliceAudio))
}

func (r realSide) leave(t *testing.T, room string) {
	t.Helper()
	require.NoError(t, r.Leave(t.Context(), room, "alice"))
}

func (r realSide) killWorker(*testing.T, string) { r.KillWorker() }

// fakeSide is the double that the demo and most tests use.
type fakeSide struct {
	*fakelivekit.Server
	got *hooks
}

func newFakeSide(t *testing.T, change func(*fakelivekit.Config)) side {
	t.Helper()
	h := newHooks(t)
	c := fakelivekit.Config{
		APIKey: liveKey, APISecret: liveSecret, ExtraKeys: map[string]string{otherKey: otherSecret},
		WebhookURLs: []string{h.URL + "/project"}, Timings: fakelivekit.DefaultTimings().Scaled(0.1), Seed: 1,
	}
	c.Timings.Ending = 4 * time.Second
	if change != nil {
		change(&c)
	}
	s, err := fakelivekit.New(c)
	require.NoError(t, err)
	require.NoError(t, s.Start())
	t.Cleanup(func() { _ = s.Close() })
	return fakeSide{s, h}
}

func (f fakeSide) url() string   { return f.URL() }
func (f fakeSide) hooks() *hooks { return f.got }

// lingers is how long a lingering end takes: one can stop twice even on a machine that stalls.
const lingers = 20 * time.Second

// faults are the fake's names for the worker's fates.
var faults = map[reallivekit.Fate]fakelivekit.Fault{
	reallivekit.Killed: fakelivekit.Failed, reallivekit.Unstored: fakelivekit.UploadFailed, reallivekit.Limited: fakelivekit.LimitReached,
	reallivekit.Twice: fakelivekit.Rerun, absent: fakelivekit.StartRefused, reallivekit.Refuse: fakelivekit.StartRefused,
	reallivekit.Slow: fakelivekit.StartSlow, dies: fakelivekit.Zombie,
}

func (f fakeSide) open(t *testing.T, room string, in who, fate reallivekit.Fate) {
	t.Helper()
	script := fakelivekit.RoomScript{Empty: in == nobody, AudioOnly: in == aliceAudio}
	if fate != "" && fate != reallivekit.Lingering {
		require.Contains(t, faults, fate)
		script.Faults = []fakelivekit.Fault{faults[fate]}
	}
	require.NoError(t, f.AddRoom(room, script))
}

func (f fakeSide) leave(t *testing.T, room string) {
	t.Helper()
	require.NoError(t, f.EndCall(room))
}

// killWorker does nothing: here it is a fate.
func (fakeSide) killWorker(*testing.T, string) {}
