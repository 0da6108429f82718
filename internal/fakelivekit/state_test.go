package fakelivekit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// durable starts a server with a state file.
func durable(t *testing.T, change func(*fakelivekit.Config)) *fake {
	t.Helper()
	return start(t, func(cfg *fakelivekit.Config) {
		cfg.StateFile = stateFile(t)
		if change != nil {
			change(cfg)
		}
	})
}

// reborn returns what a new process finds after a kill -9 at this moment: the state file as it is now, and nothing else.
// The old server is not called; it continues without an endpoint, disturbing nobody.
func (f *fake) reborn(change func(*fakelivekit.Config)) *fake {
	f.Helper()
	data, err := os.ReadFile(f.cfg.StateFile)
	require.NoError(f, err)
	cfg := f.cfg
	cfg.StateFile = stateFile(f.T)
	require.NoError(f, os.WriteFile(cfg.StateFile, data, 0o600))
	e := newEndpoint(f.T)
	cfg.WebhookURLs = []string{e.URL + "/project"}
	if change != nil {
		change(&cfg)
	}
	return open(f.T, cfg, e)
}

func TestAnActiveEgressGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.active(id)
	again := f.reborn(nil)
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, again.listed(id).Status)
	require.NoError(t, errorOf(again.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: "daily", Identity: id})))
	again.deleteRoom("daily")
	got := again.ended(id).EgressInfo
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, got.Status)
	require.NotEmpty(t, got.FileResults[0].Location)
	all, _ := again.endpoint.all(func(received) bool { return true })
	require.NotEqual(t, webhook.EventRoomStarted, all[0].Event, "old events came again")
}

func TestWhatWasDueDuringADowntimeHappenedAndIsToldToNobody(t *testing.T) {
	t.Parallel()
	f := durable(t, func(cfg *fakelivekit.Config) { cfg.Timings.Remember = 24 * time.Hour })
	f.room("daily", fakelivekit.RoomScript{Call: time.Hour})
	id := f.record("daily")
	f.active(id)
	// Two hours pass: every time in the file moves two hours back.
	again := f.reborn(func(cfg *fakelivekit.Config) { rewind(t, cfg.StateFile, f.Egresses()[0].Accepted) })
	got := again.listed(id)
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, got.Status)
	require.Equal(t, "End reason: Source closed", got.Details)
	require.Equal(t, fakelivekit.Deliveries{Events: 1, Suppressed: 1}, again.Deliveries()[webhook.EventEgressEnded])
	resp, err := again.rooms.ListRooms(t.Context(), &livekit.ListRoomsRequest{})
	require.NoError(t, err)
	require.Empty(t, resp.Rooms)
	again.untold(func(received) bool { return true })
}

// rewind moves the call's planned end into the past.
func rewind(t *testing.T, path string, accepted time.Time) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	hour := accepted.Add(time.Hour).Format("2006-01-02T15:")
	past := accepted.Add(-time.Hour).Format("2006-01-02T15:")
	if !bytes.Contains(data, []byte(`"At":"`+hour)) {
		hour = accepted.Add(time.Hour - time.Minute).Format("2006-01-02T15:") // the call began before a full hour
	}
	require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(data, []byte(`"At":"`+hour), []byte(`"At":"`+past)), 0o600))
}

func TestAStartThatWasAcceptedBeforeAKillIsFoundAfterIt(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", always(fakelivekit.ReplyLost))
	require.Error(t, errorOf(f.egress.StartParticipantEgress(t.Context(), person("daily"))), "the reply came")
	again := f.reborn(nil)
	resp, err := again.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	require.Len(t, resp.Items, 1)
	truth := again.Egresses()
	require.Len(t, truth, 1)
	require.Equal(t, fakelivekit.ReplyLost, truth[0].Faults[0])
	require.Nil(t, truth[0].Request)
}

func TestAZombieStaysOneAfterAKill(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", always(fakelivekit.Zombie))
	id := f.record("daily")
	f.await(1, isRecorder("participant_left"))
	again := f.reborn(nil)
	require.ErrorContains(t, errorOf(again.stop(id)), "request timed out")
}

func TestEndedRoomsAndEgressesAreRemembered(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.active(id)
	f.deleteRoom("daily")
	f.ended(id)
	again := f.reborn(nil)
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, again.listed(id).Status)
	require.Error(t, errorOf(again.egress.StartParticipantEgress(t.Context(), person("daily"))), "the room lives again")
	again.room("daily", fakelivekit.RoomScript{})
	require.NotEqual(t, id, again.record("daily"))
}

func TestNoSecretIsInTheStateFile(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	req := person("daily")
	req.FileOutputs[0].Output = &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{AccessKey: "AKIAEXAMPLE", Secret: "topsecret", Bucket: "rec"}}
	_, err := f.egress.StartParticipantEgress(t.Context(), req)
	require.NoError(t, err)
	data, err := os.ReadFile(f.cfg.StateFile)
	require.NoError(t, err)
	for _, secret := range []string{"AKIAEXAMPLE", "topsecret", apiSecret} {
		require.NotContains(t, string(data), secret)
	}
	got := f.Egresses()[0].Request.(*livekit.ParticipantEgressRequest)
	require.Equal(t, "topsecret", got.FileOutputs[0].GetS3().Secret, "as received")
}

func TestATornLastLineIsIgnored(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	again := f.reborn(func(cfg *fakelivekit.Config) { appendTo(t, cfg.StateFile, `{"egress":{"Ordi`) })
	again.listed(id)
}

func TestABrokenStateFileIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no JSON":       "nonsense\n{}\n",
		"half a record": "{\"starts\":1\n{\"starts\":2}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := stateFile(t)
			appendTo(t, path, content)
			_, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret, StateFile: path})
			require.ErrorContains(t, err, "StateFile: line 1")
		})
	}
}

func TestAStateFileThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	_, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret, StateFile: filepath.Join(t.TempDir(), "no", "such", "folder")})
	require.ErrorContains(t, err, "StateFile")
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
