package catalogue_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/catalogue"
)

const whole = `default: standard
pipelines:
  standard:
    consumers:
      - {name: billing, url: https://billing.example.com/hook, key: APIbilling, when: [EGRESS_COMPLETE]}
    steps:
      - name: transcribe
        activity: Transcribe
        task_queue: media
        when: &good [EGRESS_COMPLETE, EGRESS_LIMIT_REACHED]
        timeout: 30m
        heartbeat: 30s
        attempts: 5
        for: 24h
        backoff: {first: 2s, max: 1m}
        clear: true
        with: {language: en, depth: 2, tags: [a, b], author: {name: x, since: "2026-05-04", sure: true, of: ~}}
      - {name: tidy, activity: Tidy, task_queue: media, when: *good}
  bare: {}
`

func hours(n int) egress.Duration { return egress.Duration(time.Duration(n) * time.Hour) }

func seconds(n int) egress.Duration { return egress.Duration(time.Duration(n) * time.Second) }

func TestAFileIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	p, err := catalogue.Pipelines(written(t, whole), []string{"APIbilling"})

	require.NoError(t, err)
	good := []egress.Status{"EGRESS_COMPLETE", "EGRESS_LIMIT_REACHED"}
	require.Equal(t, egress.Pipelines{Default: "standard", Named: map[string]egress.Pipeline{
		"bare": {Name: "bare"},
		"standard": {
			Name:      "standard",
			Consumers: []egress.Consumer{{Name: "billing", URL: "https://billing.example.com/hook", Key: "APIbilling", When: good[:1]}},
			Steps: []egress.Step{
				{
					Name: "transcribe", Activity: "Transcribe", TaskQueue: "media", When: good,
					Timeout: seconds(1800), Heartbeat: seconds(30), Attempts: 5, For: hours(24),
					Backoff: egress.Backoff{First: seconds(2), Max: seconds(60)}, Clear: true,
					With: map[string]any{"language": "en", "depth": 2.0, "tags": []any{"a", "b"}, "author": map[string]any{"name": "x", "since": "2026-05-04", "sure": true, "of": nil}},
				},
				{
					Name: "tidy", Activity: "Tidy", TaskQueue: "media", When: good,
					Timeout: seconds(600), For: hours(72), Backoff: egress.Backoff{First: seconds(1), Max: seconds(300)},
				},
			},
		},
	}}, p)
}

func TestNoFileIsNoPipelines(t *testing.T) {
	t.Parallel()
	p, err := catalogue.Pipelines("", nil)
	require.NoError(t, err)
	require.Zero(t, p)
	_, err = catalogue.Pipelines(filepath.Join(t.TempDir(), "none.yaml"), nil)
	require.ErrorContains(t, err, "REELKEEPER_PIPELINE: ")
	require.ErrorContains(t, err, "none.yaml: no such file or directory")
}

// written writes a text to a file, and returns its path.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// step returns a file with one step, whose additional fields begin in line 8.
func step(more ...string) string {
	return "pipelines:\n  p:\n    steps:\n      - name: cut\n        activity: Cut\n        task_queue: media\n        # more\n        " +
		strings.Join(more, "\n        ") + "\n"
}

// consumer returns a file with one consumer, whose fields are in line 4.
func consumer(fields string) string {
	return "pipelines:\n  p:\n    consumers:\n      - {" + fields + "}\n"
}

func TestWhatIsWrongIsNamedWithLineAndField(t *testing.T) {
	t.Parallel()
	const at = "pipelines.p.steps[0]."
	const at4, notTaken = ":4: pipelines.p.consumers[0].name: ", " would be mistaken for one of Reelkeeper's own steps: use a name other than announce, corrected, part-…, …-part-<number> and …-corrected"
	for name, tc := range map[string]struct{ file, want string }{
		"nothing":               {"", ":1: pipelines: is missing, or empty"},
		"no YAML":               {"pipelines:\n  p: [", ":2: is not valid YAML: did not find expected node content"},
		"a second document":     {"pipelines:\n  a: {}\n---\npipelines:\n  b: {}", ":3: there is more than one document"},
		"words behind the end":  {"{pipelines: {a: {}}} words", ":1: is not valid YAML: did not find expected <document start>"},
		"no steps":              {"pipelines:\n  p:\n    steps:\n      name: a", ":3: pipelines.p.steps: want a list, got fields"},
		"steps of nothing":      {"pipelines:\n  p:\n    steps:", ":3: pipelines.p.steps: want a list, got nothing"},
		"where it is used":      {step("with: {a: &soon soon}", "for: *soon"), ":9: " + at + `for: want a duration such as 30m, got "soon"`},
		"no mapping":            {"- a", ":1: want fields with values, got a list"},
		"no pipelines":          {"default: a", ":1: pipelines: is missing, or empty"},
		"unknown default":       {"pipelines:\n  b: {}\n  a: {}\ndefault: c", `:4: default: there is no "c"; want one of a, b`},
		"unknown field":         {step("timout: 30m"), ":8: " + at + "timout: there is no such field; did you mean timeout?"},
		"far from all":          {consumer("zzzzzzzzzzz: 1"), ":4: pipelines.p.consumers[0].zzzzzzzzzzz: there is no such field; want one of key, name, url, when"},
		"twice":                 {step("timeout: 1m", "timeout: 2m"), ":9: " + at + "timeout: is set twice; the other one is in line 8"},
		"pipeline twice":        {"pipelines:\n  a: {}\n  a: {}", ":3: pipelines.a: is set twice; the other one is in line 2"},
		"pipeline's name":       {"pipelines:\n  a b: {}", ":2: pipelines.a b: must have a name of 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit"},
		"duration":              {step("timeout: soon"), ":8: " + at + `timeout: want a duration such as 30m, got "soon"`},
		"no unit":               {step("for: 30"), ":8: " + at + `for: want a duration such as 30m, got "30"`},
		"zero":                  {step("heartbeat: 0s"), ":8: " + at + `heartbeat: want a duration such as 30m, got "0s"`},
		"backoff":               {step("backoff: {first: 2m, max: 1m}"), ":4: " + at + "backoff: first is 2m0s, more than max: 1m0s"},
		"backoff's field":       {step("backoff: {frist: 2m}"), ":8: " + at + "backoff.frist: there is no such field; did you mean first?"},
		"attempts":              {step("attempts: 0"), ":8: " + at + `attempts: want a whole number, 1 or more, got "0"`},
		"attempts in words":     {step("attempts: five"), ":8: " + at + `attempts: want a whole number, 1 or more, got "five"`},
		"clear":                 {step("clear: perhaps"), ":8: " + at + `clear: want true or false, got "perhaps"`},
		"status":                {step("when: [COMPLETE]"), ":8: " + at + `when[0]: want one of EGRESS_COMPLETE, EGRESS_LIMIT_REACHED, EGRESS_FAILED, EGRESS_ABORTED, LOST, got "COMPLETE"`},
		"status of no end":      {step("when: [EGRESS_ACTIVE]"), ":8: " + at + `when[0]: want one of EGRESS_COMPLETE, EGRESS_LIMIT_REACHED, EGRESS_FAILED, EGRESS_ABORTED, LOST, got "EGRESS_ACTIVE"`},
		"status twice":          {step("when: [LOST, LOST]"), ":8: " + at + "when[1]: LOST is listed twice"},
		"never":                 {step("when: []"), ":8: " + at + "when: is empty; leave it out for all ends"},
		"status without a list": {step("when: LOST"), ":8: " + at + `when: want a list, got "LOST"`},
		"attempt over all":      {step("timeout: 2h", "for: 1h"), ":4: " + at + "timeout: one attempt may take 2h0m0s, longer than all attempts together (for: 1h0m0s)"},
		"heartbeat over all":    {step("heartbeat: 1h"), ":4: " + at + "heartbeat: is 1h0m0s, more than an attempt may take (timeout: 10m0s)"},
		"no name":               {"pipelines:\n  p:\n    steps:\n      - {activity: A, task_queue: q}", ":4: " + at + "name: is missing"},
		"no activity":           {"pipelines:\n  p:\n    steps:\n      - {name: a, task_queue: q}", ":4: " + at + "activity: is missing"},
		"no queue":              {"pipelines:\n  p:\n    steps:\n      - {name: a, activity: A}", ":4: " + at + "task_queue: is missing"},
		"empty":                 {"pipelines:\n  p:\n    steps:\n      - {name: '', activity: A}", ":4: " + at + `name: want a string, got ""`},
		"no text":               {"pipelines:\n  p:\n    steps:\n      - {activity: {}}", ":4: " + at + `activity: want a string, got fields`},
		"a name with spaces":    {"pipelines:\n  p:\n    steps:\n      - {name: a b}", ":4: " + at + `name: want 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit, got "a b"`},
		"step twice":            {step() + "      - {name: cut, activity: A, task_queue: q}", ":9: pipelines.p.steps[1].name: cut is used twice; the other one is in line 4"},
		"with":                  {step("with: en"), ":8: " + at + `with: want fields with values, got "en"`},
		"with a key":            {step("with: {deep: [{s3_access_key: x}]}"), ":8: " + at + "with.deep[0].s3_access_key: is named like a credential, and the file is stored in workflow histories: keep the credential in the step's own worker"},
		"with a signed URL":     {step("with: {from: 'https://example.com/a?X-Amz-Signature=abc'}"), ":8: " + at + "with.from: is a URL with a parameter named like a credential, and the file is stored in workflow histories: keep the credential in the step's own worker"},
		"with a token in a URL": {step("with: {from: 'https://example.com/a?access_token=abc'}"), ":8: " + at + "with.from: is a URL with a parameter named like a credential, and the file is stored in workflow histories: keep the credential in the step's own worker"},
		"with a URL":            {step("with: {from: 'https://me:pw@example.com'}"), ":8: " + at + "with.from: is a URL with a user, and the file is stored in workflow histories: keep the credential in the step's own worker"},
		"with a long number":    {step("with: {a: [9007199254740992, {b: -9007199254740993}]}"), ":8: " + at + "with: the integer -9007199254740993 is too large to be kept exactly; put it in quotes"},
		"with a longer number":  {step("with: {a: 18446744073709551615}"), ":8: " + at + "with: the integer 18446744073709551615 is too large to be kept exactly; put it in quotes"},
		"with a date":           {step("with: {a: [1, {b: 2026-05-04}]}"), ":8: " + at + "with.a[1].b: is not valid JSON; write it as JSON does, or put it in quotes"},
		"with an octal number":  {step("with: {a: 0644}"), ":8: " + at + "with.a: is not valid JSON; write it as JSON does, or put it in quotes"},
		"what is very long":     {step("with: {words: " + strings.Repeat("a", 64<<10) + "}"), ":2: pipelines.p: takes 65703 bytes as JSON; the limit is 65536: keep long values in the step's own worker"},
		"with itself":           {step("with: &a {b: *a}"), ":8: " + at + "with: cannot be read: anchor 'a' value contains itself"},
		"consumer's name":       {consumer("url: 'https://c.example'"), ":4: pipelines.p.consumers[0].name: is missing"},
		"consumer's URL":        {consumer("name: a"), ":4: pipelines.p.consumers[0].url: is missing"},
		"consumer's scheme":     {consumer("name: a, url: 'ftp://c.example'"), ":4: pipelines.p.consumers[0].url: want a URL that begins with http:// or https://"},
		"consumer's key":        {consumer("key: APIother"), `:4: pipelines.p.consumers[0].key: "APIother" is not an API key in LIVEKIT_API_KEY or LIVEKIT_KEYS; want one of APIone, APItwo`},
		"consumer announce":     {consumer("name: announce"), at4 + "announce" + notTaken},
		"consumer of a part":    {consumer("name: part-1"), at4 + "part-1" + notTaken},
		"part of a consumer":    {consumer("name: a-part-2"), at4 + "a-part-2" + notTaken},
		"consumer twice":        {consumer("name: a, url: 'https://c.example'") + "      - {name: a, url: 'https://d.example'}", ":5: pipelines.p.consumers[1].name: a is used twice; the other one is in line 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, tc.file)
			_, err := catalogue.Pipelines(path, []string{"APIone", "APItwo"})
			require.EqualError(t, err, "REELKEEPER_PIPELINE: "+path+tc.want)
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
		})
	}
}

func TestAConsumersURLHoldsNothingThatMayBeSecret(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"https://me:SENTINEL@c.example/x", "https://c.example/x?SENTINEL", "https://c.example/x#SENTINEL"} {
		_, err := catalogue.Pipelines(written(t, consumer("name: a, url: '"+u+"'")), nil)
		require.ErrorContains(t, err, "file.yaml:4: pipelines.p.consumers[0].url: has a user, a query or a fragment")
		require.ErrorContains(t, err, "REELKEEPER_ANNOUNCE_URL")
		require.NotContains(t, err.Error(), "SENTINEL")
	}
}

func TestAStepIsNotCalledLikeOneOfOurs(t *testing.T) {
	t.Parallel()
	read := func(name string) error {
		_, err := catalogue.Pipelines(written(t, "pipelines:\n  p:\n    steps:\n      - {name: "+name+", activity: A, task_queue: q}"), nil)
		return err
	}
	for _, name := range []string{"announce", "announce-billing", "webhook-1", "verify", "verify-part-1"} {
		require.ErrorContains(t, read(name), "file.yaml:4: pipelines.p.steps[0].name: "+name+" is one of Reelkeeper's own steps")
	}
	for _, name := range []string{"announcement", "webhooks", "verify-text"} {
		require.NoError(t, read(name))
	}
	for _, queue := range []string{egress.TaskQueue, egress.PollQueue} {
		_, err := catalogue.Pipelines(written(t, "pipelines:\n  p:\n    steps:\n      - {name: a, activity: A, task_queue: "+queue+"}"), nil)
		require.ErrorContains(t, err, "file.yaml:4: pipelines.p.steps[0].task_queue: "+queue+" is a queue of Reelkeeper's own workers")
	}
}

func TestWhatOnlySoundsLikeACredentialIsTaken(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"author", "keyframes", "tokenizer", "max_tokens", "secretary", "keywords"} {
		_, err := catalogue.Pipelines(written(t, step("with: {"+name+": 1}")), nil)
		require.NoError(t, err, name)
	}
	for _, name := range []string{"token", "api_key", "apiKey", "password", "db-password", "client_secret", "Authorization"} {
		_, err := catalogue.Pipelines(written(t, step("with: {"+name+": 1}")), nil)
		require.ErrorContains(t, err, "with."+name+": is named like a credential", name)
	}
}
