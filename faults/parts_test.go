package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/faults/check"
	"github.com/reelkeeper/reelkeeper/internal/sender"
)

// puppet is a part that runs until it is killed, or ends by itself.
type puppet struct {
	done  chan struct{}
	asked chan struct{}
	err   error
	kill  atomic.Int64
}

func newPuppet() *puppet { return &puppet{done: make(chan struct{}), asked: make(chan struct{})} }

func (p *puppet) Done() <-chan struct{} { return p.done }
func (p *puppet) Err() error            { return p.err }
func (p *puppet) Ask()                  { close(p.asked) }
func (p *puppet) Kill() {
	if p.kill.Add(1) == 1 {
		close(p.done)
	}
}

// kept keeps a part until it has been started that many times, and returns what was logged.
func kept(t *testing.T, wild context.Context, spec killSpec, starts int, alive func(p *puppet)) []check.Kill {
	t.Helper()
	dir := t.TempDir()
	log, err := openRecord(dir, check.KillLog)
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	n := 0
	next := func(context.Context) (running, error) {
		if n++; n == starts {
			end()
		}
		p := newPuppet()
		alive(p)
		return p, nil
	}
	first, err := next(ctx)
	require.NoError(t, err)
	require.NoError(t, keep(ctx, wild, part{name: partWorker, start: next, kills: spec}, first, log, 7))
	logs, err := check.Read(dir)
	require.NoError(t, err)
	return logs.Kills
}

func TestAPartIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	kills := kept(t, t.Context(), killSpec{outage: outage{Every: time.Millisecond, Down: time.Millisecond}}, 4, func(*puppet) {})
	require.GreaterOrEqual(t, len(kills), 3)
	for _, k := range kills {
		require.Equal(t, partWorker, k.Part)
		require.Empty(t, k.Exit)
		require.LessOrEqual(t, k.Down, time.Millisecond)
	}
}

// A part that is asked may take its time; how it ended is noted if it did not end well.
func TestAPartIsAskedToStop(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("exit status 1")} {
		spec := killSpec{outage{Every: time.Millisecond}, 1}
		kills := kept(t, t.Context(), spec, 2, func(p *puppet) {
			go func() {
				select {
				case <-p.asked:
					p.err = err
					p.Kill()
				case <-p.done:
				}
			}()
		})
		require.True(t, kills[0].Asked)
		require.Empty(t, kills[0].Exit)
		if err == nil {
			require.NotContains(t, fmt.Sprint(kills), "exit status")
			continue
		}
		require.Equal(t, check.Kill{At: kills[1].At, Part: partWorker, Asked: true, Exit: "exit status 1"}, kills[1])
	}
}

func TestAPartThatDoesNotStopIsKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet()
		require.Equal(t, "still ran 1m0s after it was asked to stop", stop(t.Context(), p, true))
		require.EqualValues(t, 1, p.kill.Load())
	})
}

func TestAPartThatEndsByItselfIsStartedAgainAndNoted(t *testing.T) {
	t.Parallel()
	wild, calm := context.WithCancel(t.Context())
	calm()
	kills := kept(t, wild, killSpec{outage: outage{Every: time.Nanosecond}}, 2, func(p *puppet) {
		if p.err = errors.New("exit status 2"); !t.Failed() {
			p.Kill()
		}
	})
	require.NotEmpty(t, kills)
	require.Equal(t, "exit status 2", kills[0].Exit, "and nothing is killed once all is calm")
}

func TestAPartThatCannotBeStartedAgainEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	end()
	p := part{name: partDoor, start: func(context.Context) (running, error) { return nil, errors.New("port in use") }}
	_, err := p.again(ctx)
	require.EqualError(t, err, "start door again: port in use")
}

func TestAChildIsGoneOnceItIsKilled(t *testing.T) {
	t.Parallel()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	c, err := spawn("/bin/cat", []string{"/dev/zero"}, inherited(), nil)
	require.NoError(t, err)
	c.Kill()
	<-c.Done()
	require.ErrorContains(t, c.Err(), "killed")
	_, err = spawn(filepath.Join(t.TempDir(), "none"), nil, nil, log)
	require.Error(t, err)
}

// consuming runs a consumer behind HTTP, and returns what it logged.
func consuming(t *testing.T, spec consumerSpec) (c *consumer, url string, requests func() []check.Request) {
	t.Helper()
	dir := t.TempDir()
	log, err := openRecord(dir, check.ConsumerLog)
	require.NoError(t, err)
	c = &consumer{spec: spec, log: log, keys: auth.NewSimpleKeyProvider(apiKey, apiSecret), random: newRandom(1, theConsumer)}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return c, s.URL + announcePath, func() []check.Request {
		l, err := check.Read(dir)
		require.NoError(t, err)
		return l.Consumer
	}
}

// send sends a webhook once, whatever becomes of the answer.
func send(t *testing.T, url, secret string) {
	t.Helper()
	req, err := sender.Request(t.Context(), url, apiKey, secret, []byte(`{"event":"egress_ended","id":"EV_1","egressInfo":{"egressId":"EG_1"}}`))
	require.NoError(t, err)
	if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
		require.NoError(t, res.Body.Close())
	}
}

func TestTheConsumerWritesDownWhatCameAndHowItAnswered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec     consumerSpec
		secret   string
		answer   int
		verified bool
	}{
		"all is well":           {consumerSpec{}, apiSecret, http.StatusOK, true},
		"another's signature":   {consumerSpec{}, strings.Repeat("x", 40), http.StatusOK, false},
		"it fails":              {consumerSpec{Error: 1}, apiSecret, http.StatusInternalServerError, true},
		"its answer gets lost":  {consumerSpec{Cut: 1}, apiSecret, http.StatusOK, true},
		"it is slow but is fit": {consumerSpec{Slow: 1}, apiSecret, http.StatusOK, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url, requests := consuming(t, tc.spec)
			send(t, url, tc.secret)
			require.Len(t, requests(), 1)
			r := requests()[0]
			require.Equal(t, []any{announcePath, tc.answer, tc.verified}, []any{r.Path, r.Answer, r.Verified})
			require.Contains(t, r.Body, "EG_1")
			require.Equal(t, "application/webhook+json", r.Header.Get("Content-Type"))
			require.Empty(t, r.Header.Get("Authorization"))
		})
	}
	c, url, requests := consuming(t, consumerSpec{})
	c.away.Store(true)
	_, err := http.Post(url, "application/webhook+json", strings.NewReader("{}"))
	require.Error(t, err)
	require.Empty(t, requests(), "who is away knows of nothing")
}

func TestTheConsumerIsAwayNowAndThenUntilAllIsCalm(t *testing.T) {
	t.Parallel()
	c, _, _ := consuming(t, consumerSpec{Away: outage{Every: time.Nanosecond, Down: time.Hour}})
	ctx, calm := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.comeAndGo(ctx, 7) }()
	require.Eventually(t, c.away.Load, 10*time.Second, time.Millisecond)
	calm()
	<-done
	require.False(t, c.away.Load())
}

// forgetful is a door that knows no egress and no room.
type forgetful struct {
	livekit.Egress
	livekit.RoomService
}

func (forgetful) StopEgress(context.Context, *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	return nil, twirp.NotFoundError("egress does not exist")
}

func (forgetful) DeleteRoom(context.Context, *livekit.DeleteRoomRequest) (*livekit.DeleteRoomResponse, error) {
	return nil, twirp.NotFoundError("requested room does not exist")
}

func TestAStopThatIsRefusedForGoodIsWrittenDown(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle(livekit.EgressPathPrefix, livekit.NewEgressServer(forgetful{}))
	mux.Handle(livekit.RoomServicePathPrefix, livekit.NewRoomServiceServer(forgetful{}))
	door := httptest.NewServer(mux)
	t.Cleanup(door.Close)
	a := &agent{scenario: scenario{Agent: agentSpec{Patience: time.Minute}}, http: door.Client(), token: grant, door: door.URL}
	for end, want := range map[string]check.Outcome{endStop: check.Refused, endDelete: ""} {
		var stopped check.Agent
		require.NoError(t, a.after(t.Context(), plan{end: end}, progress{answer: &check.Agent{EgressID: "EG_1"}}, func(e check.Agent) error {
			stopped = e
			return nil
		}))
		require.Equal(t, check.Stopped, stopped.Did)
		require.Contains(t, stopped.Error, "does not exist")
		require.Equal(t, want, stopped.Outcome, end)
	}
}

func TestWhichErrorsAnAgentTakesForFinal(t *testing.T) {
	t.Parallel()
	for code, want := range map[twirp.ErrorCode]bool{
		twirp.NotFound: true, twirp.InvalidArgument: true, twirp.AlreadyExists: true, twirp.PermissionDenied: true, twirp.Unauthenticated: true, twirp.FailedPrecondition: true,
		twirp.Unavailable: false, twirp.ResourceExhausted: false, twirp.DeadlineExceeded: false, twirp.Internal: false, twirp.Unknown: false, twirp.Canceled: false,
	} {
		require.Equal(t, want, final(twirp.NewError(code, "x")), code)
	}
	require.False(t, final(errors.New("connection refused")))
	require.False(t, final(nil))
}
