package activities

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// An upgrade may come between two attempts, so the names in JSON stay as they are.
func TestWhatAnAttemptNotesForTheNextIsReadAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		into  any
		noted string
	}{
		"a poll": {&sight{}, `{
			"missing_since": "2026-05-04T12:00:01Z", "room_gone": "2026-05-04T12:00:02Z", "recorder_gone": "2026-05-04T12:00:03Z", "seen": true,
			"end_expected": "2026-05-04T12:00:04Z", "idle_since": "2026-05-04T12:00:05Z", "ending": true, "end_attempt": 6
		}`},
		"a look at media": {&egress.MediaReport{}, `{"media": "truncated", "because": "it is too short", "files": [{
			"kind": "segments", "path": "daily/", "location": "s3://bucket/daily/", "count": 1, "size": 2, "want": 3, "length": "4s", "media": "truncated", "silent": true, "unfinished": true
		}]}`},
		"a round": {&progress{}, `{"after": "EG_1", "deep": true, "began": "2026-05-04T12:00:01Z", "round": {
			"at": "2026-05-04T12:00:02Z", "deep_at": "2026-05-04T12:00:03Z", "anew": "2026-05-04T12:00:04Z", "took": "5s", "sought_at": "2026-05-04T12:00:06Z", "stranded": {"r:v1": "2026-05-04T12:00:07Z"},
			"seen": 1, "active": 2, "workflows": 3, "asked": 4, "sought": 5, "adopted": 6, "nudged": 7, "twins": 8, "parts": 9, "suspected": 10,
			"quarantined": 11, "seen_before": 12, "waiting": 13, "failed": 14, "livekit_calls": 15,
			"words": ["a stray"], "unrecorded": ["daily"], "recording": ["standup"]
		}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, json.Unmarshal([]byte(tc.noted), tc.into))
			kept, err := json.Marshal(tc.into)
			require.NoError(t, err)
			require.JSONEq(t, tc.noted, string(kept))
		})
	}
}
