package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

const newStart = `{"room_name":"daily","file_outputs":[{"filepath":"a.mp4"}],"hologram":1}`

func TestAKeyOfAForwardedStartIsTakenByWhatItAskedFor(t *testing.T) {
	t.Parallel()
	refusing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	for name, tc := range map[string]struct {
		up           http.Handler
		method, body string
		header       []string
		reached      int
		status       int
	}{
		"the same":                 {newerLiveKit(t), "StartRoomCompositeEgress", newStart, nil, 1, http.StatusOK},
		"another file":             {newerLiveKit(t), "StartRoomCompositeEgress", `{"room_name":"daily","file_outputs":[{"filepath":"b.mp4"}],"hologram":1}`, nil, 1, http.StatusConflict},
		"another room":             {newerLiveKit(t), "StartRoomCompositeEgress", `{"room_name":"weekly","file_outputs":[{"filepath":"a.mp4"}],"hologram":1}`, nil, 1, http.StatusConflict},
		"another hologram":         {newerLiveKit(t), "StartRoomCompositeEgress", `{"room_name":"daily","file_outputs":[{"filepath":"a.mp4"}],"hologram":2}`, nil, 1, http.StatusConflict},
		"another kind":             {newerLiveKit(t), "StartTrackCompositeEgress", newStart, nil, 1, http.StatusConflict},
		"another pipeline":         {newerLiveKit(t), "StartRoomCompositeEgress", newStart, []string{"X-Reelkeeper-Pipeline", "archive"}, 1, http.StatusConflict},
		"without what is unknown":  {newerLiveKit(t), "StartRoomCompositeEgress", `{"room_name":"daily","file_outputs":[{"filepath":"a.mp4"}]}`, nil, 1, http.StatusConflict},
		"LiveKit refused it first": {refusing, "StartRoomCompositeEgress", `{"room_name":"daily","hologram":1}`, nil, 2, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tc.up)
			b.call(t, "StartRoomCompositeEgress", newStart, "Idempotency-Key", "call-7")
			m := running("EG_new", "call-7")
			m.GetRoomComposite().FileOutputs = []*livekit.EncodedFileOutput{{Filepath: "a.mp4"}}
			if tc.status != http.StatusNotFound {
				b.liveKit.add(m)
			}
			w := b.call(t, tc.method, tc.body, append(tc.header, "Idempotency-Key", "call-7")...)
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Len(t, b.reached(), tc.reached)
			require.Empty(t, b.recordings.begun())
		})
	}
}

// The door does not know of it: it was begun through a workflow, or by another door.
func TestAForwardedStartIsHeldAgainstWhatLiveKitListsUnderItsKey(t *testing.T) {
	t.Parallel()
	composite := &livekit.RoomCompositeEgressRequest{RoomName: "daily", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a.mp4"}}}
	first := &livekit.RoomCompositeEgressRequest{RoomName: "daily", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a-1.mp4"}}}
	for name, tc := range map[string]struct {
		listed       egress.Request
		method, body string
		status       int
	}{
		"the same":       {composite, "StartRoomCompositeEgress", newStart, http.StatusOK},
		"another file":   {composite, "StartRoomCompositeEgress", `{"room_name":"daily","file_outputs":[{"filepath":"b.mp4"}],"hologram":1}`, http.StatusConflict},
		"another layout": {composite, "StartRoomCompositeEgress", `{"room_name":"daily","layout":"grid","file_outputs":[{"filepath":"a.mp4"}],"hologram":1}`, http.StatusConflict},
		"another kind":   {composite, "StartParticipantEgress", newStart, http.StatusConflict},
		"the same part":  {first, "StartRoomCompositeEgress", `{"room_name":"daily","file_outputs":[{"filepath":"a-{part}.mp4"}],"hologram":1}`, http.StatusOK},
		"another one":    {&livekit.ParticipantEgressRequest{RoomName: "daily", Identity: "alice"}, "StartParticipantEgress", `{"room_name":"daily","identity":"bob","hologram":1}`, http.StatusConflict},
		"another track":  {&livekit.TrackEgressRequest{RoomName: "daily", TrackId: "TR_1"}, "StartTrackEgress", `{"room_name":"daily","track_id":"TR_2","hologram":1}`, http.StatusConflict},
		"another page":   {&livekit.WebEgressRequest{Url: "https://a.example.com?room=a"}, "StartWebEgress", `{"url":"https://a.example.com?room=b","hologram":1}`, http.StatusConflict},
		"a page":         {composite, "StartWebEgress", `{"url":"https://a.example.com","hologram":1}`, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, newerLiveKit(t))
			b.liveKit.add(echo(egress.AddWebhook(tc.listed, ours("call-7")), "EG_first"))
			w := b.call(t, tc.method, tc.body, "Idempotency-Key", "call-7")
			require.Equal(t, tc.status, w.Code, w.Body.String())
			require.Empty(t, b.reached())
		})
	}
}

func TestAFieldThatKeepsAStorageFromBeingFilledInIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t, newerLiveKit(t))
	w := b.call(t, "StartRoomCompositeEgress", newStart, "X-Reelkeeper-Storage", "archive")
	require.Equal(t, "invalid_argument", refusalIn(t, w).Code)
	require.Contains(t, refusalIn(t, w).Msg, `unknown field "hologram"`)
	require.Empty(t, b.reached())
}

// What LiveKit calls active for ever is lost there, too, and unknown fields stay.
func TestAListWithAnUnknownFieldShowsWhatIsLost(t *testing.T) {
	t.Parallel()
	const first, lost = `{"egress_id":"EG_1","status":"EGRESS_ACTIVE","hologram":1.0}`, `{"egress_id":"EG_2","status":"EGRESS_PREPARING","hologram":2.0}`
	const shown = `{"egress_id":"EG_2","status":"EGRESS_FAILED","error":"lost: its room is gone","hologram":2.0}`
	for name, tc := range map[string]struct {
		ask, want string
		err       error
	}{
		"all":                    {`{"not_invented_yet":1}`, `{"items":[` + first + `,` + shown + `],"sizes":[1.0]}`, nil},
		"the active":             {`{"active":true,"not_invented_yet":1}`, `{"items":[` + first + `],"sizes":[1.0]}`, nil},
		"where all is not known": {`{"not_invented_yet":1}`, `{"items":[` + first + `,` + shown + `],"sizes":[1.0]}`, away},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"items":[` + first + `,` + lost + `,{"egress_id":"EG_3","status":"EGRESS_COMPLETE"}],"sizes":[1.0]}`))
			}))
			b.recordings.lost = func(_ context.Context, ids []string) (map[string]string, error) {
				require.Equal(t, []string{"EG_1", "EG_2"}, ids)
				return map[string]string{"EG_2": "its room is gone"}, tc.err
			}
			w := b.call(t, "ListEgress", tc.ask)
			require.Equal(t, http.StatusOK, w.Code)
			require.JSONEq(t, strings.Replace(tc.want, `],"sizes"`, `,{"egress_id":"EG_3","status":"EGRESS_COMPLETE"}],"sizes"`, 1), w.Body.String())
			require.Contains(t, w.Body.String(), `"hologram":1.0`, "bytes of an unknown field changed")
			require.Equal(t, map[string]int64{"ListEgress forwarded": 1}, b.counts(t))
		})
	}
}
