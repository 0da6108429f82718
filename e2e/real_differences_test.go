package e2e

// captures is what differs between the captures, which are of livekit-server 1.13.11 with
// the real egress service, and livekit-server 1.13.5 with the worker double.
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

// doubles is what differs between livekit-server 1.13.5 with the worker double and
// internal/fakelivekit, which is like the captures.
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
