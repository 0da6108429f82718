package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// A worker of one release executes activities that a workflow of another one has scheduled. So the
// arguments that any release has recorded must be today's: as many, and with the same fields, except
// for new ones that are left out when empty.
func TestWhatActivitiesWereGivenIsWhatTheyTakeToday(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../workflows/testdata/histories/*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	ours, scheduled := registered(t).activities, map[string]bool{}
	for _, file := range files {
		for _, e := range eventsOf(t, file) {
			a := e.GetActivityTaskScheduledEventAttributes()
			if q := a.GetTaskQueue().GetName(); q != egress.TaskQueue && q != egress.PollQueue { // none, or a step of a user's own
				continue
			}
			name := a.GetActivityType().GetName()
			f, ok := ours[name]
			require.True(t, ok, "%s: no worker has the activity %s", file, name)
			sent := a.GetInput().GetPayloads()
			require.Len(t, sent, f.NumIn()-1, "%s: what %s was given, and what it takes beside its context", file, name)
			for i, p := range sent {
				now := reflect.New(f.In(i + 1)).Interface()
				strict := json.NewDecoder(bytes.NewReader(p.GetData()))
				strict.DisallowUnknownFields()
				require.NoError(t, strict.Decode(now), "%s: %s", file, name)
				again, err := payload.Converter().ToPayload(now)
				require.NoError(t, err)
				require.JSONEq(t, string(p.GetData()), string(again.GetData()), "%s: %s", file, name)
			}
			scheduled[name] = true
		}
	}
	for name := range ours {
		require.True(t, scheduled[name], "no history has the activity %s: record one with e2e's TestRecordHistories", name)
	}
}

// eventsOf reads a recorded history.
func eventsOf(t *testing.T, file string) []*historypb.HistoryEvent {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var h historypb.History
	require.NoError(t, protojson.Unmarshal(b, &h))
	require.NotEmpty(t, h.GetEvents())
	return h.GetEvents()
}
