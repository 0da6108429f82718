package activities_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

const (
	requestID = "standup-1"
	room      = "standup"
	egressID  = "EG_1"
	publicURL = "https://reel.example.com/base/"
)

// api is a LiveKit made of functions. Each receives how often it has been called, beginning with
// 1. api logs its calls with the time since it was created.
type api struct {
	onStart func(n int, r egress.Request) (*lk.EgressInfo, error)
	onList  func(n int) ([]*lk.EgressInfo, error)
	onGet   func(n int) (*lk.EgressInfo, error)
	onStop  func(n int) (*lk.EgressInfo, error)
	onAsk   func(n int) error
	live    bool
	liveErr error

	answers    time.Duration // how long it takes to answer a start
	publishers uint32        // in its room
	quiet      int           // looks at the room that find no publishers yet
	unlisted   int           // looks at the room that do not find it yet
	here       bool          // whether the egress's participant is in the room
	hereErr    error

	mu    sync.Mutex
	began time.Time
	log   []string
	count map[string]int
	sent  []egress.Request
}

// note logs a call and returns how many of its kind there were.
func (a *api) note(method, argument string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count == nil {
		a.count = map[string]int{}
	}
	a.count[method]++
	a.log = append(a.log, fmt.Sprintf("%s %s%s", time.Since(a.began), method, argument))
	return a.count[method]
}

func (a *api) Start(ctx context.Context, r egress.Request) (*lk.EgressInfo, error) {
	a.sent = append(a.sent, r)
	select {
	case <-time.After(a.answers):
	case <-ctx.Done():
		return nil, because(egress.Ambiguous)
	}
	return a.onStart(a.note("start", ""), r)
}

func (a *api) InRoom(_ context.Context, room string) ([]*lk.EgressInfo, error) {
	return a.onList(a.note("list", " "+room))
}

func (a *api) Active(context.Context) ([]*lk.EgressInfo, error) {
	return a.onList(a.note("active", ""))
}

func (a *api) Remembered(context.Context) ([]*lk.EgressInfo, error) {
	return a.onList(a.note("all", ""))
}

func (a *api) Get(_ context.Context, id string) (*lk.EgressInfo, error) {
	return a.onGet(a.note("get", " "+id))
}

func (a *api) Stop(_ context.Context, id string) (*lk.EgressInfo, error) {
	return a.onStop(a.note("stop", " "+id))
}

func (a *api) Answers(_ context.Context, id string) error { return a.onAsk(a.note("ask", " "+id)) }

func (a *api) Room(_ context.Context, name, sid string) (*lk.Room, error) {
	a.note("rooms", strings.TrimRight(" "+name+" "+sid, " "))
	if !a.live || a.liveErr != nil || a.count["rooms"] <= a.unlisted {
		return nil, a.liveErr
	}
	if a.count["rooms"] <= a.quiet {
		return &lk.Room{Name: name, Sid: sid}, nil
	}
	return &lk.Room{Name: name, Sid: sid, NumPublishers: a.publishers}, nil
}

func (a *api) Present(context.Context, string, string) (bool, error) {
	return a.here, a.hereErr
}

var _ activities.API = (*api)(nil)

func keys(t *testing.T) *seal.Keys {
	t.Helper()
	k, err := seal.New(seal.Config{Secret: "a-secret-of-32-characters-or-more"})
	require.NoError(t, err)
	return k
}

// bubble runs a test on a clock of its own, which advances only when everything waits: the waits
// are the real ones and take no time.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// pass lets time go by in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// newEnv returns Temporal's environment for one attempt of an activity.
func newEnv(a *api) *testsuite.TestActivityEnvironment {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	env.SetTestTimeout(24 * time.Hour)
	a.began = time.Now()
	return env
}

var projectKeys = []string{"devkey", "their-key"}

// activitiesOf returns the activities with default settings, unless a test changes one.
func activitiesOf(t *testing.T, a *api, change ...func(*activities.Config)) *activities.LiveKit {
	t.Helper()
	c := activities.Config{PublicURL: publicURL, SigningKey: "devkey", KeyNames: projectKeys, Terms: egress.Terms{Policy: egress.DefaultPolicy(), Steps: []string{egress.StepAnnounce}}}
	c.Clock = func(context.Context) func() time.Time { return time.Now } // the bubble's, which Temporal's test environment does not know
	for _, f := range change {
		f(&c)
	}
	return activities.NewLiveKit(c, a, keys(t))
}

// failed returns what Temporal is told of a failure, and the domain's error in it.
func failed(t *testing.T, err error) (*temporal.ApplicationError, egress.Error) {
	t.Helper()
	var a *temporal.ApplicationError
	require.ErrorAs(t, err, &a)
	var e egress.Error
	require.NoError(t, a.Details(&e))
	require.Equal(t, string(e.Reason), a.Type())
	return a, e
}

func because(r egress.Reason) error {
	return &egress.Error{Reason: r, Code: "a_code", Message: "LiveKit said " + string(r)}
}

// status returns the egress with a status, as LiveKit answers it.
func status(s lk.EgressStatus) *lk.EgressInfo {
	return &lk.EgressInfo{
		EgressId: egressID, RoomName: room, Status: s,
		Request: &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{RoomName: room}},
	}
}

// ownPage returns an egress with its caller's own page.
func ownPage(s lk.EgressStatus) *lk.EgressInfo {
	m := status(s)
	m.GetRoomComposite().CustomBaseUrl = "https://page.example.com"
	return m
}

// quiet is a logger that discards everything.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
