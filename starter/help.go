package main

import (
	"strings"

	"github.com/urfave/cli/v3"
)

// manual is the text that --help adds for a command; the key is the command's name with those of
// the commands above it. Each line that begins with "  starter" is an example, which a test runs.
var manual = map[string]string{
	"": `Recordings are Temporal workflows that outlive this command: it starts, watches and repairs them, and stores nothing itself.

An ID is an egress ID (EG_…), a request ID (the idempotency key of the start), or a workflow ID (egress/…).

Examples:
  starter start room-composite --room standup --file '{room_name}-{time}.mp4' --id standup-1
  starter show standup-1
  starter list --stuck
  starter report --since 24h

Environment: TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, or a TOML profile named by TEMPORAL_CONFIG_FILE and TEMPORAL_PROFILE.
start also needs LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or one key in LIVEKIT_KEYS), and REELKEEPER_SEAL_KEY if the
workers have it: it seals requests. Other commands on recordings need no secret, unless payloads are encrypted. With a
dev instance running here, nothing need be set; --dev DIR finds one elsewhere. README.md lists all under Settings.

Exit status: 0 all is well, 1 Reelkeeper failed or --timeout ran out, 2 an argument or a setting is wrong (the error names
it), 3 a recording or the installation is not as it should be.`,
	"serve": `Listens on REELKEEPER_LISTEN: LiveKit's API for agents, the webhook endpoint at /webhooks/livekit for LiveKit, /healthz
and /readyz. An agent gives this URL to the client that it records with; LIVEKIT_URL stays LiveKit's own.
REELKEEPER_ADMIN_LISTEN serves the metrics. On SIGTERM or Ctrl-C it gives what is under way 20 s, and ends within 40 s.
It stores nothing: run two or more.

Example:
  starter serve`,
	"start": `Returns LiveKit's EgressInfo once LiveKit has accepted. The recording goes on by itself, and so does the start if this
command gives up. The same --id twice starts one recording, even from two callers at the same moment. Credentials in the
request are sealed before Temporal sees them.

A path may hold placeholders, in --segments and --playlist too: --file in the help of each kind lists them. LiveKit fills
in all but {part}, the number of the part: 1, and one more each time that the recording is started again (--recover).
Without it, paths of later parts get -part2 and so on before their extension.

Examples:
  starter start room-composite --room standup --file '{room_name}-{time}.mp4' --id standup-1
  starter start --request - --storage archive --max-duration 3h <request.json`,
	"start room-composite": `Records all of the room, as a page shows it in LiveKit's browser: one of LiveKit's layouts, or your own page by
--base-url, which must log START_RECORDING. Ends when everybody has left.

Examples:
  starter start room-composite --room standup --layout speaker --file '{room_name}/{time}-{part}.mp4' --recover 2
  starter start room-composite --room standup --audio-only --file '{room_name}-{time}.ogg'
  starter start room-composite --room standup --segments live/standup --playlist standup.m3u8 --stream rtmps://example.com/live/key`,
	"start participant": `Records one person's camera and microphone, or screen and its sound, through mutes and tracks that come and go. It
fails unless that person is in the room within 30 s, and ends when they leave it.

Examples:
  starter start participant --room standup --identity alice --file '{publisher_identity}-{time}.mp4'
  starter start participant --room standup --identity alice --screen-share --file 'screen-{time}.mp4'`,
	"start track-composite": `Records one audio track, one video track or one of each, encoded together. They must be published already, and it ends
with them: to follow a person whose tracks come and go, record the participant.

Examples:
  starter start track-composite --room standup --audio-track TR_1 --video-track TR_2 --file '{room_name}-{time}.mp4'
  starter start track-composite --room standup --video-track TR_2 --file screen.mp4 --preset H264_1080P_30`,
	"start track": `Records one published track without encoding it again, until it is unpublished. Its codec decides the format, and LiveKit
mends the path's extension: H.264 goes into .mp4, VP8 into .webm, Opus into .ogg. --stream sends an audio track, as raw
PCM, to a websocket.

Examples:
  starter start track --room standup --track TR_1 --file '{publisher_identity}-{track_id}.ogg' --max-duration 3h
  starter start track --room standup --track TR_1 --stream wss://example.com/captions`,
	"start web": `Records any page, as LiveKit's browser shows it. It belongs to no room, so nobody's leaving ends it and --recover does not
start it again: give it a --max-duration, or stop it.

Examples:
  starter start web --url https://example.com --file 'page-{time}.mp4' --max-duration 1h
  starter start web --url https://example.com --video-only --stream rtmps://example.com/live/key --id page-1`,
	"show": `Shows its state, what it waits for, when LiveKit is asked next, what you can do, and the story so far; once it is
delivered, its verdict. While it runs, a worker answers; without one, it shows what Temporal's visibility has.

Examples:
  starter show standup-1
  starter show EG_abc --json`,
	"list": `Reads only Temporal's visibility, which lags by some milliseconds and reaches back as far as the namespace's retention.
The order is Temporal's: first those that run, newest first, then the closed ones, last closed first.

Examples:
  starter list --active
  starter list --stuck --json
  starter list --room standup --since 24h --limit 0`,
	"report": `Shows how many were recorded, their verdicts, who told us of the end, the share whose webhook was missed and why, how
late we heard (p50, p99, worst), and lists the missed by date, room and egress ID. An egress counts while it runs, and
in the span in which it ends. Reads only Temporal's visibility.

Examples:
  starter report --since 24h
  starter report --since 168h --csv
  starter report --since 2026-05-04T00:00:00Z --until 2026-05-05T00:00:00Z --json`,
	"wait": `Returns once the verdict has been delivered.

Examples:
  starter wait standup-1
  starter wait EG_abc --timeout 2h --json`,
	"stop": `LiveKit finishes the file and uploads it; the verdict follows, and is delivered like any other.

Example:
  starter stop standup-1`,
	"retry": `Fix the cause first: show says what failed.

Examples:
  starter retry standup-1
  starter retry standup-1 --step announce`,
	"skip": `A skipped step is never tried again; the verdict lists it as skipped.

Example:
  starter skip standup-1 --step announce`,
	"redeliver": `Examples:
  starter redeliver standup-1
  starter redeliver --since 24h --dry-run
  starter redeliver --where "EgressRoom = 'standup'" --rate 5/s --yes`,
	"export": `Examples:
  starter export --since 24h
  starter export --since 168h --csv >verdicts.csv`,
	"doctor": `Changes nothing, except that it writes a probe to each storage profile and deletes it. Each finding comes with its fix.
Run it with the settings of serve, where LiveKit runs or at least outside your own network: a broken path of the
webhooks is how recordings get lost unseen.

Examples:
  starter doctor
  starter doctor --only webhook --json

With --watch --every 30s it is a canary that prints a line at each change. Workers have one of their own: see
REELKEEPER_CANARY_EVERY.`,
}

// describe appends to the description of a command, and of each one below it, its part of the manual.
func describe(c *cli.Command, name string) {
	c.Description = strings.TrimSpace(c.Description + "\n\n" + manual[name])
	for _, sub := range c.Commands {
		describe(sub, strings.TrimSpace(name+" "+sub.Name))
	}
}
