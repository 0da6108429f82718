package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
)

const leadsBack = "LIVEKIT_URL of a starter or worker leads to the front door"

func TestADoorThatLeadsToItselfAnswersOnce(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]int{
		"/twirp/livekit.RoomService/ListRooms": http.StatusLoopDetected,
		"/rtc/validate":                        http.StatusLoopDetected,
		"/twirp/livekit.Egress/ListEgress":     http.StatusInternalServerError, // Twirp's translation of a foreign 508
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var b *bench
			b = newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.door.ServeHTTP(w, r) }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody)
			r.Header.Set("Content-Type", "application/protobuf")
			r.Header.Set("Authorization", "Bearer "+token(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true}))
			w := b.do(r)
			require.Equal(t, status, w.Code, w.Body.String())
			require.Len(t, b.reached(), 1)
			if status == http.StatusLoopDetected {
				require.Contains(t, w.Body.String(), leadsBack)
			}
		})
	}
}

// The door's own client of LiveKit is not the one that passes calls on.
func TestAStopAtADoorThatLeadsToItselfGoesNoFurtherThanTheDoor(t *testing.T) {
	t.Parallel()
	var b *bench
	b = newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.door.ServeHTTP(w, r) }))
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	client := lksdk.NewEgressClient(server.URL, apiKey, apiSecret)
	b.liveKit.stop = func(ctx context.Context, id string) (*livekit.EgressInfo, error) {
		return client.StopEgress(ctx, &livekit.StopEgressRequest{EgressId: id})
	}
	w := b.call(t, "StopEgress", `{"egress_id":"EG_x"}`)
	require.NotEqual(t, http.StatusOK, w.Code)
	require.Len(t, b.reached(), 1)
}

func TestAStartThatAWorkerHasAskedForIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"known": `{"room_name":"daily","webhooks":[{"url":"` + ours("call-7").GetUrl() + `"}]}`,
		"newer": `{"room_name":"daily","hologram":1,"webhooks":[{"url":"` + ours("call-7").GetUrl() + `"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, newerLiveKit(t))
			w := b.call(t, "StartRoomCompositeEgress", body)
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body.String())
			require.Contains(t, w.Body.String(), "webhooks[0].url: belongs to a request that is under way: "+leadsBack)
			require.Empty(t, b.recordings.begun())
			require.Empty(t, b.reached())
		})
	}
}
