package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/workflows"
)

const (
	requestID = "standup-1"
	egressID  = "EG_1"
	roomID    = "RM_1"
)

// life is one egress workflow on Temporal's time-skipping test environment, with
// LiveKit and the consumer played by functions. Only pure unit tests use it; what
// the parts do to each other is shown in e2e.
type life struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	worker  *workflows.Workflows
	began   time.Time
	counted *metrics

	start    func(ctx context.Context) (activities.Started, error)
	started  func(ctx context.Context, in activities.StartRequest) (activities.Started, error) // in the place of start, for parts
	poll     func(in activities.PollRequest) (egress.Look, error)
	stop     func(id string) (egress.Info, error)
	answers  func(id string) (egress.Info, error) // a probe, if its worker is to answer before it is stopped
	announce func(e egress.Event) error
	forgot   bool // LiveKit does not know the bound egress, when another one is seen
	absent   bool // its recorder is not in the room then
	broke    bool // or has its failure
	stopTwin func() (activities.TwinAnswer, error)
	twin     func(in activities.TwinRequest) (activities.TwinAnswer, error) // in the place of what comes before

	announceTo func(in activities.Announcement) error // to the pipeline's consumers
	asked      []activities.Announcement              // every attempt to announce, to whomever
	tell       func(in activities.TellRequest) error

	mu        sync.Mutex // activities run beside each other
	polls     []activities.PollRequest
	stops     []string
	asks      int // probes, which ask before they stop
	announced []egress.Event
	heard     []time.Duration // when each announcement was made, from the beginning on
	told      []string        // of the caller's own webhooks: which, and of what
}

// terms are the defaults, with one delivery step. Nothing is held or corrected, but in
// the tests of just that.
func terms() egress.Terms {
	p := egress.DefaultPolicy()
	p.HoldFor, p.CorrectFor = 0, 0
	return egress.Terms{Policy: p, Steps: []string{egress.StepAnnounce}, AnnounceFor: egress.Duration(72 * time.Hour)}
}

// newEnv is Temporal's time-skipping test environment for one workflow of that ID.
func newEnv(workflowID string) *testsuite.TestWorkflowEnvironment {
	return countedEnv(workflowID, client.MetricsNopHandler)
}

// countedEnv is one whose workflow counts into that.
func countedEnv(workflowID string, into client.MetricsHandler) *testsuite.TestWorkflowEnvironment {
	var s testsuite.WorkflowTestSuite
	s.SetMetricsHandler(into)
	return envOf(&s, workflowID)
}

func envOf(s *testsuite.WorkflowTestSuite, workflowID string) *testsuite.TestWorkflowEnvironment {
	env := s.NewTestWorkflowEnvironment()
	env.SetStartTime(time.Unix(1, 0)) // LiveKit's times count from there, too
	env.SetDataConverter(payload.Converter())
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflowID, TaskQueue: egress.TaskQueue})
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	return env
}

func newLife(t *testing.T) *life {
	t.Helper()
	l := &life{t: t, counted: &metrics{all: map[string][]labels{}}}
	l.TestWorkflowEnvironment = countedEnv(egress.WorkflowID(requestID), labelled{MetricsHandler: client.MetricsNopHandler, into: l.counted})
	l.began = l.Now()
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: info(t, lk.EgressStatus_EGRESS_STARTING), Terms: terms()}, nil
	}
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{Info: info(t, lk.EgressStatus_EGRESS_COMPLETE)}, nil
	}
	l.stop = func(string) (egress.Info, error) { return info(t, lk.EgressStatus_EGRESS_ENDING), nil }
	l.stopTwin = func() (activities.TwinAnswer, error) { return activities.TwinAnswer{}, nil }
	l.announce = func(egress.Event) error { return nil }
	l.tell = func(activities.TellRequest) error { return nil }
	l.announceTo = func(activities.Announcement) error { return nil }
	l.register()
	return l
}

func (l *life) register() {
	l.worker = &workflows.Workflows{Terms: terms()}
	l.RegisterWorkflowWithOptions(l.worker.Egress, workflow.RegisterOptions{Name: egress.WorkflowType})
	l.RegisterWorkflowWithOptions(l.worker.Redelivery, workflow.RegisterOptions{Name: egress.RedeliveryType})
	for name, fn := range map[string]any{
		"Start": func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
			if l.started != nil {
				return l.started(ctx, in)
			}
			return l.start(ctx)
		},
		"Poll": func(_ context.Context, in activities.PollRequest) (egress.Look, error) {
			l.note(func() { l.polls = append(l.polls, in) })
			return l.poll(in)
		},
		"Stop": func(_ context.Context, id string, ask bool) (egress.Info, error) {
			if ask {
				l.note(func() { l.asks++ })
			}
			if ask && l.answers != nil {
				return l.answers(id)
			}
			l.note(func() { l.stops = append(l.stops, id) })
			return l.stop(id)
		},
		"StopTwin": func(_ context.Context, in activities.TwinRequest) (activities.TwinAnswer, error) {
			if l.twin != nil {
				return l.twin(in)
			}
			if in.Bound != "" && l.forgot {
				return activities.TwinAnswer{BoundMissing: true}, nil
			}
			if in.Bound != "" && in.Room != "" && l.absent {
				return activities.TwinAnswer{BoundAbsent: true}, nil
			}
			if in.Bound != "" && l.broke {
				return activities.TwinAnswer{BoundFailed: info(l.t, lk.EgressStatus_EGRESS_FAILED)}, nil
			}
			if !in.Over {
				l.note(func() { l.stops = append(l.stops, in.Twin) })
				return l.stopTwin()
			}
			return activities.TwinAnswer{}, nil
		},
		"Announce": func(_ context.Context, in activities.Announcement) error {
			l.note(func() { l.asked = append(l.asked, in) })
			if in.Consumer != nil {
				return l.announceTo(in)
			}
			if err := l.announce(in.Event); err != nil {
				return err
			}
			l.note(func() {
				l.announced = append(l.announced, in.Event)
				l.heard = append(l.heard, l.Now().Sub(l.began))
			})
			return nil
		},
		"Tell": func(_ context.Context, in activities.TellRequest) error {
			if err := l.tell(in); err != nil {
				return err
			}
			l.note(func() { l.told = append(l.told, fmt.Sprintf("%d %s", in.Webhook, in.Event.Proto().GetEvent())) })
			return nil
		},
	} {
		l.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

// note notes what an activity was asked.
func (l *life) note(what func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what()
}

// at schedules what happens after that long.
func (l *life) at(after time.Duration, do func()) { l.RegisterDelayedCallback(do, after) }

// webhook is LiveKit's webhook arriving after that long.
func (l *life) webhook(after time.Duration, event string, m *lk.EgressInfo) {
	l.at(after, func() { l.SignalWorkflow(egress.SignalObserved, webhook(l.t, event, m)) })
}

// run executes the workflow to its end.
func (l *life) run(in egress.Input) (egress.Verdict, error) {
	if in.Carried != nil {
		l.SetContinuedExecutionRunID(earlierRun)
	}
	l.ExecuteWorkflow(egress.WorkflowType, in)
	require.True(l.t, l.IsWorkflowCompleted(), "the workflow still runs")
	if err := l.GetWorkflowError(); err != nil {
		return egress.Verdict{}, err
	}
	var v egress.Verdict
	require.NoError(l.t, l.GetWorkflowResult(&v))
	return v, nil
}

func (l *life) mustRun(in egress.Input) egress.Verdict {
	l.t.Helper()
	v, err := l.run(in)
	require.NoError(l.t, err)
	return v
}

// took is how long the workflow has run by its own clock.
func (l *life) took() time.Duration { return l.Now().Sub(l.began) }

func plainInput(t *testing.T) egress.Input {
	t.Helper()
	var in egress.Input
	require.NoError(t, json.Unmarshal([]byte(`{"room_composite":{"room_name":"standup","file_outputs":[{"filepath":"{room_name}.mp4"}]}}`), &in))
	return in
}

func message(id string, s lk.EgressStatus) *lk.EgressInfo {
	m := &lk.EgressInfo{EgressId: id, RoomId: roomID, RoomName: "standup", Status: s, StartedAt: 1}
	if s >= lk.EgressStatus_EGRESS_COMPLETE {
		m.EndedAt = 2
	}
	return m
}

func info(t *testing.T, s lk.EgressStatus) egress.Info {
	t.Helper()
	i, err := egress.NewInfo(message(egressID, s))
	require.NoError(t, err)
	return i
}

func infoOf(t *testing.T, m *lk.EgressInfo) egress.Info {
	t.Helper()
	i, err := egress.NewInfo(m)
	require.NoError(t, err)
	return i
}

// nothingNew is LiveKit's answer to a poll: it has the egress as we heard of it.
func (l *life) nothingNew(in activities.PollRequest) (egress.Look, error) {
	m := message(in.EgressID, in.Have)
	m.UpdatedAt = 1
	return egress.Look{Info: infoOf(l.t, m)}, nil
}

func webhook(t *testing.T, event string, m *lk.EgressInfo) egress.Event {
	t.Helper()
	i, err := egress.NewInfo(m)
	require.NoError(t, err)
	b, err := json.Marshal(map[string]any{"event": event, "id": fmt.Sprintf("EV_%s_%s", m.GetEgressId(), m.GetStatus()), "egressInfo": i})
	require.NoError(t, err)
	e, err := egress.ParseEvent(b)
	require.NoError(t, err)
	return e
}

func hint(t *testing.T, event, sid, identity string) egress.Event {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"event": event, "id": "EV_hint", "room": map[string]any{"sid": sid, "name": "standup"},
		"participant": map[string]any{"identity": identity},
	})
	require.NoError(t, err)
	e, err := egress.ParseEvent(b)
	require.NoError(t, err)
	return e
}

func payloads() converter.DataConverter { return payload.Converter() }

// state is the answer to the state query.
func (l *life) state() egress.State {
	l.t.Helper()
	v, err := l.QueryWorkflow(egress.QueryState)
	require.NoError(l.t, err)
	var s egress.State
	require.NoError(l.t, v.Get(&s))
	return s
}

// slowStart lets LiveKit take that long for the start.
func (l *life) slowStart(d time.Duration) {
	l.OnActivity("Start", mock.Anything, mock.Anything).After(d).Return(func(ctx context.Context, _ activities.StartRequest) (activities.Started, error) {
		return l.start(ctx)
	})
}

// update asks something of the workflow; what it answers goes into told.
func (l *life) update(name, id string, told *error, args ...any) {
	l.UpdateWorkflow(name, id, &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { *told = err },
		OnComplete: func(_ any, err error) { *told = err },
	}, args...)
}

// downFor is what a consumer says that is down until the life has taken so long, and is tried
// again after each wait.
func (l *life) downFor(d, wait time.Duration) error {
	if l.Now().Before(l.began.Add(d)) {
		return temporal.NewApplicationErrorWithOptions("down", string(egress.ConsumerFailed), temporal.ApplicationErrorOptions{NextRetryDelay: wait})
	}
	return nil
}

// ann asks for stops.
var ann = egress.AskedBy("API1", "ann")

func (l *life) askStop(id string, told *error) {
	if told == nil {
		told = new(error)
	}
	l.update(egress.UpdateStop, id, told, egress.StopUpdate{AskedBy: ann})
}

// realTemporal is a client of a real server, for what the test environment does not play.
func realTemporal(t *testing.T) client.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	server, err := devtemporal.Start(t.Context(), devtemporal.Options{Headless: true, SearchAttributes: egress.Attributes(), Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	c, err := client.Dial(client.Options{HostPort: server.Address, DataConverter: payload.Converter(), Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}
