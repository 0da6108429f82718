package main

import "github.com/urfave/cli/v3"

// manual is the text that --help adds for a command; the key is the command's name. Each line that
// begins with "  starter" is an example, which a test runs.
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

Exit status: 0 all is well, 1 Reelkeeper failed, 2 an argument or a setting is wrong (the error names it), 3 a recording
or the installation is not as it should be.`,
	"serve": `Listens on REELKEEPER_LISTEN: LiveKit's API for agents, the webhook endpoint at /webhooks/livekit for LiveKit, /healthz
and /readyz. An agent gives this URL to the client that it records with; LIVEKIT_URL stays LiveKit's own.
REELKEEPER_ADMIN_LISTEN serves the metrics. On SIGTERM or Ctrl-C it answers what is under way, and ends within 20 s.
It stores nothing: run two or more.

Example:
  starter serve`,
	"start": `Returns LiveKit's EgressInfo once LiveKit has accepted. The recording goes on by itself, and so does the start if this
command gives up. The same --id twice starts one recording, even from two callers at the same moment. Credentials in the
request are sealed before Temporal sees them.

Examples:
  starter start room-composite --room standup --file '{room_name}-{time}.mp4' --id standup-1
  starter start track --room standup --track TR_1 --file a.ogg --max-duration 3h
  starter start web --url https://example.com --file page.mp4 --recover 2`,
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

// describe appends to each command's description its part of the manual.
func describe(root *cli.Command) {
	root.Description = manual[""]
	for _, c := range root.Commands {
		if c.Description != "" && manual[c.Name] != "" {
			c.Description += "\n\n"
		}
		c.Description += manual[c.Name]
	}
}
