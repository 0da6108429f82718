package webhook_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

const project = egress.WebhookPath

var (
	errClosed  = &egress.Error{Reason: egress.AlreadyOver, Message: "egress/x has closed"}
	errUnknown = &egress.Error{Reason: egress.NotFound, Message: "signal egress/x: workflow not found for ID: egress/x"}
)

// answers returns Temporal's answer for each workflow; all others accept their signals.
func answers(by map[string]error) func(context.Context, string) error {
	return func(_ context.Context, workflowID string) error { return by[workflowID] }
}

func TestAnEgressEventFindsItsWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t) // for its tokens: each case has a bench of its own with the same secret
	url := func(id string) string { return "https://reel.example.com" + b.path(id) }
	wrong := func(path string) string { return path[:len(path)-3] + "xxx" }
	other := "https://example.com/hook"
	for name, tc := range map[string]struct {
		path, event string
		answers     map[string]error
		reason      webhook.Reason
		signalled   []string
	}{
		"by the token of the URL": {b.path("req-1"), egressEvent(egress.EventStarted, "EG_unknown", other), nil,
			webhook.Accepted, []string{"egress/req-1"}},
		"by the token of the URL before the echoed one": {b.path("req-1"), egressEvent(egress.EventStarted, egressID, url("req-2")), nil,
			webhook.Accepted, []string{"egress/req-1"}},
		"by the echoed token": {project, egressEvent(egress.EventUpdated, "EG_unknown", url("req-2")), nil,
			webhook.Accepted, []string{"egress/req-2"}},
		"by its egress ID": {project, egressEvent(egress.EventEnded, egressID, other), nil,
			webhook.LookedUp, []string{"egress/found"}},
		"with a slash behind the path": {project + "/", egressEvent(egress.EventEnded, egressID, other), nil,
			webhook.LookedUp, []string{"egress/found"}},
		"by its egress ID where the URL's MAC is wrong": {wrong(b.path("req-1")), egressEvent(egress.EventEnded, egressID, other), nil,
			webhook.WrongMAC, []string{"egress/found"}},
		"by its egress ID where the path is no token": {project + "/left/over", egressEvent(egress.EventEnded, egressID, other), nil,
			webhook.WrongMAC, []string{"egress/found"}},
		"by the echoed token where the URL's MAC is wrong": {wrong(b.path("req-1")), egressEvent(egress.EventEnded, egressID, url("req-2")), nil,
			webhook.WrongMAC, []string{"egress/req-2"}},
		"by its egress ID where the echoed MAC is wrong": {project, egressEvent(egress.EventEnded, egressID, wrong(url("req-2"))), nil,
			webhook.LookedUp, []string{"egress/found"}},
		"an event that a newer LiveKit adds": {b.path("req-1"), egressEvent("egress_paused", egressID, other), nil,
			webhook.Accepted, []string{"egress/req-1"}},
		"adopted, where the start went past Temporal": {b.path("req-1"), egressEvent(egress.EventEnded, egressID, url("req-1")),
			map[string]error{"egress/req-1": errUnknown},
			webhook.LookedUp, []string{"egress/req-1", "egress/found"}},
		"nowhere": {project, egressEvent(egress.EventEnded, "EG_unknown", other), nil,
			webhook.Unknown, []string{}},
		"nowhere, with a token of ours: adopted now": {b.path("req-1"), egressEvent(egress.EventEnded, "EG_unknown", url("req-1")),
			map[string]error{"egress/req-1": errUnknown},
			webhook.Adopted, []string{"egress/req-1"}},
		"nowhere, with a wrong MAC": {wrong(b.path("req-1")), egressEvent(egress.EventEnded, "EG_unknown", other), nil,
			webhook.Unknown, []string{}},
		"found and gone: adopted again": {project, egressEvent(egress.EventEnded, egressID, other), map[string]error{"egress/found": errUnknown},
			webhook.Adopted, []string{"egress/found"}},
		"too late, by the token": {b.path("req-1"), egressEvent(egress.EventEnded, egressID, url("req-1")),
			map[string]error{"egress/req-1": errClosed},
			webhook.Late, []string{"egress/req-1"}},
		"too late, by the egress ID": {wrong(b.path("req-1")), egressEvent(egress.EventEnded, egressID, other),
			map[string]error{"egress/found": errClosed},
			webhook.Late, []string{"egress/found"}},
		"no ID: an automatic egress that never started": {project, egressEvent(egress.EventEnded, "", other), nil,
			webhook.NoEgressID, []string{}},
		"no EgressInfo": {project, `{"event":"egress_ended","id":"EV_1"}`, nil,
			webhook.NoEgressID, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.answer = answers(tc.answers)
			if tc.reason == webhook.Late {
				b.temporal.adopt = errOver
			}
			require.Equal(t, 200, b.post(t, tc.path, tc.event))
			require.Equal(t, tc.signalled, b.temporal.workflows())
			b.became(t, tc.reason)
			for _, s := range b.temporal.taken() {
				require.Equal(t, egress.SignalObserved, s.name)
				require.Equal(t, "EV_1", s.requestID)
			}
		})
	}
}

// Visibility can be ahead: its store keeps what Temporal's database has lost.
func TestAFoundWorkflowThatItsTokenHasNamedIsNotAskedTwiceButAdopted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.temporal.byID[egressID] = "egress/req-1"
	b.temporal.answer = answers(map[string]error{"egress/req-1": errUnknown})
	require.Equal(t, 200, b.post(t, b.path("req-1"), started()))
	require.Equal(t, []string{"egress/req-1"}, b.temporal.workflows())
	require.Equal(t, []string{"req-1 by EV_1"}, b.temporal.adopted)
	b.became(t, webhook.Adopted)
}

func TestAnEgressThatWasStartedWhileTemporalWasAwayIsAdoptedByItsToken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		signal error
		adopt  error
		status int
		reason webhook.Reason
	}{
		"with the event that told of it":           {errUnknown, nil, 200, webhook.Adopted},
		"later, when Temporal is away yet":         {errUnknown, errors.New("away"), 503, webhook.TemporalFailed},
		"also where its workflow had failed":       {errClosed, nil, 200, webhook.Adopted},
		"but not where its workflow has completed": {errClosed, errOver, 200, webhook.Late},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.adopt = tc.adopt
			b.temporal.answer = func(context.Context, string) error { return tc.signal }
			require.Equal(t, tc.status, b.post(t, b.path("req-1"), egressEvent(egress.EventUpdated, "EG_new", "https://example.com")))
			require.Equal(t, []string{"req-1 by EV_1"}, b.temporal.adopted)
			b.became(t, tc.reason)
		})
	}
}

func TestAHintReachesTheEgressesThatItConcerns(t *testing.T) {
	t.Parallel()
	left := func(identity string) string {
		return `{"event":"participant_left","id":"EV_1","room":{"name":"daily"},"participant":{"identity":"` + identity + `"}}`
	}
	finished := `{"event":"room_finished","id":"EV_1","room":{"name":"daily","sid":"RM_1"}}`
	for name, tc := range map[string]struct {
		event     string
		answers   map[string]error
		reason    webhook.Reason
		signalled []string
	}{
		"all of a room":                 {finished, nil, webhook.Hinted, []string{"egress/a", "egress/b"}},
		"those that run still":          {finished, map[string]error{"egress/a": errClosed}, webhook.Hinted, []string{"egress/a", "egress/b"}},
		"those that run first":          {finished, map[string]error{"egress/b": errUnknown}, webhook.Hinted, []string{"egress/a", "egress/b"}},
		"none that runs":                {finished, map[string]error{"egress/a": errClosed, "egress/b": errUnknown}, webhook.Ignored, []string{"egress/a", "egress/b"}},
		"none of a room without egress": {strings.ReplaceAll(finished, "daily", "other"), nil, webhook.Ignored, []string{}},
		"none without a name":           {`{"event":"room_finished","room":{"sid":"RM_1"}}`, nil, webhook.Ignored, []string{}},
		"the one whose recorder left":   {left(egressID), nil, webhook.Hinted, []string{"egress/found"}},
		"none for an unknown recorder":  {left("EG_unknown"), nil, webhook.Ignored, []string{}},
		"none for a person":             {left("alice"), nil, webhook.Ignored, []string{}},
		"none for nobody":               {`{"event":"participant_left"}`, nil, webhook.Ignored, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.temporal.answer = answers(tc.answers)
			require.Equal(t, 200, b.post(t, project, tc.event))
			require.Equal(t, tc.signalled, b.temporal.workflows())
			b.became(t, tc.reason)
			for _, s := range b.temporal.taken() {
				require.Equal(t, egress.SignalHint, s.name)
				require.Equal(t, "EV_1", s.requestID)
			}
		})
	}
}

func TestAHintThatOneDoesNotGetReachesTheOthersAndIsSentAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.temporal.answer = answers(map[string]error{"egress/a": errors.New("down")})
	event := `{"event":"room_finished","id":"EV_1","room":{"name":"daily"}}`
	require.Equal(t, 503, b.post(t, project, event))
	b.became(t, webhook.TemporalFailed)
	b.temporal.answer = answers(nil)
	require.Equal(t, 200, b.post(t, project, event))
	require.Equal(t, []string{"egress/a", "egress/b", "egress/a", "egress/b"}, b.temporal.workflows())
	require.EqualValues(t, 1, b.counts(t)[webhook.Hinted])
}

func TestWhatConcernsNoEgressIsTakenAndIgnored(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"track_published", "track_unpublished", "participant_joined", "room_started", "ingress_ended", "brand_new", ""} {
		b := newBench(t)
		require.Equal(t, 200, b.post(t, project, `{"event":"`+event+`","participant":{"identity":"EG_1"},"room":{"name":"daily"}}`))
		require.Empty(t, b.temporal.taken())
		b.became(t, webhook.Ignored)
	}
}

// LiveKit always sends an ID. If it ever does not, the same body must still be the same event,
// whatever its spacing, and another body another event.
func TestAnEventWithoutAnIDGetsOneThatStays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	event := strings.Replace(started(), `"id":"EV_1", `, "", 1)
	require.Equal(t, 200, b.post(t, project, event))
	require.Equal(t, 200, b.post(t, project, strings.ReplaceAll(event, ", ", ",  ")))
	require.Equal(t, 200, b.post(t, project, strings.Replace(event, "_started", "_updated", 1)))
	s := b.temporal.taken()
	require.Len(t, s, 3)
	require.Regexp(t, `^body-[0-9a-f]{32}$`, s[0].requestID)
	require.Equal(t, s[0].requestID, s[1].requestID)
	require.NotEqual(t, s[0].requestID, s[2].requestID)
}

// Temporal would always refuse it.
func TestAnIDThatIsTooLongForTemporalIsReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{strings.Repeat("x", 255), strings.Repeat("x", 3000)} {
		require.Equal(t, 200, b.post(t, project, strings.Replace(started(), "EV_1", id, 1)))
	}
	s := b.temporal.taken()
	require.Len(t, s, 2)
	require.Len(t, s[0].requestID, 255)
	require.Regexp(t, `^body-[0-9a-f]{32}$`, s[1].requestID)
}

func TestAProbeIsAnsweredAndTouchesNothing(t *testing.T) {
	t.Parallel()
	for _, at := range []func(*bench) string{func(*bench) string { return project }, func(b *bench) string { return b.path("doctor") }} {
		b := newBench(t)
		res := b.do(t, b.request(t, at(b), `{"event":"reelkeeper.probe","id":"EV_probe"}`))
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "webhook", res.Header.Get(egress.HeaderEndpoint))
		require.Empty(t, b.temporal.taken())
		b.became(t, webhook.Probe)
	}
}
