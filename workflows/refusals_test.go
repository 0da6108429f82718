package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Who started it, or asks for it again, by other means than ours says nothing of what they ask for.
func TestARequestThatCannotBeComparedWithTheLivingOneIsNotRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ lives, asked string }{
		"nothing is known of what is asked for": {lives: "one"}, "nor of what lives": {asked: "one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			in := plainInput(t)
			in.Fingerprint = tc.lives
			told := errors.New("no answer")
			l.at(time.Second, func() { l.update(egress.UpdateStart, "start", &told, egress.StartUpdate{Fingerprint: tc.asked}) })

			l.mustRun(in)

			require.NoError(t, told)
		})
	}
}

// Whoever started it by other means than ours reads what to change.
func TestWhatIsNoRequestIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id       string
		argument string
		want     string
	}{
		"the ID is not one of ours": {"standup-1", `{"web":{"url":"https://example.com"}}`, `want "egress/<request ID>"`},
		"the argument is a list":    {egress.WorkflowID(requestID), `[]`, "request: is not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: tc.id, TaskQueue: egress.TaskQueue})

			l.ExecuteWorkflow(egress.WorkflowType, json.RawMessage(tc.argument))

			var app *temporal.ApplicationError
			require.ErrorAs(t, l.GetWorkflowError(), &app)
			require.Equal(t, string(egress.Invalid), app.Type())
			require.ErrorContains(t, app, tc.want)
		})
	}
}

// The activity's own failure says nothing that a caller knows, and is told as it is.
func TestTheCallerOfAStopHearsOfAFailureThatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failure error
		want    string
	}{
		"no worker took it":             {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil), "stop egress: "},
		"the worker's code has a fault": {temporal.NewNonRetryableApplicationError("index out of range", "codec", nil), "index out of range (type: codec"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			l.OnActivity("Stop", mock.Anything, mock.Anything, mock.Anything).Return(egress.Info{}, tc.failure)
			var told error
			l.at(time.Minute, func() { l.askStop("stop", &told) })
			l.webhook(2*time.Minute, egress.EventEnded, message(egressID, complete))

			l.mustRun(plainInput(t))

			require.ErrorContains(t, told, tc.want)
		})
	}
}

func TestAPartIsAskedForInTheNameOfTheRequestAndInTheRoomOfTheOneBefore(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(time.Minute, egress.EventEnded, part(2, complete, 60))

	l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	for n, room := range []string{"", roomID} {
		asked := (*starts)[n]
		require.Equal(t, requestID, asked.RequestID)
		require.Equal(t, "default-test-run-id", asked.RunID, "by which a reset is known")
		require.Equal(t, room, asked.RoomID, "another room of its name is none to go on in")
	}
}

// Nobody has heard of the stop's reason but the run before.
func TestACancelThatARunBeforeTookEndsTheWaitForALateSignOfLife(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	in, terms := plainInput(t), terms()
	terms.Policy = egress.DefaultPolicy()
	in.Carried = &egress.State{
		Terms: terms, Phase: egress.Watching, Part: 1, ID: egressID, Started: true, Latest: info(t, active), NewsAt: l.Now(),
		Stopped: egress.StopCancelled, StoppedAt: l.Now(), EndExpected: l.Now(),
	}

	v := l.mustRun(in)

	require.Equal(t, egress.Lost, v.Status)
	require.Less(t, l.took(), time.Hour)
}
