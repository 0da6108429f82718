package main

import "github.com/urfave/cli/v3"

// manual is the text that --help adds for a command; the key is the command's name. Each line that
// begins with "  starter" is an example, which a test runs.
var manual = map[string]string{
	"": `Recordings are Temporal workflows that outlive this command: it starts, watches and mends them, and keeps nothing itself.

An ID is an egress ID (EG_…), a request ID (the idempotency key of its start), or a workflow ID (egress/…).

Examples:
  starter start room-composite --room standup --file '{room_name}-{time}.mp4' --id standup-1
  starter show standup-1
  starter list --stuck
  starter report --since 24h

Environment: TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, or a TOML profile by TEMPORAL_CONFIG_FILE and TEMPORAL_PROFILE;
for start LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or one key in LIVEKIT_KEYS), and REELKEEPER_SEAL_KEY if the workers have
it, by which requests are sealed. Other commands of recordings need no secret, unless payloads are encrypted. Beside a
running dev instance none is needed, and --dev DIR where its state is elsewhere. README.md lists all under Settings.

Exit status: 0 clean, 1 a failure of ours, 2 what was typed or set is wrong (the line names it), 3 a recording, or the
installation, is not as it should be.`,
	"serve": `Listens on REELKEEPER_LISTEN: LiveKit's API for agents, the webhook endpoint at /webhooks/livekit for LiveKit, /healthz
and /readyz. An agent gives its URL to the client by which it records; LIVEKIT_URL stays LiveKit's own.
REELKEEPER_ADMIN_LISTEN has the metrics. It ends on SIGTERM or Ctrl-C within 20 s, once what is under way has its answer.
It keeps nothing: run two or more.

Example:
  starter serve`,
	"start": `Returns LiveKit's EgressInfo once LiveKit has accepted; the recording goes on by itself, and so does the start where
this command gives up. The same --id twice is one recording, also at the same moment from two callers. Credentials in
the request are sealed before Temporal sees them.

Examples:
  starter start room-composite --room standup --file '{room_name}-{time}.mp4' --id standup-1
  starter start track --room standup --track TR_1 --file a.ogg --max-duration 3h
  starter start web --url https://example.com --file page.mp4 --recover 2`,
	"show": `How it is now, what it waits for, when LiveKit is asked next, what a person can do, and the story so far; once it is
delivered, its verdict. Running ones are asked of a worker; without one, what Temporal's visibility has is shown.

Examples:
  starter show standup-1
  starter show EG_abc --json`,
	"list": `Reads Temporal's visibility alone, which lags by some milliseconds and reaches as far back as the namespace's retention.
The order is Temporal's: those that run first, the last begun before the others, then what has closed, the last first.

Examples:
  starter list --active
  starter list --stuck --json
  starter list --room standup --since 24h --limit 0`,
	"report": `How many were recorded, their verdicts, who told us of the end, the share whose webhook was missed and why, how late
we heard (p50, p99, worst), and the list of the missed by date, room and egress ID. An egress counts while it runs, and
in the span in which it ends. Reads visibility alone.

Examples:
  starter report --since 24h
  starter report --since 168h --csv
  starter report --since 2026-05-04T00:00:00Z --until 2026-05-05T00:00:00Z --json`,
	"wait": `Returns once the verdict has been delivered.

Examples:
  starter wait standup-1
  starter wait EG_abc --timeout 2h --json`,
	"stop": `LiveKit finishes the file and uploads it; the verdict follows, and is delivered as any other.

Example:
  starter stop standup-1`,
	"retry": `Mend the cause first: show says what failed.

Examples:
  starter retry standup-1
  starter retry standup-1 --step announce`,
	"skip": `What is left out is never tried again; the verdict names it among what was skipped.

Example:
  starter skip standup-1 --step announce`,
	"redeliver": `Examples:
  starter redeliver standup-1
  starter redeliver --since 24h --dry-run
  starter redeliver --where "EgressRoom = 'standup'" --rate 5/s --yes`,
	"export": `Examples:
  starter export --since 24h
  starter export --since 168h --csv >verdicts.csv`,
	"doctor": `Changes nothing, but for a probe that it writes to each storage profile and deletes. Each finding has its remedy in words. Run it with the settings of serve, where LiveKit runs or at least
outside of your own network: the way of the webhooks is the one on which recordings get lost unseen.

Examples:
  starter doctor
  starter doctor --only webhook --json

With --watch --every 30s it is a canary that prints a line for each change; workers have one of their own, see
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
