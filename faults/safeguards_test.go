package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

var allSafeguards = flag.Bool("safeguards", false, "switch every safeguard off in turn, not only those that are marked, and run each scenario with it on as well")

// change is a text of a source file, and its replacement.
type change struct{ file, old, now string }

// safeguard is something that keeps the promise: a build without it must be caught, by
// a scenario that needs it.
type safeguard struct {
	name     string
	always   bool // also without -safeguards
	changes  []change
	scenario []string
	caught   check.Kind
	least    int // findings of that kind
}

var safeguards = []safeguard{
	{
		name: "an earlier start is looked for by its token", always: true,
		changes:  []change{{"activities/start.go", "if s.maybeSent || late {", "if false {"}},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {reply-lost: 0.4, reply-5xx: 0.4, webhook-lost: 1}}", "call: {from: 2s, to: 5s}", "call: {from: 8s, to: 10s}", "settle: 40s", "settle: 25s"},
		caught:   check.KindTwin, least: 3,
	},
	{
		name: "LiveKit is asked when news is overdue", always: true,
		changes:  []change{{"activities/poll.go", "why := p.ask(ctx)", `why := "not asked"`}},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {webhook-lost: 1, room-webhook-lost: 1}}", "web: 1}", "participant: 2}", "participant: 1, ", "", "settle: 40s", "settle: 30s", "at_once: 12", "at_once: 3", "call: {from: 2s, to: 5s}", "call: {from: 8s, to: 10s}"},
		caught:   check.KindLost, least: 9, // a slow start may find its room empty
	},
	{
		name:    "the search goes on for as long as LiveKit may take to list a start",
		changes: []change{{"activities/start.go", "left := s.cfg.SearchFor - time.Since(begin)", "left := -time.Since(begin)"}},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {start-slow: 0.6, webhook-lost: 1}}",
			"REELKEEPER_START_CALL_TIMEOUT: 4s", "REELKEEPER_START_CALL_TIMEOUT: 500ms"},
		caught: check.KindTwin, least: 3,
	},
	{
		name: "a webhook's signature is checked", always: true,
		changes: []change{
			{"webhook/verify.go", "_, err := webhook.Receive(", "_, _ = webhook.Receive("},
			{"webhook/verify.go", "keys)\n\treturn err\n", "keys)\n\treturn nil\n"},
		},
		scenario: []string{"lives: 12", "forge: 1\nlives: 12", "settle: 40s", "settle: 15s"},
		caught:   check.KindEarly, least: 6,
	},
	{
		name: "a token that no key of ours made names nothing of ours", always: true,
		changes:  []change{{"internal/seal/digest.go", "return ok == 1", "return ok >= 0"}},
		scenario: []string{"lives: 12", "neighbour: 1\nlives: 12", "settle: 40s", "settle: 15s"},
		caught:   check.KindMeddled, least: 6,
	},
	{
		name:     "an idempotency key is one recording",
		changes:  []change{{"gateway/call.go", `if c.requestID = c.key; c.key == "" {`, "if true {"}},
		scenario: []string{"timeout: 5s", "timeout: 1s", "speed: 0.1}", "speed: 0.1, faults: {start-slow: 0.6}}"},
		caught:   check.KindTwin, least: 2,
	},
	{
		name: "requests are sealed",
		changes: []change{
			{"internal/seal/request.go", "blob := k.seal(plaintext, requestID, readable)", "blob := append(readable[:0:0], plaintext...)"},
			{"internal/seal/request.go", "plaintext, err := k.open(in.Sealed, requestID, readable)", "plaintext, err := append(readable[:0:0], in.Sealed...), error(nil)"},
		},
		caught: check.KindSecret, least: 1,
	},
	{
		// LiveKit itself masks the keys of a store, but not a proxy's password, and no tokens in URLs.
		name:    "what LiveKit echoes is redacted",
		changes: []change{{"egress/redact.go", `walk(md, tree, "", maskValue)`, `walk(md, tree, "", func(_ string, _ field, v string) string { return v })`}},
		caught:  check.KindSecret, least: 1,
	},
	{
		name:     "an announcement is repeated under its own ID",
		changes:  []change{{"activities/letter.go", "body := l.event.Raw()", `body := []byte(strings.Replace(string(l.event.Raw()), "EV_", fmt.Sprintf("EV_%d", time.Now().UnixNano()), 1))`}},
		scenario: []string{"bound: 60s", "consumer: {cut: 0.5}\nbound: 60s"},
		caught:   check.KindRepeated, least: 3,
	},
	{
		name: "a failure that may not be the last word is held",
		changes: []change{
			{"egress/again.go", "if s.mayRunAgain() && s.Policy.HoldFor > 0 {", "if false {"},
			// Nor is the end of the second run announced once the workflow has closed.
			{"recordings/correct.go", "again := row.Status.Failed() && o.Info.Proto().GetRetryCount() > 0", "again := false"},
		},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {rerun: 1}}", "settle: 40s", "settle: 10s"},
		caught:   check.KindWrong, least: 6,
	},
	{
		name:     "a worker that may be dead is asked by a stop",
		changes:  []change{{"egress/due.go", "case s.MayProbe(now):\n\t\treturn ActProbe\n", ""}},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {zombie: 1}}", "web: 1}", "participant: 2}", "participant: 1, ", "", "settle: 40s", "settle: 20s"},
		caught:   check.KindLost, least: 12,
	},
	{
		// A recorder's absence means something only if LiveKit shows others that join in the same way.
		name:    "a worker that answers is not stopped",
		changes: []change{{"activities/stop.go", "err := a.ask(ctx, egressID)\n\tif egress.ReasonOf(err) == egress.AlreadyOver {", "_, err := a.stop(ctx, egressID)\n\tif egress.ReasonOf(err) == egress.AlreadyOver {"}},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {recorder-unlisted: 0.5}}", "kinds: {room_composite: 2, participant: 1, web: 1}", "kinds: {participant: 1}",
			"call: {from: 2s, to: 5s}", "call: {from: 20s, to: 20s}"},
		caught: check.KindCut, least: 2,
	},
	{
		name: "a start past Temporal is adopted",
		changes: []change{
			{"webhook/route.go", "case !found:\n\t\treturn h.adopt(ctx, d, named[0])\n", "case !found:\n\t\treturn Unknown\n"},
			{"egress/reconcile.go", "p.ended(l, Measure{Deed: DeedAdopt, EgressID: l.ID, RequestID: l.Adopter()})\n", ""},
		},
		scenario: []string{"at_once: 12", "kills: {temporal: {every: 2s, down: 20s}}\nat_once: 12", "lives: 12", "lives: 60", "bound: 60s", "deep_rounds: 5s\nbound: 90s",
			"REELKEEPER_RECONCILE_EVERY: \"off\"", "REELKEEPER_RECONCILE_EVERY: 5s\n  REELKEEPER_RECONCILE_GRACE: 3s"},
		caught: check.KindLost, least: 2,
	},
	{
		name: "what comes while an end is told is taken before the workflow closes", always: true,
		changes: []change{
			{"workflows/deliver.go", "\te.foldAside(ctx)\n\te.takeWebhooks(ctx)\n", "\te.foldAside(ctx)\n"},
			{"workflows/deliver.go", "if e.observations.Len() == 0 && e.listings.Len() == 0 {", "if true { // else it would not close at all"},
		},
		scenario: []string{"lives: 12", "elsewhere: 1\nlives: 12", "bound: 60s", "step: {slow: 1}\nbound: 60s",
			"speed: 0.1}", "speed: 0.1, faults: {failed: 1}}", "REELKEEPER_HOLD_FOR: 3s", "REELKEEPER_HOLD_FOR: \"off\"", "settle: 40s", "settle: 15s"},
		caught: check.KindLost, least: 3,
	},
	{
		name:     "a request's own webhook is told of the end",
		changes:  []change{{"workflows/watch.go", "e.Steps = append(e.Steps, egress.WebhookStep(n))", "_ = n"}},
		scenario: []string{"lives: 12", "own_webhook: 1\nlives: 12", "settle: 40s", "settle: 10s"},
		caught:   check.KindLost, least: 6,
	},
	{
		name: "a stop reaches LiveKit",
		changes: []change{
			{"workflows/updates.go", "e.asks.SendAsync(u.AskedBy)", "_ = before"},
			{"workflows/updates.go", "e.failed != nil || e.answered.stops > before || e.over()", "true"},
		},
		scenario: []string{"lives: 12", "stop: 1\nlives: 12", "web: 1}", "web: 9}", "settle: 40s", "settle: 10s"},
		caught:   check.KindUnstopped, least: 3,
	},
	{
		name:     "a step that fails is tried again",
		changes:  []change{{"workflows/policies.go", "MaximumAttempts: int32(s.Attempts)", "MaximumAttempts: 1"}},
		scenario: []string{"bound: 60s", "step: {error: 0.5}\nbound: 60s"},
		caught:   check.KindUnstepped, least: 2,
	},
	{
		name: "a step has one key at all attempts",
		changes: []change{
			{"workflows/policies.go", "MaximumAttempts: int32(s.Attempts)", "MaximumAttempts: 1"},
			{"workflows/steps.go", "return e.execute(ctx, s, in) }", `for e.execute(ctx, s, in) != nil { in.IdempotencyKey += "X" }; return nil }`},
		},
		scenario: []string{"bound: 60s", "step: {cut: 0.6}\nbound: 60s"},
		caught:   check.KindRepeated, least: 2,
	},
	{
		name:     "media is said to be there only if it is",
		changes:  []change{{"egress/found.go", "file.Media = media\n", "file.Media = MediaPresent\n"}},
		scenario: []string{"speed: 0.1}", "speed: 0.1, faults: {media-missing: 1}}", `VERIFY_FOR: "off"`, "VERIFY_FOR: 3s"},
		caught:   check.KindMismatched, least: 6,
	},
}

func TestABuildWithoutASafeguardIsCaught(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes minutes")
	}
	for _, s := range safeguards {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if !s.always && !*allSafeguards {
				t.Skip("make faults-safeguards runs them all")
			}
			path := scenarioFor(t, s.scenario...)
			judge := func(bin, seed string) (int, map[check.Kind]int) {
				o := perform(t, "--scenario", path, "--seed", seed, "--state", filepath.Join(t.TempDir(), "run"), "--bin", bin, "--json")
				t.Log(o.stderr, o.stdout)
				var r struct{ Counts map[check.Kind]int }
				require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
				return o.status, r.Counts
			}
			broken, seed := without(t, s.changes), seedOf(t)
			status, counts := judge(broken, seed)
			for tries := 1; status != 1 || counts[s.caught] < s.least; tries++ { // a machine that stalls can keep all lives at once from what they need
				require.Less(t, tries, 3, "status %d, %d of %d %s", status, counts[s.caught], s.least, s.caught)
				seed = seedOf(t)
				status, counts = judge(broken, seed)
			}
			if *allSafeguards {
				status, counts = judge(built(t), seed)
				require.Zero(t, status, "with it, the same scenario is survived: %v", counts)
			}
		})
	}
}

func TestThePageListsEverySafeguard(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/faults.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(page), "\n| switched off | found as |\n|---|---|\n")
	require.True(t, found)
	table, _, _ := strings.Cut(after, "\n\n")
	require.Equal(t, rows(safeguards), strings.Split(table, "\n"))
}

// rows returns the page's table, where a star marks what always runs.
func rows(list []safeguard) (lines []string) {
	for _, s := range list {
		star := ""
		if s.always {
			star = " *"
		}
		lines = append(lines, fmt.Sprintf("| %s%s | %s |", s.name, star, s.caught))
	}
	return lines
}

// When a safeguard moves in the source, its row must change, too.
func TestWhatASafeguardRowSwitchesOffIsThere(t *testing.T) {
	t.Parallel()
	for _, s := range safeguards {
		require.NotEmpty(t, changed(t, s.changes), s.name)
	}
}

// changed returns source files by path, with some texts replaced, each of which must occur exactly
// once.
func changed(t *testing.T, changes []change) map[string]string {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, c := range changes {
		path := filepath.Join(root, c.file)
		if _, ok := texts[path]; !ok {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			texts[path] = string(b)
		}
		require.Equal(t, 1, strings.Count(texts[path], c.old), "%s: %s", c.file, c.old)
		texts[path] = strings.Replace(texts[path], c.old, c.now, 1)
	}
	return texts
}

// without builds worker and starter with some texts replaced.
func without(t *testing.T, changes []change) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for path, text := range changed(t, changes) {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		require.NoError(t, os.WriteFile(replace[path], []byte(text), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	at := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(at, overlay, 0o600))
	build := exec.Command("go", "build", "-ldflags=-w", "-overlay", at, "-o", dir+string(filepath.Separator), "./worker", "./starter")
	build.Dir = ".."
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}
