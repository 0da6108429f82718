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
		"1.13.5 does not tell why a room ended",
	},
	{
		"start-*: api-*", "error.text",
		"1.13.5 wraps the message of an error in another; the code is the same",
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
		"the real worker joins a room that it shows by a browser, and the double by LiveKit's Go SDK",
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
		"refused: start", "error.message",
		"the words are the worker's, and of the real one they were never captured",
	},
	{
		"*: room participant_* egress", "answer.participant.capabilities*",
		"the fake joins a room that it shows as a browser does, and the worker double by LiveKit's Go SDK",
	},
	{
		"*: room participant_* egress", "answer.participant.clientProtocol",
		"the same",
	},
	{
		"listing: who is in the room", "answer.c*",
		"the same, to somebody who asks",
	},
}}

// unplayed are captures that are not played on either side.
var unplayed = []struct {
	dirs    string
	because string
}{
	{"auto-egress auto-room-egress auto-noworker auto-noworker-s3", "the server starts these by itself, and nobody asks for them; their webhooks are among those of webhook/testdata, and `secrets_test.go` posts one of a start that failed"},
	{"bad-path-proc s3-refused", "end as bad-path-perm and s3-403 do, with other words of the file system and of the store"},
	{"s3-proxy-redact", "fails in the real worker's own S3 client, and the worker double stores on its disk only"},
	{"v2-media track-unpublish", "the worker double records no segments, no images and no single tracks; the fake is held to v2-media by its own tests"},
	{"tc-kill9-worker tc-kill9-service-only rc-kill9-observe", "look as tc-kill9-observe does from outside"},
	{"tc-sigint-worker", "the worker double ends at once"},
	{"start-dup", "two starts are two egresses, as in `listing`"},
	{"start-client-timeout start-client-timeout-600", "are of a client that does not wait for the answer: `internal/fakelivekit/starts_test.go` has one, and `e2e/faults_test.go` starts that outlast the call"},
	{"fakeworker-two-runs-one-id", "is of a worker double; `twice` is the same with this one"},
	{"livekit-kill9 livekit-sigterm-queued", "a server of its own would be killed for each: `TestNoEndIsLostWithTheRealLiveKitThatHadToTellIt` does it through Reelkeeper"},
	{"redis-restart redis-down-at-end", "need a redis that can be away, and miniredis is in one process with all it keeps; the fake's `api-down` and `forgotten` are what is seen of it"},
	{"protocol1.54-fwh-hang-20 protocol1.54-fwh-hang-forever protocol1.54-fwh-retryafter-90 protocol1.54-fwh-sigterm", "are of a newer sender of webhooks than 1.13.5 has"},
	{"wh-down-all-60 wh-down-end-120", "show less than wh-down-end-35 does"},
	{"wh-request-projectdown", "the server has one list of endpoints for all tests"},
}
