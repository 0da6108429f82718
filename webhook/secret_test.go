package webhook_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

func TestCredentialsReachNeitherTemporalNorTheLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	event := `{"event":"egress_ended","id":"EV_1","room":{"name":"daily","turnPassword":"CANARY1"},
		"egressInfo":{"egressId":"EG_1","status":"EGRESS_FAILED","error":"PUT https://u:CANARY2@host/x?X-Amz-Signature=CANARY3 failed",
		"roomComposite":{"roomName":"daily","customBaseUrl":"https://x.example.com/?token=CANARY4",
		"webhooks":[{"url":"https://consumer.example.com/hook?key=CANARY5"}],
		"file":{"filepath":"x.mp4","s3":{"accessKey":"CANARY6","secret":"CANARY7","proxy":{"url":"http://p","username":"CANARY8","password":"CANARY9"}}}}}}`
	require.Equal(t, 200, b.post(t, b.path("req-1"), event))
	require.Len(t, b.temporal.taken(), 1)
	require.NotContains(t, string(b.temporal.taken()[0].event.Raw()), "CANARY")
	require.Contains(t, string(b.temporal.taken()[0].event.Raw()), "consumer.example.com")
	require.NotContains(t, b.log.String(), "CANARY")
}

func TestOfARoomAndItsPeopleOnlyWhoTheyAreReachesAWorkflow(t *testing.T) {
	t.Parallel()
	for _, event := range []string{
		`{"event":"room_finished","id":"EV_1","createdAt":"7","room":{"name":"daily","sid":"RM_1","metadata":"CANARY"}}`,
		`{"event":"participant_left","id":"EV_1","createdAt":"7","room":{"name":"daily","sid":"RM_1","metadata":"CANARY"},
			"participant":{"identity":"` + egressID + `","metadata":"CANARY","attributes":{"a":"CANARY"}}}`,
	} {
		b := newBench(t)
		require.Equal(t, 200, b.post(t, project, event))
		require.NotEmpty(t, b.temporal.taken())
		got := b.temporal.taken()[0].event
		require.NotContains(t, string(got.Raw()), "CANARY")
		require.Equal(t, "RM_1", got.Proto().GetRoom().GetSid())
		require.EqualValues(t, 7, got.Proto().GetCreatedAt())
	}
}

func TestNeitherTokensNorBodiesOfWhatIsRefusedAreLogged(t *testing.T) {
	t.Parallel()
	for _, body := range []string{started(), "CANARY", `{"event":"egress_ended","egressInfo":{"egressId":["CANARY"]}}`} {
		b := newBench(t)
		token := sign(t, apiKey, "another secret", body)
		r := b.request(t, b.path("req-1"), body)
		r.Header.Set("Authorization", token)
		b.do(t, r)
		b.post(t, b.path("req-1"), body)
		require.NotContains(t, b.log.String(), token)
		require.NotContains(t, b.log.String(), "CANARY")
		require.NotContains(t, b.log.String(), b.keys.Token("req-1", 1).MAC)
	}
}

func TestWhatANewerLiveKitAddsReachesTheWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	event := `{"event":"egress_ended","id":"EV_1","newEnvelope":{"a":[1]},"egressInfo":{"egressId":"EG_1",
		"status":"EGRESS_ENDED_SOMEHOW","endedAt":"1795446985757029154","newField":"kept","fileResults":[{"filename":"x.mp4","newHash":"sha"}]}}`
	require.Equal(t, 200, b.post(t, b.path("req-1"), event))
	got := b.temporal.taken()[0].event
	require.JSONEq(t, event, string(got.Raw()))
	require.Equal(t, egress.EventEnded, got.Proto().GetEvent())
}

func TestTheLogLineOfALateEventSaysWhatAnOperatorSearchesFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.temporal.answer, b.temporal.adopt = answers(map[string]error{"egress/req-1": errClosed}), errOver
	b.post(t, b.path("req-1"), started())
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(b.log.String()), &line))
	delete(line, "time")
	delete(line, "took")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "webhook", "reason": "late", "answer": 200.0, "event": "egress_started", "eventID": "EV_1",
		"room": room, "egressID": egressID, "status": "EGRESS_ACTIVE", "workflowID": "egress/req-1",
	}, line)
}

func TestTheLogLineSpellsAStatusAsANewerLiveKitDoes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Equal(t, 200, b.post(t, project, strings.Replace(started(), "EGRESS_ACTIVE", "EGRESS_PAUSED", 1)))
	require.Contains(t, b.log.String(), `"status":"EGRESS_PAUSED"`)
}

func TestTheLogLineOfAFailedSignalHoldsTemporalsError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.temporal.answer = answers(map[string]error{"egress/req-1": fmt.Errorf("no connection")})
	b.post(t, b.path("req-1"), started())
	require.Contains(t, b.log.String(), `"level":"ERROR"`)
	require.Contains(t, b.log.String(), `"error":"no connection"`)
	b.became(t, webhook.TemporalFailed)
}
