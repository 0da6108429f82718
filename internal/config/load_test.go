package config

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// least returns the minimal settings for every role, and for other settings that depend on them.
func least() map[string]string {
	return map[string]string{
		"LIVEKIT_URL": "wss://livekit.example", "LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": "secret",
		"REELKEEPER_PUBLIC_URL": "https://hooks.example", "REELKEEPER_CODEC_ORIGIN": "https://temporal.example",
	}
}

func with(name, value string) map[string]string {
	environ := least()
	environ[name] = value
	switch { // set what a setting needs
	case strings.HasPrefix(name, "REELKEEPER_EXPECT_"):
		environ["REELKEEPER_EXPECT"] = "*"
	case name == "TEMPORAL_WORKER_BUILD_ID":
		environ["TEMPORAL_DEPLOYMENT_NAME"] = "recorder"
	}
	return environ
}

func TestEveryVariableSetsItsField(t *testing.T) {
	t.Parallel()
	seconds := func(n int) egress.Duration { return egress.Duration(time.Duration(n) * time.Second) }
	cases := map[string]struct {
		value string
		get   func(Config) any
		want  any
	}{
		"LIVEKIT_URL":                            {"ws://lk:7880", func(c Config) any { return c.LiveKit.URL }, "ws://lk:7880"},
		"LIVEKIT_API_KEY":                        {"APIother", func(c Config) any { return c.LiveKit.APIKey }, "APIother"},
		"LIVEKIT_API_SECRET":                     {"other", func(c Config) any { return c.LiveKit.APISecret }, "other"},
		"TEMPORAL_DEPLOYMENT_NAME":               {"recorder", func(c Config) any { return c.Deployment.Name }, "recorder"},
		"TEMPORAL_WORKER_BUILD_ID":               {"v1.2.3", func(c Config) any { return c.Deployment.BuildID }, "v1.2.3"},
		"LIVEKIT_KEYS":                           {"APIa: x,\nAPIb: y", func(c Config) any { return c.LiveKit.Keys }, Keys{"APIa": "x", "APIb": "y"}},
		"REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE": {"900", func(c Config) any { return c.LiveKit.RequestsPerMinute }, 900},
		"REELKEEPER_PUBLIC_URL":                  {"http://me:1", func(c Config) any { return c.Door.PublicURL }, "http://me:1"},
		"REELKEEPER_LISTEN":                      {":80", func(c Config) any { return c.Door.Listen }, ":80"},
		"REELKEEPER_ADMIN_LISTEN":                {"[::1]:81", func(c Config) any { return c.Door.AdminListen }, "[::1]:81"},
		"REELKEEPER_REQUEST_TIMEOUT":             {"20s", func(c Config) any { return c.Door.RequestTimeout }, 20 * time.Second},
		"REELKEEPER_FAIL_OPEN_AFTER":             {"off", func(c Config) any { return c.Door.FailOpenAfter }, Off},
		"REELKEEPER_DELETE_ROOM_WAIT":            {"1s", func(c Config) any { return c.Door.DeleteRoomWait }, DurationOrOff(time.Second)},
		"REELKEEPER_ENCRYPT_PAYLOADS":            {"true", func(c Config) any { return c.Payloads.Encrypt }, true},
		"REELKEEPER_CODEC_TOKEN":                 {"sesame", func(c Config) any { return c.Payloads.CodecToken }, "sesame"},
		"REELKEEPER_CODEC_ORIGIN":                {"http://ui:8233", func(c Config) any { return c.Payloads.CodecOrigin }, "http://ui:8233"},
		"REELKEEPER_ALLOW_HOSTS":                 {"10.0.0.0/8, hooks.internal:80", func(c Config) any { return c.Dial.AllowHosts }, []string{"10.0.0.0/8", "hooks.internal:80"}},
		"REELKEEPER_ANNOUNCE_URL":                {"https://c.example/hook", func(c Config) any { return c.Announce.URL }, "https://c.example/hook"},
		"REELKEEPER_ANNOUNCE":                    {"missed", func(c Config) any { return c.Announce.When }, "missed"},
		"REELKEEPER_ANNOUNCE_FOR":                {"24h", func(c Config) any { return c.Announce.For }, 24 * time.Hour},
		"REELKEEPER_CACHED_WORKFLOWS":            {"50", func(c Config) any { return c.Cached }, 50},
		"REELKEEPER_CONSUMER_CONCURRENCY":        {"3", func(c Config) any { return c.Announce.PerHost }, 3},
		"REELKEEPER_WEBHOOK_SECRETS": {"announce: " + oneSecret + " " + otherSecret + ", archive: " + otherSecret, func(c Config) any { return c.Announce.Secrets },
			WebhookSecrets{"announce": {oneSecret, otherSecret}, "archive": {otherSecret}}},
		"REELKEEPER_NOTIFY_URL":         {"https://hooks.example/x", func(c Config) any { return c.Announce.NotifyURL }, "https://hooks.example/x"},
		"REELKEEPER_SEAL_KEY":           {"sesame", func(c Config) any { return c.Sealing.Key }, "sesame"},
		"REELKEEPER_PREVIOUS_SECRETS":   {"a, b,\n c\n", func(c Config) any { return c.Sealing.PreviousSecrets }, []string{"a", "b", "c"}},
		"REELKEEPER_START_CALL_TIMEOUT": {"80s", func(c Config) any { return c.Start.CallTimeout }, 80 * time.Second},
		"REELKEEPER_START_FOR":          {"5m", func(c Config) any { return c.Start.For }, 5 * time.Minute},
		"REELKEEPER_TOKEN_SEARCH":       {"60s", func(c Config) any { return c.Start.Search }, time.Minute},
		"REELKEEPER_TOKEN_SEARCH_EVERY": {"1s", func(c Config) any { return c.Start.SearchEvery }, time.Second},
		"REELKEEPER_LOOK_STARTING":      {"5s, 10s", func(c Config) any { return c.Policy().LookStarting }, []egress.Duration{seconds(5), seconds(10)}},
		"REELKEEPER_LOOK_ACTIVE":        {"1h", func(c Config) any { return c.Policy().LookActive }, seconds(3600)},
		"REELKEEPER_LOOK_ENDING":        {"7s", func(c Config) any { return c.Policy().LookEnding }, []egress.Duration{seconds(7)}},
		"REELKEEPER_LOST_AFTER":         {"61s", func(c Config) any { return c.Policy().LostAfter }, seconds(61)},
		"REELKEEPER_STUCK_AFTER":        {"62s", func(c Config) any { return c.Policy().StuckAfter }, seconds(62)},
		"REELKEEPER_GIVE_UP_AFTER":      {"63s", func(c Config) any { return c.Policy().GiveUpAfter }, seconds(63)},
		"REELKEEPER_HOLD_FOR":           {"64s", func(c Config) any { return c.Policy().HoldFor }, seconds(64)},
		"REELKEEPER_CORRECT_FOR":        {"off", func(c Config) any { return c.Policy().CorrectFor }, seconds(0)},
		"REELKEEPER_RECOVER":            {"3", func(c Config) any { return c.Recover }, uint(3)},
		"REELKEEPER_RECONCILE_EVERY":    {"off", func(c Config) any { return c.Reconcile.Every }, Off},
		"REELKEEPER_RECONCILE_GRACE":    {"64s", func(c Config) any { return c.Reconcile.Grace }, 64 * time.Second},
		"REELKEEPER_EXPECT":             {"standup-*, all hands", func(c Config) any { return c.Expectation().Rooms }, []string{"standup-*", "all hands"}},
		"REELKEEPER_EXPECT_AFTER":       {"65s", func(c Config) any { return c.Expectation().After }, seconds(65)},
		"REELKEEPER_EXPECT_START":       {"{room_name}.mp4", func(c Config) any { return c.Expectation().Start }, "{room_name}.mp4"},
		"REELKEEPER_CANARY_EVERY":       {"30s", func(c Config) any { return c.Canary.Every }, DurationOrOff(30 * time.Second)},
		"REELKEEPER_LOG_LEVEL":          {"debug", func(c Config) any { return c.LogLevel }, slog.LevelDebug},
		"REELKEEPER_LOG_FORMAT":         {"json", func(c Config) any { return c.LogFormat }, "json"},
		"REELKEEPER_VERIFY_FOR":         {"off", func(c Config) any { return c.Verify.For }, Off},
		"REELKEEPER_LOCAL_FILES":        {"/out", func(c Config) any { return c.Verify.LocalFiles }, "/out"},
		"REELKEEPER_FFPROBE":            {"off", func(c Config) any { return c.Verify.FFprobe }, "off"},
		"REELKEEPER_STORAGE":            {"/etc/storage.yaml", func(c Config) any { return c.Storage.File }, "/etc/storage.yaml"},
		"REELKEEPER_PREFLIGHT":          {"always", func(c Config) any { return c.Storage.Preflight }, "always"},
		"REELKEEPER_PIPELINE":           {"/etc/pipelines.yaml", func(c Config) any { return c.Pipeline }, "/etc/pipelines.yaml"},
	}
	for _, s := range settings(&Config{}) {
		assert.Contains(t, cases, s.name)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(with(name, tc.value), Serve)
			require.NoError(t, err)
			require.Equal(t, tc.want, tc.get(c))
			others, err := Load(with(name, least()[name]), Serve)
			require.NoError(t, err)
			require.Equal(t, 1, differences(c, others), "this one alone")
		})
	}
}

// differences counts the settings in which two configs differ.
func differences(a, b Config) int {
	n, other := 0, settings(&b)
	for i, s := range settings(&a) {
		if !reflect.DeepEqual(s.value.Interface(), other[i].value.Interface()) {
			n++
		}
	}
	return n
}

func TestTheDefaultPolicyIsTheVocabularys(t *testing.T) {
	t.Parallel()
	c, err := Load(nil, Reader)
	require.NoError(t, err)
	require.Equal(t, egress.DefaultPolicy(), c.Policy())
}

const wantOrigin = "must be only scheme, host and port, in lower case and without a trailing /"

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, value, want string }{
		{"LIVEKIT_URL", "livekit.example", `want a URL that begins with ws:// or wss:// or http:// or https:// and a host`},
		{"LIVEKIT_URL", "ftp://me:pass@livekit.example", `want a URL that begins with ws:// or wss:// or http:// or https://, got "ftp://livekit.example"`},
		{"LIVEKIT_URL", "me:hunter2@livekit.example", `want a URL that begins with ws:// or wss:// or http:// or https:// and a host`},
		{"LIVEKIT_URL", "wss://livekit.example/?a=b", `want a URL without ? and #: we append paths to it`},
		{"LIVEKIT_URL", "wss://livekit.example#here", `want a URL without ? and #: we append paths to it`},
		{"REELKEEPER_ANNOUNCE_URL", "consumer.example/in?token=hunter2", `want a URL that begins with http:// or https:// and a host`},
		{"REELKEEPER_PUBLIC_URL", "https://hooks.example/webhooks/livekit", `want a URL without /webhooks/livekit, which we append to it`},
		{"REELKEEPER_PUBLIC_URL", "https://hooks.example/below/webhooks/livekit/", `want a URL without /webhooks/livekit, which we append to it`},
		{"REELKEEPER_PUBLIC_URL", "https://me:hunter2@hooks.example", `want a URL without a user: LiveKit sends its own Authorization in place of a password`},
		{"REELKEEPER_PUBLIC_URL", "https://hooks.example/?a=b", `want a URL without ? and #: we append paths to it`},
		{"REELKEEPER_PUBLIC_URL", "https://hooks.example/#", `want a URL without ? and #: we append paths to it`},
		{"REELKEEPER_PUBLIC_URL", "https://hooks.example/#here", `want a URL without ? and #: we append paths to it`},
		{"REELKEEPER_PUBLIC_URL", "https://", `want a URL that begins with http:// or https:// and a host`},
		{"LIVEKIT_URL", "ws://livekit.example:99999", "want a port from 1 to 65535, got 99999"},
		{"REELKEEPER_ANNOUNCE_URL", "http://consumer.example:0/in", "want a port from 1 to 65535, got 0"},
		{"REELKEEPER_ANNOUNCE_URL", "http://a b", "is not a URL"},
		{"REELKEEPER_CACHED_WORKFLOWS", "0", "must be positive, got 0"},
		{"REELKEEPER_CONSUMER_CONCURRENCY", "0", "must be positive, got 0"},
		{"REELKEEPER_WEBHOOK_SECRETS", "hunter2", "want `name: whsec_…` pairs, separated by lines or commas, each with a space after its colon"},
		{"REELKEEPER_WEBHOOK_SECRETS", "announce: " + oneSecret + ", announce: " + otherSecret, "has the same name twice: separate the secrets of one by a space"},
		{"REELKEEPER_WEBHOOK_SECRETS", "announce:" + oneSecret, "want `name: whsec_…` pairs, separated by lines or commas, each with a space after its colon"},
		{"REELKEEPER_WEBHOOK_SECRETS", oneSecret + ": announce", "a name is a secret: want `name: whsec_…` pairs"},
		{"REELKEEPER_WEBHOOK_SECRETS", oneSecret + ": " + otherSecret, "a name is a secret: want `name: whsec_…` pairs"},
		{"REELKEEPER_WEBHOOK_SECRETS", "announce: hunter2", `"announce": want whsec_ and 24 to 64 bytes in base64`},
		{"REELKEEPER_WEBHOOK_SECRETS", "announce: whsec_hunter2", `"announce": want whsec_ and 24 to 64 bytes in base64`},
		{"REELKEEPER_WEBHOOK_SECRETS", "announce: whsec_aHVudGVyMg==", `"announce": want whsec_ and 24 to 64 bytes in base64`},
		{"REELKEEPER_WEBHOOK_SECRETS", "archive: " + oneSecret + " hunter2", `"archive": want whsec_ and 24 to 64 bytes in base64`},
		{"REELKEEPER_NOTIFY_URL", "hooks.example/services/hunter2", "want a URL that begins with http:// or https://"},
		{"REELKEEPER_NOTIFY_URL", "https://hooks.example/a b%zz/hunter2", "want a URL that begins with http:// or https://"},
		{"REELKEEPER_LISTEN", "7980", `want host:port, got "7980"`},
		{"REELKEEPER_ADMIN_LISTEN", "localhost", `want host:port, got "localhost"`},
		{"TEMPORAL_DEPLOYMENT_NAME", "reelkeeper.prod", `must not contain . or :, got "reelkeeper.prod"`},
		{"TEMPORAL_DEPLOYMENT_NAME", "a:b", `must not contain . or :, got "a:b"`},
		{"TEMPORAL_DEPLOYMENT_NAME", "__recorder", `must not begin with __, got "__recorder"`},
		{"TEMPORAL_DEPLOYMENT_NAME", strings.Repeat("x", 481), "must be at most 480 bytes long, has 481"},
		{"TEMPORAL_WORKER_BUILD_ID", "__1", `must not begin with __, got "__1"`},
		{"TEMPORAL_WORKER_BUILD_ID", strings.Repeat("x", 256), "must be at most 255 bytes long, has 256"},
		{"REELKEEPER_PREFLIGHT", "often", `want new, always, off, got "often"`},
		{"REELKEEPER_LOG_FORMAT", "xml", `want text or json, got "xml"`},
		{"REELKEEPER_LOG_LEVEL", "loud", `want debug, info, warn or error, got "loud"`},
		{"REELKEEPER_START_FOR", "9", `want a duration such as "3h", got "9"`},
		{"REELKEEPER_START_FOR", "2h", `must be at most 50m0s, got 2h0m0s`},
		{"REELKEEPER_START_FOR", "0s", "must be positive, got 0s"},
		{"REELKEEPER_ANNOUNCE", "sometimes", `want always or missed, got "sometimes"`},
		{"REELKEEPER_ANNOUNCE_FOR", "-1h", "must be positive, got -1h0m0s"},
		{"REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE", "0", "must be positive, got 0"},
		{"REELKEEPER_REQUEST_TIMEOUT", "0s", "must be positive, got 0s"},
		{"REELKEEPER_REQUEST_TIMEOUT", "off", `want a duration such as "3h", got "off"`},
		{"REELKEEPER_FAIL_OPEN_AFTER", "never", `want a duration such as "2s", or "off", got "never"`},
		{"REELKEEPER_FAIL_OPEN_AFTER", "0s", `must be positive, or "off", got 0s`},
		{"REELKEEPER_FAIL_OPEN_AFTER", "-1ns", `must be positive, or "off", got -1ns`},
		{"REELKEEPER_FAIL_OPEN_AFTER", "8s", "must be more than 1s below REELKEEPER_REQUEST_TIMEOUT (9s), got 8s"},
		{"REELKEEPER_FAIL_OPEN_AFTER", "2562047h47m16.8s", "must be more than 1s below REELKEEPER_REQUEST_TIMEOUT (9s), got 2562047h47m16.8s"},
		{"REELKEEPER_DELETE_ROOM_WAIT", "1m", "must be below REELKEEPER_REQUEST_TIMEOUT (9s), got 1m0s"},
		{"REELKEEPER_ENCRYPT_PAYLOADS", "yes", `want true or false, got "yes"`},
		{"REELKEEPER_CODEC_ORIGIN", "temporal.example", `want a URL that begins with http:// or https:// and a host`},
		{"REELKEEPER_CODEC_ORIGIN", "https://", `want a URL that begins with http:// or https:// and a host`},
		{"REELKEEPER_CODEC_ORIGIN", "https://temporal.example/", wantOrigin},
		{"REELKEEPER_CODEC_ORIGIN", "https://temporal.example/ui?x", wantOrigin},
		{"REELKEEPER_CODEC_ORIGIN", "https://Temporal.example", wantOrigin},
		{"REELKEEPER_CODEC_ORIGIN", "https://me:hunter2@temporal.example", wantOrigin},
		{"REELKEEPER_LOOK_STARTING", "5s,soon", `want a duration such as "3h", got "soon"`},
		{"REELKEEPER_LOOK_STARTING", "5s,10s,0s", "must be positive, got 0s"},
		{"REELKEEPER_LOOK_ACTIVE", "0s", "must be positive, got 0s"},
		{"REELKEEPER_LOOK_ACTIVE", "999999h", "must be at most 8760h0m0s, got 999999h0m0s"},
		{"REELKEEPER_LOOK_ENDING", "-1ns,5s", "must be positive, got -1ns"},
		{"REELKEEPER_LOST_AFTER", "0s", "must be positive, got 0s"},
		{"REELKEEPER_STUCK_AFTER", "0s", "must be positive, got 0s"},
		{"REELKEEPER_GIVE_UP_AFTER", "0s", "must be positive, got 0s"},
		{"REELKEEPER_GIVE_UP_AFTER", "1d", `want a duration such as "3h", got "1d"`},
		{"REELKEEPER_HOLD_FOR", "no", `want a duration such as "2s", or "off", got "no"`},
		{"REELKEEPER_CACHED_WORKFLOWS", "abc", `want a whole number, got "abc"`},
		{"REELKEEPER_CONSUMER_CONCURRENCY", "1.5", `want a whole number, got "1.5"`},
		{"REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE", "99999999999999999999", `want a whole number, got "99999999999999999999"`},
		{"REELKEEPER_LOG_LEVEL", "trace", `want debug, info, warn or error, got "trace"`},
		{"REELKEEPER_RECOVER", "101", "must be 0 to 100, got 101"},
		{"REELKEEPER_RECOVER", "-1", `want a whole number, 0 or more, got "-1"`},
		{"REELKEEPER_VERIFY_FOR", "3m", "must be at most 2m0s, got 3m0s"},
		{"REELKEEPER_LOCAL_FILES", "out", `want an absolute path, got "out"`},
		{"REELKEEPER_CANARY_EVERY", "1.5s", `must be whole seconds, or "off", got 1.5s`},
		{"REELKEEPER_RECONCILE_EVERY", "90ms", `must be whole seconds, or "off", got 90ms`},
		{"REELKEEPER_RECONCILE_EVERY", "1.5s", `must be whole seconds, or "off", got 1.5s`},
		{"REELKEEPER_RECONCILE_GRACE", "-1s", "must be positive, got -1s"},
		{"REELKEEPER_EXPECT", "a, [b", `"[b" is not a pattern: use * for any text, ? for one character, [a-z] for a range`},
		{"REELKEEPER_EXPECT_AFTER", "0s", "must be positive, got 0s"},
		{"REELKEEPER_STRT_FOR", "9s", "is not a setting; did you mean REELKEEPER_START_FOR?"},
		{"REELKEEPER_XYZ", "1", "is not a setting"},
		{"LIVEKIT_KEYS", "APIkey: another", "has a secret for APIkey that differs from LIVEKIT_API_SECRET"},
		{"LIVEKIT_KEYS", "APIkey:hunter2", "want `key: secret` pairs, separated by lines or commas, each with a space after its colon"},
		{"LIVEKIT_KEYS", "APIa: hunter2\nAPIa: hunter3", "has the same name twice"},
		{"LIVEKIT_KEYS", "- hunter2\n- hunter3", "want `key: secret` pairs, separated by lines or commas"},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			t.Parallel()
			_, err := Load(with(tc.name, tc.value), Worker)
			wantInvalid(t, err, tc.name, tc.want)
		})
	}
}

func wantInvalid(t *testing.T, err error, field, message string) {
	t.Helper()
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, egress.Error{Reason: egress.Invalid, Field: field, Message: message}, *e)
	require.NotContains(t, err.Error(), "hunter", "it is a secret")
}

func TestWaitsBetweenLooksAreNeverNone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"REELKEEPER_LOOK_STARTING": func(c *Config) { c.Look.Starting = []egress.Duration{} },
		"REELKEEPER_LOOK_ENDING":   func(c *Config) { c.Look.Ending = []egress.Duration{} },
	} {
		c := Config{}.withDefaults()
		require.NoError(t, c.Validate())
		change(&c)
		wantInvalid(t, c.Validate(), name, "is empty")
	}
}

func TestRoomsThatNobodyLooksAtAreNotExpected(t *testing.T) {
	t.Parallel()
	environ := with("REELKEEPER_EXPECT", "standup-*")
	environ["REELKEEPER_RECONCILE_EVERY"] = "off"
	_, err := Load(environ, Worker)
	wantInvalid(t, err, "REELKEEPER_EXPECT", "needs REELKEEPER_RECONCILE_EVERY, which is off: its rounds look at the rooms")
}

func TestEveryRoleSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	for role, wants := range map[Role][]string{
		Worker: {"LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "REELKEEPER_PUBLIC_URL"},
		Serve:  {"LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "REELKEEPER_PUBLIC_URL"},
		Client: {"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"},
		Reader: {},
	} {
		for name := range least() {
			t.Run(fmt.Sprintf("%s without %s", role, name), func(t *testing.T) {
				t.Parallel()
				environ := least()
				environ[name] = "  " // set but empty counts as unset
				_, err := Load(environ, role)
				if !slices.Contains(wants, name) {
					require.NoError(t, err)
					return
				}
				wantInvalid(t, err, name, "is not set, and "+asker(role)+" needs it")
			})
		}
	}
}

func TestForeignVariablesAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	environ := least()
	maps.Copy(environ, map[string]string{"PATH": "/bin", "LIVEKIT_OTHER": "x", "TEMPORAL_ADDRESS": "x", "REELKEEPER_DEVSERVER": "/bin/temporal"})
	_, err := Load(environ, Worker)
	require.NoError(t, err)
}

func TestKeysComeInLiveKitServersOwnForm(t *testing.T) {
	t.Parallel()
	want := Keys{"APIa": "x", "APIb": "12345"}
	for _, text := range []string{
		"APIa: x\nAPIb: 12345", "APIa: x, APIb: 12345", "{APIa: x, APIb: 12345}", "{\n  \"APIa\": \"x\",\n  \"APIb\": \"12345\"\n}", "APIa: x,\nAPIb: 12345,", "\n  APIa: x\n  APIb: \"12345\"\n", "APIb: 12345,APIa: x,",
		"APIa: x, APIb: 12345 # ours",
	} {
		var got Keys
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
}

func TestTheProjectsKeyMayComeFromTheMap(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		environ     map[string]string
		key, secret string
	}{
		"one key alone is ours":       {map[string]string{"LIVEKIT_KEYS": "APIa: x"}, "APIa", "x"},
		"the secret of the named key": {map[string]string{"LIVEKIT_KEYS": "APIa: x, APIb: y", "LIVEKIT_API_KEY": "APIb"}, "APIb", "y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(tc.environ, Client)
			require.NoError(t, err)
			require.Equal(t, tc.key, c.LiveKit.APIKey)
			require.Equal(t, tc.secret, c.LiveKit.APISecret)
		})
	}
	_, err := Load(map[string]string{"LIVEKIT_KEYS": "APIa: x, APIb: y"}, Client)
	wantInvalid(t, err, "LIVEKIT_API_KEY", "is not set, and a start needs it")
}

func TestAllKeysHoldTheProjectsOwn(t *testing.T) {
	t.Parallel()
	l := LiveKit{APIKey: "APIc", APISecret: "z", Keys: Keys{"APIa": "x"}}
	require.Equal(t, Keys{"APIa": "x", "APIc": "z"}, l.AllKeys())
	require.Len(t, l.Keys, 1, "the map is the settings' own")
	require.Equal(t, []string{"APIa", "APIc"}, l.KeyNames())
	require.Equal(t, Keys{}, LiveKit{}.AllKeys(), "none is no nil")
}
