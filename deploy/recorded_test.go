package deploy_test

import (
	"encoding/json"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const histories = "workflows/testdata/histories"

// written are the histories that e2e's TestRecordHistories writes, by the release since which it
// does.
var written = []struct {
	since string
	names []string
}{
	{"v0.1", strings.Fields(`
		adopted cancelled canary canary-tells continued-first-run continued-second-run corrected correction elsewhere endpoint
		endpoint-first-run endpoint-second-run handed-back late lost media-behind media-last-look next-part-refused
		next-part-withdrawn notice noticed part-corrected parts-and-no-sign-of-life poll-end reconcile redelivery refused relayed reply-lost rerun
		retried-and-skipped step-again stopped twin webhook-end webhook-reorder whole-delivery
	`)},
}

// A recording that broke off would leave branches that no later version replays.
func TestEveryReleaseHasAllItsHistories(t *testing.T) {
	t.Parallel()
	have := map[string][]string{}
	for _, file := range files(t, ".json") {
		if of, ok := strings.CutPrefix(file, histories+"/"); ok {
			have[path.Dir(of)] = append(have[path.Dir(of)], strings.TrimSuffix(path.Base(of), ".json"))
		}
	}
	require.NotEmpty(t, have)
	for release, names := range have {
		var want []string
		for _, r := range written {
			if !older(release, r.since) {
				want = append(want, r.names...)
			}
		}
		assert.ElementsMatch(t, want, names, "%s/%s", histories, release)
	}
}

var (
	messages = regexp.MustCompile(`(?m)^\t(?:(?:Signal|Update)[A-Z]\w*)\s+= "([^"]+)"`)
	changes  = regexp.MustCompile(`workflow\.GetVersion\(\w+, ([^,]+),`)
)

// What running recordings can be told, and each workflow.GetVersion, is replayed: a change of what
// follows would be found.
func TestWhatWorkflowsAreToldAndHowTheyChangedIsRecorded(t *testing.T) {
	t.Parallel()
	var want []string
	for _, file := range files(t, ".go") {
		text := read(t, file)
		switch folder := path.Dir(file); {
		case strings.HasSuffix(file, "_test.go"):
		case folder == "egress":
			for _, m := range messages.FindAllStringSubmatch(text, -1) {
				want = append(want, m[1])
			}
		case folder == "workflows":
			want = append(want, changesIn(t, file, text)...)
		}
	}
	require.Contains(t, want, "endpoint.minute")
	said := map[string]bool{}
	for _, file := range files(t, ".json") {
		if strings.HasPrefix(file, histories) {
			noteSaid(t, said, read(t, file))
		}
	}
	for _, name := range want {
		assert.True(t, said[name], "no history has %q: record one with e2e's TestRecordHistories", name)
	}
}

// No workflow has had to change so yet: this is what it will look like.
func TestAChangeOfAWorkflowIsKnownInItsCodeAndInAHistory(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"look twice"}, changesIn(t, "look.go", `
// looksTwice is the change since which a look is repeated.
const looksTwice = "look twice"

func (e *run) look(ctx workflow.Context) {
	if workflow.GetVersion(ctx, looksTwice, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
`))
	said := map[string]bool{}
	noteSaid(t, said, `{"events": [{"eventType": "EVENT_TYPE_MARKER_RECORDED", "markerRecordedEventAttributes": {"markerName": "Version", "details": {
		"change-id": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "Imxvb2sgdHdpY2Ui"}]},
		"version": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}]}
	}}}]}`)
	require.True(t, said["look twice"])
}

// changesIn returns the IDs of the changes, each a workflow.GetVersion, in the text of a file.
func changesIn(t *testing.T, file, text string) (ids []string) {
	t.Helper()
	found := changes.FindAllStringSubmatch(text, -1)
	require.Len(t, found, strings.Count(text, "GetVersion("), file)
	for _, m := range found {
		ids = append(ids, changeID(t, text, m[1]))
	}
	return ids
}

// changeID returns the ID of a change that a file names by a constant.
func changeID(t *testing.T, text, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^(?:const |\t)` + name + `\s+= "([^"]+)"`).FindStringSubmatch(text)
	require.NotEmpty(t, m, "want a constant for the ID of the change, beside its use, got %s", name)
	return m[1]
}

// noteSaid notes the signals, updates and changes that are in a history.
func noteSaid(t *testing.T, said map[string]bool, text string) {
	t.Helper()
	var history struct {
		Events []struct {
			Signaled struct {
				SignalName string
			} `json:"workflowExecutionSignaledEventAttributes"`
			Accepted struct {
				AcceptedRequest struct{ Input struct{ Name string } }
			} `json:"workflowExecutionUpdateAcceptedEventAttributes"`
			Marked struct {
				Details map[string]struct{ Payloads []struct{ Data []byte } }
			} `json:"markerRecordedEventAttributes"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &history))
	for _, e := range history.Events {
		said[e.Signaled.SignalName], said[e.Accepted.AcceptedRequest.Input.Name] = true, true
		for _, p := range e.Marked.Details["change-id"].Payloads {
			var id string
			require.NoError(t, json.Unmarshal(p.Data, &id))
			said[id] = true
		}
	}
}
