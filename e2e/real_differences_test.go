package e2e

// captures are the differences between the captures, from livekit-server 1.13.11 with the real
// egress service, and livekit-server 1.13.5 with the worker double.
var captures = &sameness{sides: sides{"the captures", "the real server"}, differences: []allowed{
	{
		"*: * egress *", "answer.room.*",
		"1.13.5 leaves the room of an egress event empty; the egress info has its name and ID in every version",
	},
	{
		"*: headers", "answer.User-Agent",
		"1.13.5 sends webhooks under the name of Go's HTTP client",
	},
	{
		"*: room room_finished", "answer.roomEndReason",
		"1.13.5 does not say why a room ended",
	},
	{
		"start-*: api-*", "error.text",
		"1.13.5 wraps the error's message in another; the code is the same",
	},
	{
		"tc-stop: api-StopEgress-unknown.err.txt", "error.text",
		"the same",
	},
	{
		"tc-kill9-observe: api-StopEgress-dead.err.txt", "error.text",
		"the same",
	},
	{
		"*: room participant_* egress", "answer.participant.capabilities*",
		"for a room composite, the real worker joins by a browser, and the double by LiveKit's Go SDK",
	},
	{
		"*: room participant_* egress", "answer.participant.clientProtocol",
		"the same",
	},
}}

// doubles are the differences between livekit-server 1.13.5 with the worker double and
// internal/fakelivekit, which matches the captures.
var doubles = &sameness{sides: sides{"the real server", "the fake"}, differences: []allowed{
	{
		"*: * egress *", "answer.room.*",
		"the fake is like 1.13.11, which names the room",
	},
	{
		"start-*: api-*", "error.message",
		"the fake is like 1.13.11, which wraps no message",
	},
	{
		"tc-stop: api-StopEgress-unknown.err.txt", "error.message",
		"the same",
	},
	{
		"tc-kill9-observe: api-StopEgress-dead.err.txt", "error.message",
		"the same",
	},
	{
		"listing: *", "error.message",
		"the same",
	},
	{
		"room-asked: *", "error.message",
		"the same",
	},
	{
		"asked: ask*", "error.message",
		"the same",
	},
	{
		"asked-dead: ask its worker", "error.message",
		"the same",
	},
	{
		"refused: start", "error.message",
		"the message is the worker's, and that of the real worker was never captured",
	},
	{
		"*: room participant_* egress", "answer.participant.capabilities*",
		"for a room composite, the fake joins as a browser does, and the worker double by LiveKit's Go SDK",
	},
	{
		"*: room participant_* egress", "answer.participant.clientProtocol",
		"the same",
	},
	{
		"listing: who is in the room", "answer.c*",
		"the same, in the answer to GetParticipant",
	},
}}

// unplayed are captures that are not played on either side.
var unplayed = []struct {
	dirs    string
	because string
}{
	{"auto-egress auto-room-egress auto-noworker auto-noworker-s3", "the server starts these by itself, without a call; their webhooks are in webhook/testdata, and `secrets_test.go` posts one of a start that failed"},
	{"bad-path-proc s3-refused", "end as bad-path-perm and s3-403 do; only the messages of the file system and the store differ"},
	{"s3-proxy-redact", "fails in the real worker's own S3 client, but the worker double stores only on its disk"},
	{"v2-media track-unpublish", "the worker double records no segments, no images and no single tracks; the fake is held to v2-media by its own tests"},
	{"tc-kill9-worker tc-kill9-service-only rc-kill9-observe", "look the same from outside as tc-kill9-observe"},
	{"tc-sigint-worker", "the worker double ends at once"},
	{"start-dup", "two starts are two egresses, as in `listing`"},
	{"start-client-timeout start-client-timeout-600", "come from a client that does not wait for the answer: `internal/fakelivekit/starts_test.go` has such a client, and `e2e/faults_test.go` has starts that outlast the call"},
	{"fakeworker-two-runs-one-id", "comes from another worker double; `twice` is the same with ours"},
	{"livekit-kill9 livekit-sigterm-queued", "each would need a server of its own to kill: `TestNoEndIsLostWithTheRealLiveKitThatHadToTellIt` does that through Reelkeeper"},
	{"redis-restart redis-down-at-end", "need a redis that can go away, but miniredis keeps all its data in its one process; the fake's `api-down` and `forgotten` show the effects"},
	{"protocol1.54-fwh-hang-20 protocol1.54-fwh-hang-forever protocol1.54-fwh-retryafter-90 protocol1.54-fwh-sigterm", "come from a newer webhook sender than that of 1.13.5"},
	{"wh-down-all-60 wh-down-end-120", "show less than wh-down-end-35 does"},
	{"wh-request-projectdown", "the server has one list of endpoints for all tests"},
}
