// Package config holds all our settings in one plain struct, read from an environment map.
// LiveKit's and Temporal's own variables keep their own names, so that a set-up that works for
// LiveKit's tools works here. It must never read the process environment by itself, nor put a
// secret into an error.
package config

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Config holds all settings. Its tags are the one source of the settings table: `env` names the
// variable, `doc` says what it means, `required` names the roles that do not start without it, and
// `secret` says that its value may be in a file, named by the variable with _FILE appended.
type Config struct {
	LiveKit  LiveKit
	Door     Door
	Announce Announce
	Sealing  Sealing
	Payloads Payloads
	Dial     Dial
	Start    Start
	Look     Look

	Deployment Deployment

	Cached    int    `env:"REELKEEPER_CACHED_WORKFLOWS" doc:"The most workflows that a worker keeps in memory, at about 75 kB each. It reads any other from Temporal again when there is news of it."`
	Pipeline  string `env:"REELKEEPER_PIPELINE" doc:"Path of the YAML file of pipelines, which say who is told of an end and which of your own steps run then. Unset: none."`
	Recover   uint   `env:"REELKEEPER_RECOVER" doc:"How many times a recording is started again, as its next part, if its egress fails, is lost or reaches LiveKit's limit while its room is live; at most 100. A request may give its own number. Unset: never."`
	Reconcile Reconcile
	Expect    Expect
	Canary    Canary
	Storage   Storage
	Verify    Verify

	LogLevel  slog.Level `env:"REELKEEPER_LOG_LEVEL" doc:"The lowest level that is logged: debug, info, warn or error."`
	LogFormat string     `env:"REELKEEPER_LOG_FORMAT" doc:"Format of log lines: text or json."`
}

// LiveKit says where LiveKit is, and with which keys to call it.
type LiveKit struct {
	URL       string `env:"LIVEKIT_URL" required:"worker,serve" doc:"URL of LiveKit's server: ws, wss, http or https."`
	APIKey    string `env:"LIVEKIT_API_KEY" required:"worker,serve,client" doc:"API key of the project."`
	APISecret string `env:"LIVEKIT_API_SECRET" secret:"true" required:"worker,serve,client" doc:"Its secret. Without REELKEEPER_SEAL_KEY, requests are sealed with a key derived from it."`
	Keys      Keys   `env:"LIVEKIT_KEYS" secret:"true" doc:"For a project with several keys: livekit-server's own map of key: secret pairs, separated by lines or commas. If it has only one key, the two variables above may stay unset."`

	RequestsPerMinute int `env:"REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE" doc:"The most requests per minute that the polls of all workers make to LiveKit's API. LiveKit Cloud allows a project 1,000 per minute."`
}

// Deployment is the Temporal Worker Deployment that a worker belongs to. Temporal's worker
// controller sets both.
type Deployment struct {
	Name    string `env:"TEMPORAL_DEPLOYMENT_NAME" doc:"Temporal Worker Deployment that the worker belongs to: a recording stays with the worker version that began it. Unset: any worker continues any recording."`
	BuildID string `env:"TEMPORAL_WORKER_BUILD_ID" doc:"Version of the worker in that deployment. Unset: what worker --version says, the release or else the commit."`
}

// Door says where the starter listens, and how long it lets a caller wait.
type Door struct {
	PublicURL   string `env:"REELKEEPER_PUBLIC_URL" required:"worker,serve" doc:"URL at which LiveKit reaches the webhook endpoint."`
	Listen      string `env:"REELKEEPER_LISTEN" doc:"Address of the front door and the webhook endpoint."`
	AdminListen string `env:"REELKEEPER_ADMIN_LISTEN" doc:"Address of the metrics and the codec endpoint."`

	RequestTimeout time.Duration `env:"REELKEEPER_REQUEST_TIMEOUT" doc:"The longest that a caller of the front door waits. LiveKit's SDKs themselves give up after 10s."`
	FailOpenAfter  DurationOrOff `env:"REELKEEPER_FAIL_OPEN_AFTER" doc:"How long Temporal has to accept a start; a second later it goes straight to LiveKit; off: it never does."`
	DeleteRoomWait DurationOrOff `env:"REELKEEPER_DELETE_ROOM_WAIT" doc:"How long DeleteRoom, which first stops the room's egresses, waits for their end before it deletes the room; off: it neither stops them nor waits."`
}

// The values of REELKEEPER_ANNOUNCE.
const (
	AnnounceAlways = "always"
	AnnounceMissed = "missed"
)

// Announce says where the consumer is told how a recording ended.
type Announce struct {
	URL  string        `env:"REELKEEPER_ANNOUNCE_URL" doc:"URL to which each end is announced, as the webhook that LiveKit would have sent. Unset: no end is announced there."`
	When string        `env:"REELKEEPER_ANNOUNCE" doc:"Which ends are announced there: always, or missed. With missed, the consumer also gets LiveKit's own webhooks, and hears from us only what LiveKit did not tell us, and corrections."`
	For  time.Duration `env:"REELKEEPER_ANNOUNCE_FOR" doc:"How long an announcement is tried before a person is asked."`

	PerHost int            `env:"REELKEEPER_CONSUMER_CONCURRENCY" doc:"The most announcements, or notices, that a worker has under way to one host at a time."`
	Secrets WebhookSecrets `env:"REELKEEPER_WEBHOOK_SECRETS" secret:"true" doc:"Secrets with which announcements are also signed as standard-webhooks says: name: whsec_… pairs, separated by lines or commas. The name announce is the consumer of REELKEEPER_ANNOUNCE_URL. For a rotation, give a name two secrets, separated by a space. Unset: they are signed only in LiveKit's way."`

	NotifyURL string `env:"REELKEEPER_NOTIFY_URL" secret:"true" doc:"Notification hook, Slack's or one that takes its JSON: it gets a message for each missed webhook, and for each recording that is lost, stuck or without its media. The URL may hold a token. Unset: nobody is told."`
}

// Sealing says how requests, which may hold credentials, are sealed.
type Sealing struct {
	Key             string   `env:"REELKEEPER_SEAL_KEY" secret:"true" doc:"Secret that requests are sealed with; the same for starter and worker. Unset: derived from LIVEKIT_API_SECRET."`
	PreviousSecrets []string `env:"REELKEEPER_PREVIOUS_SECRETS" secret:"true" doc:"Earlier secrets, separated by lines or commas, that can still open and verify after a rotation."`
}

// Seals reports whether there is a secret with which requests can be sealed.
func (c Config) Seals() bool { return c.Sealing.Key != "" || c.LiveKit.APISecret != "" }

// Payloads says whether payloads in Temporal are encrypted, and who may still read them in
// Temporal's UI and CLI.
type Payloads struct {
	Encrypt     bool   `env:"REELKEEPER_ENCRYPT_PAYLOADS" doc:"Whether to encrypt all that workflows keep in Temporal, with a key derived as for requests: true or false. What was encrypted stays readable to us after this is switched off."`
	CodecToken  string `env:"REELKEEPER_CODEC_TOKEN" secret:"true" doc:"Bearer token of the codec endpoint, through which Temporal's UI and CLI show what is encrypted. Unset: there is no such endpoint."`
	CodecOrigin string `env:"REELKEEPER_CODEC_ORIGIN" doc:"Origin of Temporal's UI, the only one that may call the codec endpoint from a browser. Required with REELKEEPER_CODEC_TOKEN."`
}

// Dial says what may be connected to besides the internet.
type Dial struct {
	AllowHosts []string `env:"REELKEEPER_ALLOW_HOSTS" doc:"Hosts at private addresses that requests may name (comma separated): host names and IPs, with or without :port, and CIDRs. Unset: only the internet is reached."`
}

// Start says how long a start is tried, and how an earlier attempt is searched for.
type Start struct {
	CallTimeout time.Duration `env:"REELKEEPER_START_CALL_TIMEOUT" doc:"How long one start call to LiveKit may take; the server itself tries for up to 75s."`
	For         time.Duration `env:"REELKEEPER_START_FOR" doc:"How long a worker tries a start, from when it takes it; at most 50m. The wait for a worker does not count."`
	Search      time.Duration `env:"REELKEEPER_TOKEN_SEARCH" doc:"How long to look for the egress of a start call that may have succeeded, before calling again. Must stay over 31s in production: LiveKit does not list a slow start for 24s, and the call may come from a front door, by default up to 7s later."`
	SearchEvery time.Duration `env:"REELKEEPER_TOKEN_SEARCH_EVERY" doc:"Wait after the first of these looks; each wait is twice as long as the one before, up to eight times this."`
}

// Look is egress.Policy as settings.
type Look struct {
	Starting []egress.Duration `env:"REELKEEPER_LOOK_STARTING" doc:"Waits between looks at an egress that is not active yet (comma separated; the last one repeats)."`
	Active   egress.Duration   `env:"REELKEEPER_LOOK_ACTIVE" doc:"Wait between looks at an active egress, give or take 10 %; at most 8760h."`
	Ending   []egress.Duration `env:"REELKEEPER_LOOK_ENDING" doc:"Waits between looks once an end is expected (comma separated; the last one repeats)."`
	Lost     egress.Duration   `env:"REELKEEPER_LOST_AFTER" doc:"How long the evidence that an egress is dead must hold before it counts as lost."`
	Stuck    egress.Duration   `env:"REELKEEPER_STUCK_AFTER" doc:"How long an egress may run before it is marked as stuck. It is not stopped."`
	GiveUp   egress.Duration   `env:"REELKEEPER_GIVE_UP_AFTER" doc:"How long to wait for an expected end before the egress counts as lost."`
	Hold     DurationOrOff     `env:"REELKEEPER_HOLD_FOR" doc:"How long to hold back the end of an egress that failed while its room is live, since LiveKit may run it again under the same ID; off: not at all."`
	Correct  DurationOrOff     `env:"REELKEEPER_CORRECT_FOR" doc:"How long an egress that was announced as lost, or as failed while its room is live, stays open for a late sign of life; off: not at all."`
}

// Reconcile says how LiveKit's list of egresses is compared with ours.
type Reconcile struct {
	Every DurationOrOff `env:"REELKEEPER_RECONCILE_EVERY" doc:"How often LiveKit's list of egresses is compared with ours, to adopt what was started elsewhere and to notice what has ended; off: never."`
	Grace time.Duration `env:"REELKEEPER_RECONCILE_GRACE" doc:"How long an egress that differs must have run or been over before the comparison acts on it: its start, or the webhook of its end, may still be under way."`
}

// Expect says which rooms must be recorded.
type Expect struct {
	Rooms []string      `env:"REELKEEPER_EXPECT" doc:"Names of the rooms that must be recorded (comma separated patterns: * stands for any characters but /, ? for one). Unset: none."`
	After time.Duration `env:"REELKEEPER_EXPECT_AFTER" doc:"How old such a room may get, with people in it and no recording, before it is reported."`
	Start string        `env:"REELKEEPER_EXPECT_START" doc:"Path of the recording that is then started, such as {room_name}-{time}.mp4, in the default storage profile, or else in the storage that LiveKit's egress service is set to. Unset: none is started."`
}

// Canary says how often to test that LiveKit's webhooks arrive.
type Canary struct {
	Every DurationOrOff `env:"REELKEEPER_CANARY_EVERY" doc:"How often we send a signed event to REELKEEPER_PUBLIC_URL, as LiveKit would, to see whether webhooks arrive; off: never."`
}

// Verify says how recorded media is looked for in its store.
type Verify struct {
	For        DurationOrOff `env:"REELKEEPER_VERIFY_FOR" doc:"The longest that an announcement waits for media that is not in its store yet or could not be played in time, or for a store that does not answer; at most 2m; off: media is not looked for."`
	LocalFiles string        `env:"REELKEEPER_LOCAL_FILES" doc:"Directory in which LiveKit's egress service writes files that it does not upload; the worker must see it at the same path. Unset: such files are not looked for."`
	FFprobe    string        `env:"REELKEEPER_FFPROBE" doc:"Path of ffprobe, with which the worker learns how long media plays; off: nothing is played. Unset: the ffprobe on PATH, if there is one."`
}

// withDefaults sets the defaults.
func (c Config) withDefaults() Config {
	c.Cached = cmp.Or(c.Cached, 3000)
	c.LiveKit.RequestsPerMinute = cmp.Or(c.LiveKit.RequestsPerMinute, 500)
	c.Door.Listen = cmp.Or(c.Door.Listen, "127.0.0.1:7980")
	c.Door.AdminListen = cmp.Or(c.Door.AdminListen, "127.0.0.1:7981")
	c.Door.RequestTimeout = cmp.Or(c.Door.RequestTimeout, 9*time.Second)
	c.Door.FailOpenAfter = cmp.Or(c.Door.FailOpenAfter, DurationOrOff(2*time.Second))
	c.Door.DeleteRoomWait = cmp.Or(c.Door.DeleteRoomWait, DurationOrOff(3*time.Second))
	c.Announce.When = cmp.Or(c.Announce.When, AnnounceAlways)
	c.Announce.For = cmp.Or(c.Announce.For, 72*time.Hour)
	c.Announce.PerHost = cmp.Or(c.Announce.PerHost, 8)
	c.Start.CallTimeout = cmp.Or(c.Start.CallTimeout, 90*time.Second)
	c.Start.For = cmp.Or(c.Start.For, 10*time.Minute)
	c.Start.Search = cmp.Or(c.Start.Search, 90*time.Second)
	c.Start.SearchEvery = cmp.Or(c.Start.SearchEvery, 2*time.Second)
	c.LogFormat = cmp.Or(c.LogFormat, formatText)
	c.Look = c.Look.withDefaults(egress.DefaultPolicy())
	c.Reconcile.Every = cmp.Or(c.Reconcile.Every, DurationOrOff(time.Minute))
	c.Reconcile.Grace = cmp.Or(c.Reconcile.Grace, time.Minute)
	c.Storage.Preflight = cmp.Or(c.Storage.Preflight, PreflightNew)
	c.Expect.After = cmp.Or(c.Expect.After, time.Minute)
	c.Canary.Every = cmp.Or(c.Canary.Every, DurationOrOff(time.Minute))
	c.Verify.For = cmp.Or(c.Verify.For, DurationOrOff(2*time.Minute))
	return c
}

func (l Look) withDefaults(p egress.Policy) Look {
	if l.Starting == nil {
		l.Starting = p.LookStarting
	}
	if l.Ending == nil {
		l.Ending = p.LookEnding
	}
	l.Active = cmp.Or(l.Active, p.LookActive)
	l.Lost = cmp.Or(l.Lost, p.LostAfter)
	l.Stuck = cmp.Or(l.Stuck, p.StuckAfter)
	l.GiveUp = cmp.Or(l.GiveUp, p.GiveUpAfter)
	l.Hold = cmp.Or(l.Hold, DurationOrOff(p.HoldFor))
	l.Correct = cmp.Or(l.Correct, DurationOrOff(p.CorrectFor))
	return l
}

// Policy returns when to look at an egress and when to give up, for egresses that start from now
// on.
func (c Config) Policy() egress.Policy {
	return egress.Policy{
		LookStarting: c.Look.Starting,
		LookActive:   c.Look.Active,
		LookEnding:   c.Look.Ending,
		LostAfter:    c.Look.Lost,
		StuckAfter:   c.Look.Stuck,
		GiveUpAfter:  c.Look.GiveUp,
		HoldFor:      egress.Duration(c.Look.Hold.D()),
		CorrectFor:   egress.Duration(c.Look.Correct.D()),
	}
}

// Expectation returns which rooms must be recorded, in the form that the reconciler takes.
func (c Config) Expectation() egress.Expectation {
	return egress.Expectation{Rooms: c.Expect.Rooms, After: egress.Duration(c.Expect.After), Start: c.Expect.Start}
}
