package fakelivekit_test

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// Every start method in raw JSON, as the Node SDK sends it: what is echoed, which source it has, and whether it has a
// room.
func TestEveryStartMethodTakesJSON(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.AnyRoom = true })
	token := "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true})
	const (
		files    = `"fileOutputs":[{"filepath":"rec/a.mp4"}]`
		segments = `"segmentOutputs":[{"filenamePrefix":"rec/s","playlistName":"rec/s.m3u8"}]`
		images   = `"imageOutputs":[{"captureInterval":5,"filenamePrefix":"rec/i"}]`
		stream   = `"streamOutputs":[{"protocol":"RTMP","urls":["rtmp://host/app/abcdefghijkl"]}]`
	)
	for name, c := range map[string]struct {
		method, body string
		echo         string
		contains     []string
		inRoom       bool
	}{
		"room composite":     {"StartRoomCompositeEgress", `{"roomName":"r",` + files + `}`, "room_composite", []string{`"file_results":[{"filename":"rec/a.mp4"`}, true},
		"old-fashioned file": {"StartRoomCompositeEgress", `{"roomName":"r","file":{"filepath":"rec/a.mp4"}}`, "room_composite", []string{`"file":{"filename":"rec/a.mp4"`}, true},
		"segments":           {"StartRoomCompositeEgress", `{"roomName":"r",` + segments + `}`, "room_composite", []string{`"segment_results":[{"playlist_name":"rec/s.m3u8"`, `"segments":{"playlist_name"`}, true},
		"images":             {"StartRoomCompositeEgress", `{"roomName":"r",` + images + `}`, "room_composite", []string{`"image_results":[{"filename_prefix":"rec/i"`}, true},
		"a stream":           {"StartRoomCompositeEgress", `{"roomName":"r",` + stream + `}`, "room_composite", []string{`"stream_results":[{"url":"rtmp://host/app/{abc...jkl}"`, `"stream":{"info":[`}, true},
		"web":                {"StartWebEgress", `{"url":"https://example.com",` + files + `}`, "web", []string{`"room_name":""`}, false},
		"participant":        {"StartParticipantEgress", `{"roomName":"r","identity":"bob",` + files + `}`, "participant", []string{`"source_type":"EGRESS_SOURCE_TYPE_SDK"`}, true},
		"track composite":    {"StartTrackCompositeEgress", `{"roomName":"r","audioTrackId":"TR_AM1",` + files + `}`, "track_composite", []string{`"audio_track_id":"TR_AM1"`}, true},
		"track":              {"StartTrackEgress", `{"roomName":"r","trackId":"TR_AM1","file":{"filepath":"rec/{track_id}"}}`, "track", []string{`"file_results":[{"filename":""`}, true},
		"track to websocket": {"StartTrackEgress", `{"roomName":"r","trackId":"TR_AM1","websocketUrl":"wss://host/x?token=kept"}`, "track", []string{`"url":"wss://host/x?token=kept"`}, true},
		"unified":            {"StartEgress", `{"roomName":"r","template":{"layout":"grid"},"outputs":[{"file":{"filepath":"rec/a.mp4"}}]}`, "egress", []string{`"layout":"grid"`}, true},
		"unified, segmented": {"StartEgress", `{"roomName":"r","media":{},"storage":{"s3":{"secret":"x"}},"outputs":[{"segments":{"playlistName":"p.m3u8"}},{"images":{"filenamePrefix":"i"}},{"stream":{"urls":["rtmp://host/app/abcdefghijkl"]}}]}`, "egress", []string{`"secret":"{secret}"`, `"playlist_name":"p.m3u8"`, `{abc...jkl}`}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, _, body := f.call("Egress/"+c.method, "", token, c.body)
			require.Equal(t, http.StatusOK, status, body)
			for _, want := range append(c.contains, `"`+c.echo+`":{`) {
				assert.Contains(t, body, want)
			}
			var info struct {
				EgressID string `json:"egress_id"`
				RoomID   string `json:"room_id"`
			}
			unmarshal(t, []byte(body), &info)
			require.Equal(t, c.inRoom, info.RoomID != "")
			f.active(info.EgressID)
		})
	}
}

func TestAStartWithoutOutputsIsRefusedWhateverItsKind(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.AnyRoom = true })
	token := "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true})
	for method, body := range map[string]string{
		"StartRoomCompositeEgress": `{"room_name":"r"}`, "StartWebEgress": `{"url":"https://example.com"}`,
		"StartParticipantEgress": `{"room_name":"r","identity":"bob"}`, "StartTrackCompositeEgress": `{"room_name":"r","audio_track_id":"TR_AM1"}`,
		"StartTrackEgress": `{"room_name":"r","track_id":"TR_AM1"}`, "StartEgress": `{"room_name":"r","template":{}}`,
	} {
		status, _, text := f.call("Egress/"+method, "", token, body)
		assert.Equal(t, http.StatusBadRequest, status, method)
		assert.Contains(t, text, `"request has missing or invalid field: output"`, method)
	}
	require.Empty(t, f.Egresses())
}

// A state that was reported must still be there after a kill: it is in the state file before it is
// sent.
func TestWhatWasToldIsNeverUndoneByAKill(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	var unsaved atomic.Int32
	f.endpoint.answers(func(r received) int {
		if info := r.EgressInfo; info != nil && info.Status != livekit.EgressStatus_EGRESS_STARTING {
			data, err := os.ReadFile(f.cfg.StateFile)
			if err != nil || !savedAs(string(data), info) {
				unsaved.Add(1)
				t.Logf("%s told %v before it was saved: %v", info.EgressId, info.Status, err)
			}
		}
		return http.StatusOK
	})
	f.room("daily", fakelivekit.RoomScript{})
	var g errgroup.Group
	for range 10 {
		g.Go(func() error {
			f.active(f.record("daily"))
			return nil
		})
	}
	require.NoError(t, g.Wait())
	f.deleteRoom("daily")
	f.await(10, named("egress_ended", ""))
	require.Zero(t, unsaved.Load())
}

// savedAs looks for a record of the egress in this state, or in a later one.
func savedAs(file string, info *livekit.EgressInfo) bool {
	for line := range strings.Lines(file) {
		text := normalSpace(line)
		if strings.Contains(text, info.EgressId) && strings.Contains(text, `"status":"`+info.Status.String()+`"`) {
			return true
		}
	}
	return false
}

// BenchmarkStarts measures the cost of an accepted start with its first webhook, 100 at a time.
func BenchmarkStarts(b *testing.B) {
	s, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret, AnyRoom: true, Timings: quick()})
	require.NoError(b, err)
	defer s.Close()
	require.NoError(b, s.Start())
	f := &fake{Server: s, egress: newEgressClient(s.URL())}
	b.SetParallelism(50)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			assert.NoError(b, errorOf(f.egress.StartParticipantEgress(b.Context(), person("daily"))))
		}
	})
}
