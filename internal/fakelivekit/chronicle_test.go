package fakelivekit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// chapter is a line of the chronicle, as far as these tests read it.
type chapter struct {
	At     time.Time
	Up     bool
	Start  string
	Egress *struct {
		ID, Room, URL, Host, Status string
		Faults                      []string
		Ended                       time.Time
		Recorded, Dead              bool
	}
	Webhook *struct {
		Event, Outcome string
		EgressID       string `json:"egress_id"`
	}
}

func chaptersOf(t *testing.T, path string) (all []chapter, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		var c chapter
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		require.False(t, c.At.IsZero())
		all = append(all, c)
	}
	return all, string(b)
}

func TestTheChronicleTellsALifeAcrossRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "chronicle")
	f := start(t, func(c *fakelivekit.Config) {
		c.Chronicle, c.StateFile = path, filepath.Join(dir, "state")
		c.Faults = map[fakelivekit.Fault]float64{fakelivekit.UploadFailed: 1}
	})
	require.NoError(t, f.AddRoom("standup", fakelivekit.RoomScript{}))
	info, err := f.egress.StartRoomCompositeEgress(t.Context(), &livekit.RoomCompositeEgressRequest{
		RoomName: "standup", FileOutputs: []*livekit.EncodedFileOutput{{
			Filepath: "x.mp4", Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{AccessKey: "canary-a", Secret: "canary-s", Bucket: "b"}},
		}},
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return f.Egresses()[0].Recorded }, patience, 5*time.Millisecond)
	require.NoError(t, f.Close())

	g := open(t, f.cfg, f.endpoint)
	require.NoError(t, g.EndCall("standup"))
	require.Eventually(t, func() bool { return !g.Egresses()[0].Ended.IsZero() && g.Egresses()[0].Told > 0 }, patience, 5*time.Millisecond)
	require.NoError(t, g.Close())

	chapters, text := chaptersOf(t, path)
	var states, ups []string
	sent := false
	for _, c := range chapters {
		switch {
		case c.Up:
			ups = append(ups, "up")
		case c.Egress != nil:
			require.Equal(t, []any{info.GetEgressId(), "standup", []string{"upload-failed"}}, []any{c.Egress.ID, c.Egress.Room, c.Egress.Faults})
			require.Equal(t, strings.TrimPrefix(f.URL(), "http://"), c.Egress.Host, "also after a restart")
			if len(states) == 0 || states[len(states)-1] != c.Egress.Status {
				states = append(states, c.Egress.Status)
			}
			require.Equal(t, c.Egress.Status == "EGRESS_FAILED", !c.Egress.Ended.IsZero())
		case c.Webhook != nil:
			sent = sent || c.Webhook.Event == "egress_ended" && c.Webhook.Outcome == "sent" && c.Webhook.EgressID == info.GetEgressId()
		default:
			require.Equal(t, "standup", c.Start)
		}
	}
	require.Equal(t, []string{"EGRESS_STARTING", "EGRESS_ACTIVE", "EGRESS_ENDING", "EGRESS_FAILED"}, states)
	require.Len(t, ups, 2)
	require.True(t, sent)
	require.NotContains(t, text, "canary", "it holds no credentials")
}

func TestTheChronicleNamesThePageAndWhatIsKeptBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chronicle")
	f := start(t, func(c *fakelivekit.Config) {
		c.Chronicle = path
		c.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1}
	})
	_, err := f.egress.StartWebEgress(t.Context(), &livekit.WebEgressRequest{Url: "https://example.com/page", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "x.mp4"}}})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	chapters, text := chaptersOf(t, path)
	require.Equal(t, "https://example.com/page", chapters[1].Start)
	require.Contains(t, text, `"url":"https://example.com/page"`)
	require.Contains(t, text, `"event":"egress_started"`)
	require.Contains(t, text, `"outcome":"suppressed"`)
	require.NotContains(t, text, `"outcome":"sent"`)
}

func TestAChronicleThatCannotBeWrittenIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret, Chronicle: filepath.Join(t.TempDir(), "none", "x")})
	require.ErrorContains(t, err, "Chronicle")
}
