package main

import (
	"strings"
	"testing"

	"github.com/reelkeeper/reelkeeper/egress"
)

// room and page are complete except for what a case is about.
const (
	aRoom = "start room-composite --room r --file f.mp4 "
	aPage = "start web --file f.mp4 "
)

func TestBadInputIsOneLineAndStartsNothing(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"bogus":                                   "bogus: is not a command of starter; want one of serve, start, show, list, report, wait, stop, retry, skip, redeliver, export, doctor, completion",
		"--bogus":                                 "--bogus: is not a flag of starter; see starter --help",
		"start":                                   "--request: is missing; give it, or name what to record: room-composite, participant, track-composite, track, web",
		"start bogus":                             "bogus: is not a command of starter start; want one of room-composite, participant, track-composite, track, web",
		"start room-composite":                    "--file, --segments or --stream: one output is needed",
		"start room-composite --file f":           "--room: is missing; name the room to record",
		"start room-composite --room":             "--room: needs a value",
		aRoom + "--bogus":                         "--bogus: is not a flag of starter start room-composite; see starter start room-composite --help",
		aRoom + "extra":                           "extra: is one argument too many: starter start room-composite",
		aRoom + "--max-duration 3":                `--max-duration: "3" is not a valid value: want a duration such as "3h"`,
		aRoom + "--max-duration -3s":              "--max-duration: must be positive, got -3s",
		aRoom + "--max-duration 0":                "--max-duration: must be positive, got 0s",
		aRoom + "--recover 101":                   "--recover: must be 0 to 100, got 101",
		aRoom + "--recover=-1":                    "--recover: must be 0 to 100, got -1",
		aRoom + "--pipeline a/b":                  `--pipeline: want 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit, got "a/b"`,
		aRoom + "--timeout -1s":                   "--timeout: is negative: -1s",
		aRoom + "--id a/b":                        `--id: want 1 to 128 characters of [A-Za-z0-9._-], got "a/b"`,
		aRoom + "--id EG_x":                       `--id: begins with EG_, which only LiveKit's egress IDs do: "EG_x"`,
		aRoom + "--preset 4K":                     `--preset: "4K" is not a preset; want one of ` + strings.Join(presets(), ", "),
		aRoom + "--stream http://x":               "--stream: want a URL that begins with rtmp:// or rtmps:// or srt://",
		aRoom + "--stream rtmp:key":               "--stream: want a URL that begins with rtmp:// or rtmps:// or srt://",
		aRoom + "--base-url x":                    "--base-url: want a URL that begins with http:// or https://",
		aRoom + "--audio-only --video-only":       "--audio-only and --video-only: together leave nothing to record",
		aRoom + "--request x.json":                "--request: names its own kind; leave out room-composite",
		"start participant --room r --file f":     "--identity: is missing; name the participant to record",
		"start participant --file f":              "--room: is missing; name the room to record",
		"start track-composite --room r":          "--file, --segments or --stream: one output is needed",
		"start track-composite --file f":          "--room: is missing; name the room to record",
		"start track-composite --room r --file f": "--audio-track or --video-track: one track is needed",
		"start track --room r":                    "--track: is missing; name the track to record",
		"start track --track t":                   "--room: is missing; name the room to record",
		"start track --room r --track t":          "--file or --stream: one output is needed",
		"start track --room r --track t --file f --stream ws://x": "--file and --stream: a track goes to only one of them; give one",
		"start track --room r --track t --stream rtmp://x":        "--stream: want a URL that begins with ws:// or wss://",
		aPage:                          "--url: is missing; name the page to record",
		aPage + "--url example.com":    "--url: want a URL that begins with http:// or https://",
		aPage + "--url http://a%zz/":   "--url: want a URL that begins with http:// or https://",
		aPage + "--url https://":       "--url: want a URL that begins with http:// or https://",
		"start --request nowhere.json": "--request: open nowhere.json: no such file or directory",
		"show":                         "ID: is missing: starter show ID",
		"show a b":                     "b: is one argument too many: starter show ID",
		"stop":                         "ID: is missing: starter stop ID",
		"wait":                         "ID: is missing: starter wait ID",
		"wait x --timeout soon":        `--timeout: "soon" is not a valid value: want a duration such as "3h"`,
		"retry":                        "ID: is missing: starter retry ID [--step NAME]",
		"skip":                         "ID: is missing: starter skip ID [--step NAME]",
		"skip x a b":                   "b: is one argument too many: starter skip ID [--step NAME]",
		"retry x a --step b":           `--step: names a second step after "a": give only one`,
		"redeliver":                    "ID: is missing: name recordings, or a span with --since or --where",
		"redeliver x --since 1h":       "ID: is given together with --since, --until or --where: give one or the other",
		"redeliver --since soon":       `--since: "soon" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"redeliver --since= --yes":     `--since: "" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"redeliver --where= --yes":     "--where: is empty: give a query, or leave it out",
		"export --since=":              `--since: "" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"list --since 100000000h":      `--since: "100000000h" is too long: want at most 2562047h`,
		"list --since -24h":            `--since: "-24h" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"redeliver --since 2026-05-04T00:00:00Z --until 2026-05-04T00:00:00Z": "--since: 2026-05-04T00:00:00Z is not before --until 2026-05-04T00:00:00Z",
		"redeliver x --rate 10":              `--rate: "10" is not a rate: want a positive number per second, minute or hour, such as 10/s`,
		"redeliver x --rate 0/s":             `--rate: "0/s" is not a rate: want a positive number per second, minute or hour, such as 10/s`,
		"redeliver x --rate -1/s":            `--rate: "-1/s" is not a rate: want a positive number per second, minute or hour, such as 10/s`,
		"redeliver x --rate 1x/s":            `--rate: "1x/s" is not a rate: want a positive number per second, minute or hour, such as 10/s`,
		"export x":                           "x: is one argument too many: starter export",
		"export --csv --json":                "--json and --csv: ask for two formats; give one",
		"export --until yesterday":           `--until: "yesterday" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"list extra":                         "extra: is one argument too many: starter list",
		"list --kind video":                  `--kind: "video" is not a kind; want one of room-composite, web, participant, track-composite, track, egress`,
		"list --limit -1":                    "--limit: is negative: -1",
		"list --limit many":                  `--limit: "many" is not a valid value: want a whole number`,
		"list --status complete":             `--status: "complete" is not a status; want LOST, or one of LiveKit's: EGRESS_STARTING, EGRESS_ACTIVE, EGRESS_ENDING, EGRESS_COMPLETE, EGRESS_FAILED, EGRESS_ABORTED, EGRESS_LIMIT_REACHED`,
		"list --lost --status EGRESS_ACTIVE": "--lost and --status: name two statuses; give one",
		"report extra":                       "extra: is one argument too many: starter report",
		"report --json --csv":                "--json and --csv: ask for two formats; give one",
		"report --since yesterday":           `--since: "yesterday" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"report --since -1h":                 `--since: "-1h" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"report --until 2026-05-04":          `--until: "2026-05-04" is not a time: want a duration before now such as "24h", or a time such as 2026-05-04T00:00:00Z`,
		"report --until 2026-05-04T00:00:00Z --since 2026-05-05T01:00:00+01:00": "--since: 2026-05-05T00:00:00Z is not before --until 2026-05-04T00:00:00Z",
		"doctor extra":                "extra: is one argument too many: starter doctor",
		"doctor --only hope":          `--only: "hope" is not a check; want one of settings, keys, livekit, clock, temporal, search_attributes, workers, schedule, canary, storage, endpoint, webhook`,
		"doctor --every 10s":          "--every: needs --watch",
		"doctor --watch --every 10ms": "--every: want 1s or more, got 10ms",
		"doctor --watch --only clock": "--only: --watch runs only the check webhook",
		"serve now":                   "now: is one argument too many: starter serve",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := newShell()
			wantRefusal(t, s, s.run(t, fields(line)...), want)
		})
	}
}

// wantRefusal requires status 2, one line on stderr, and that nothing was done.
func wantRefusal(t *testing.T, s *shell, got result, want string) {
	t.Helper()
	if got.status != 2 || got.stderr != "starter: "+want+"\n" || got.stdout != "" {
		t.Errorf("got %d, stdout %q, stderr\n%s\nwant\nstarter: %s", got.status, got.stdout, got.stderr, want)
	}
	if s.starts > 0 || s.served || len(s.asked) > 0 {
		t.Error("something was started or asked all the same")
	}
}

func TestABadRequestFileIsOneLineAndStartsNothing(t *testing.T) {
	t.Parallel()
	const kinds = "room_composite, web, participant, track_composite, track, egress"
	const noURL = "want a URL that begins with http:// or https://"
	for text, want := range map[string]string{
		"":                           `--request: is not JSON; want {"room_composite": {…}} or another kind`,
		"{room_name: r}":             `--request: is not JSON; want {"room_composite": {…}} or another kind`,
		"{}":                         "--request: want one of " + kinds + " at the top level",
		"[]":                         "--request: is not a JSON object",
		`{"room_name": "r"}`:         "room_name: is not a kind of egress; want one of " + kinds,
		`{"web": {}, "storage":"s"}`: "storage: is not part of a request; remove it, and give the flag --storage",
		`{"web": {}, "track":{}}`:    "web: is a second request beside track",
		`{"web": {"webhooks": [{"url": "https://x"}, {"url": "foo"}]}}`: "webhooks[1].url: " + noURL,
		`{"web": {"webhooks": [{"url": "ftp://x/y"}]}}`:                 "webhooks[0].url: " + noURL,
		`{"track": {"webhooks": [{"url": "//x"}]}}`:                     "webhooks[0].url: " + noURL,
		`{"egress": {"webhooks": [{"url": "https://"}]}}`:               "webhooks[0].url: " + noURL,
		`{"web": {"webhooks": [{"url": " "}]}}`:                         "webhooks[0].url: " + noURL,
		`{"web": {"webhooks": [{}]}}`:                                   "webhooks[0].url: " + noURL,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			s := newShell()
			s.stdin = text
			wantRefusal(t, s, s.run(t, "start", "--request", "-"), want)
		})
	}
	t.Run("an unknown field is named", func(t *testing.T) {
		t.Parallel()
		s := newShell()
		s.stdin = `{"room_composite": {"room_naame": "r"}}`
		got := s.run(t, "start", "--request", "-")
		if got.status != 2 || !strings.HasPrefix(got.stderr, "starter: room_composite: ") || !strings.Contains(got.stderr, `"room_naame"`) ||
			strings.Count(got.stderr, "\n") != 1 || s.starts > 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestARequestInPlaceOfItsFileIsNotShown(t *testing.T) {
	t.Parallel()
	for _, request := range []string{`{"web":{"file_outputs":[{"s3":{"secret":"hunter2"}}]}}`, "\n { \"web\": {\"secret\": \"hunter2\"}}"} {
		s := newShell()
		wantRefusal(t, s, s.run(t, "start", "--request", request), "--request: want the path of a file, or - for standard input")
	}
}

func TestAMissingOrWrongVariableIsOneLine(t *testing.T) {
	t.Parallel()
	for want, environ := range map[string]map[string]string{
		"LIVEKIT_API_KEY: is not set, and a start needs it":                       {"TEMPORAL_ADDRESS": "x:1"},
		"LIVEKIT_API_SECRET: is not set, and a start needs it":                    {"LIVEKIT_API_KEY": "APIkey"},
		"REELKEEPER_SEALKEY: is not a setting; did you mean REELKEEPER_SEAL_KEY?": {"LIVEKIT_API_KEY": "APIkey", "REELKEEPER_SEALKEY": "x"},
		`REELKEEPER_ANNOUNCE_FOR: want a duration such as "3h", got "long"`:       {"LIVEKIT_API_KEY": "APIkey", "REELKEEPER_ANNOUNCE_FOR": "long"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := newShell()
			s.environ = environ
			wantRefusal(t, s, s.run(t, fields(aRoom)...), want)
		})
	}
}

func TestTheExitStatusSaysWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	for reason, want := range map[egress.Reason]int{
		egress.Invalid: 2, egress.Refused: 2, egress.Denied: 2, egress.NotFound: 2, egress.Conflict: 2, egress.AlreadyOver: 2,
		egress.Unanswered: 1, egress.Unreachable: 1, egress.RateLimited: 1, egress.Unavailable: 1, egress.Ambiguous: 1, egress.NoEcho: 1,
		egress.TooLate: 1, egress.Sealed: 1, egress.StillGoing: 1, egress.ConsumerFailed: 1, egress.HeldBack: 1, egress.Internal: 1,
	} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			s := newShell()
			s.err = &egress.Error{Reason: reason, Code: "a_code", Message: "LiveKit's\nwords"}
			got := s.run(t, fields(aRoom)...)
			if got.status != want || got.stderr != "starter: a_code: LiveKit's; words\n" || got.stdout != "" {
				t.Errorf("got %+v, want status %d", got, want)
			}
		})
	}
}

func TestAFlagThatIsNamedWithoutAValueIsNotLeftOut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ flag, line string }{
		{"step", "skip x --step"}, {"step", "skip x"}, {"step", "retry x --step"}, {"step", "retry x"}, {"step", "redeliver x --step"},
		{"step", "redeliver --since 1h --step"}, {"room", "list --room"}, {"kind", "list --kind"}, {"status", "list --status"},
	} {
		for _, empty := range []string{"", " "} {
			s := newShell()
			s.waiting = waitingFor("announce")
			wantRefusal(t, s, s.run(t, append(fields(tc.line), empty)...), "--"+tc.flag+": is empty: give it a value, or leave it out")
		}
	}
}

func TestAnEmptyFlagOfAKindIsNotLeftOut(t *testing.T) {
	t.Parallel()
	for kind, tc := range map[string]struct{ rest, flags string }{
		"room-composite":  {"--room r --file f.mp4 --stream rtmp://x", "room layout base-url file segments playlist preset"},
		"participant":     {"--room r --identity i --file f.mp4 --stream rtmp://x", "room identity file segments playlist preset"},
		"track-composite": {"--room r --audio-track TR_a --video-track TR_v --file f.mp4 --stream rtmp://x", "room audio-track video-track file segments playlist preset"},
		"track":           {"--room r --track TR_1 --file f.mp4", "room track file stream"},
		"web":             {"--url https://example.com --file f.mp4 --stream rtmp://x", "url file segments playlist preset"},
	} {
		for _, flag := range fields(tc.flags) {
			s := newShell()
			line := append(fields("start "+kind+" "+tc.rest), "--"+flag, "")
			wantRefusal(t, s, s.run(t, line...), "--"+flag+": is empty: give it a value, or leave it out")
		}
	}
}

func TestAnArgumentThatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"argument 1", []string{"\xff"}},
		{"argument 2", []string{"show", "a\xff"}},
		{"argument 3, after --room", []string{"list", "--room", "\xc3\x28"}},
		{"--room", []string{"list", "--room=\xff"}},
		{"argument 2", []string{"list", "--r\xffoom=x"}},
		{"argument 4, after --id", append(fields("start web --id"), "\xff")},
	} {
		s := newShell()
		wantRefusal(t, s, s.run(t, tc.args...), tc.want+": is not UTF-8")
	}
	s := newShell()
	if got := s.run(t, "show", "naïve"); got.status != 0 || len(s.asked) != 1 {
		t.Errorf("got %+v", got)
	}
}
