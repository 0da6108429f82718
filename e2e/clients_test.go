package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// An agent makes its calls at a URL, and reports each answer. Its rooms begin with
// "agent".
type agent func(t *testing.T, url string) report

func TestAnAgentIsAnsweredAtTheDoorAsByLiveKitItself(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		agent agent
	}{
		{"Node SDK", nodeAgent},
		{"Go SDK, protobuf", goAgent(sdkClients)},
		{"generated clients, JSON", goAgent(jsonClients)},
		{"raw HTTP", rawAgent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var equal fakelivekit.Config
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				unhurried(&fake.Timings)
				equal = *fake
				environ["REELKEEPER_FAIL_OPEN_AFTER"], environ["REELKEEPER_DELETE_ROOM_WAIT"] = "off", "8s"
			})
			w.startWorker()
			equal.WebhookURLs = nil // LiveKit's answers do not depend on them
			alone, err := fakelivekit.New(equal)
			require.NoError(t, err)
			require.NoError(t, alone.Start())
			t.Cleanup(func() { _ = alone.Close() })

			direct, door := directAndDoor.report(t,
				func(t *testing.T) report { return tt.agent(t, alone.URL()) },
				func(t *testing.T) report { return tt.agent(t, w.door.URL) })

			unexpected, seen := directAndDoor.compare(direct, door, added)
			for _, d := range unexpected {
				t.Error(d)
			}
			for n, d := range added {
				if direct.has(d.step) && !seen[n] {
					t.Errorf("%s: %s: the table allows a difference that is none (%s)", d.step, d.path, d.because)
				}
			}
		})
	}
}

// unhurried lets each answer arrive before the next event, as with the real LiveKit: in a test, an
// egress is faster, but the way through the door is not.
func unhurried(fake *fakelivekit.Timings) {
	fake.ActiveMedia, fake.ActiveTemplate, fake.ActiveWeb = 5*time.Second, 5*time.Second, 5*time.Second
	fake.Ending, fake.AbortConfirms = time.Second, time.Second
	fake.EmptyTimeout = time.Hour // a slow machine takes long
}

// added lists every answer in which the door differs from LiveKit on purpose. An entry that no
// longer applies is an error, too.
var added = []allowed{
	{
		"start with a webhook that nobody can sign", "",
		"LiveKit accepts the name of a key that it does not know, and then sends none of the request's webhooks: the door refuses it",
	},
	{
		"start again with the key", "answer.egressId",
		"the same Idempotency-Key is the same egress; to LiveKit the header means nothing",
	},
	{
		"it has ended with its room: *", "answer*.details",
		"the door stops what records a room before it deletes the room, so that no seconds get lost",
	},
	{
		"list all of the room that was", "answer*.details",
		"the same, in the list",
	},
	{
		"*start by hand*", "answer.requestID",
		"a header says under which ID a start can be asked again",
	},
}
