package check

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFiguresSayWhatHappened(t *testing.T) {
	t.Parallel()
	l := accepted().records("EG_1", 1).then(2, func(e *Egress) { e.Faults = []string{"rerun"} }).ends(3, failed).ends(9, complete).
		told(4, "EV_1", "EG_1", failed, "").told(10, "EV_2", "EG_1", complete, "").but(func(r *Request) { r.Header = http.Header{"X-Reelkeeper-Source": {"poll"}} }).
		told(10, "EV_2", "EG_1", complete, "").but(func(r *Request) { r.Answer = 500 }).
		agent(Agent{At: at(2), Did: Forged}).
		works(5, "ST_1", failed, 3).works(11, "ST_2", complete, 9).as(failing).works(12, "ST_2", complete, 9).works(13, "ST_2", complete, 9).as(knowing).as(func(s *Step) { s.Cut = true })
	l.Agents[1].Tries = 3
	l.LiveKit = append(l.LiveKit, LiveKit{Start: "room"}, LiveKit{Webhook: &Webhook{Outcome: "sent"}}, LiveKit{Webhook: &Webhook{Outcome: "suppressed"}}, LiveKit{Up: true})
	l.Kills = []Kill{{Part: "worker"}, {Part: "worker"}, {Part: "door", Exit: "exit status 1"}, {Part: "door", Asked: true}, {Part: "temporal", Asked: true, Exit: "exit status 1"}}
	findings, f := Judge(l.Logs, rules)
	require.Empty(t, findings)
	f.lags = nil
	require.Equal(t, Figures{
		Lives: 1, Kinds: map[string]int{"room_composite": 1}, Outcomes: map[Outcome]int{Accepted: 1}, Retries: 2, Forged: 1,
		Starts: 1, Egresses: 1, Recorded: 1, Faults: map[string]int{"rerun": 1}, Became: map[string]int{complete: 1, "ran twice": 1}, Webhooks: map[string]int{"sent": 1, "suppressed": 1},
		Requests: 3, Answers: map[int]int{200: 2, 500: 1}, Handled: 1, Verdicts: map[string]int{complete: 1}, EndedBy: map[string]int{"poll": 1}, Media: map[string]int{},
		Amended: 1, Kills: map[string]int{"worker": 2}, Asked: map[string]int{"door": 1}, Exits: map[string]int{"door": 1}, Lag: Lag{1, 1, 1},
		Steps: map[Work]int{Worked: 2, Failed: 1, Knew: 1}, Cut: 1,
	}, f)

	var out bytes.Buffer
	require.NoError(t, Print(&out, nil, f))
	require.Contains(t, out.String(), "1 accepted; 2 calls repeated by agents, 1 forged ends, 0 neighbours, 0 restarted elsewhere.")
	require.Contains(t, out.String(), "Step: attempts: 1 failed, 1 knew, 2 worked; 1 answers lost; time from the announcement to its work: p50 0.0 s, p99 0.0 s, at most 0.0 s.\n")
	require.Contains(t, out.String(), "Kills: 2 worker; asked to stop: 1 door; exited by themselves: 1 door.")
	require.Contains(t, out.String(), "0 lost, 0 twin, 0 unstopped, 0 cut, 0 repeated, 0 wrong, 0 early, 0 late, 0 invented, 0 denied, 0 unstepped, 0 unverified, 0 mismatched, 0 meddled, 0 secret, 0 crashed.")
}

func TestALagIsTheWaitFromTheEnd(t *testing.T) {
	t.Parallel()
	_, f := Judge(accepted().records("EG_1", 1).ends(5, complete).told(8, "EV_1", "EG_1", complete, "").Logs, rules)
	require.Equal(t, Lag{3, 3, 3}, f.Lag)
	var lags []time.Duration
	for n := 1; n <= 200; n++ {
		lags = append(lags, time.Duration(n))
	}
	require.Equal(t, []time.Duration{100, 198, 200}, []time.Duration{rank(lags, 0.5), rank(lags, 0.99), rank(lags, 1)})
	require.Equal(t, []time.Duration{1, 2}, []time.Duration{rank(lags[:2], 0.5), rank(lags[:2], 0.99)})
	require.Zero(t, rank(nil, 0.5))
}

func TestFindingsAreShownUpToALimit(t *testing.T) {
	t.Parallel()
	findings := make([]Finding, mostFindings+2)
	for n := range findings {
		findings[n] = Finding{Kind: KindTwin, Life: n, EgressID: "EG_1", Words: "recorded in addition to EG_2"}
	}
	var out bytes.Buffer
	require.NoError(t, Print(&out, findings, Figures{}))
	require.Contains(t, out.String(), "22 twin")
	require.Contains(t, out.String(), "  twin: life 19, EG_1: recorded in addition to EG_2\n  … and 2 more\n")
}

func TestLogsAreReadAsFarAsTheyAreWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	l, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, Logs{}, l, "no log is an empty one")

	write(AgentLog, `{"life":1,"did":"began"}`+"\n\n"+`{"life":2,"did":"be`)
	write(LiveKitLog, `{"egress":{"id":"EG_1","recorded":true}}`+"\n")
	write(ConsumerLog, `{"answer":200}`+"\n")
	write(StepLog, `{"key":"ST_1","did":"worked"}`+"\n"+`{"key":`)
	write(KillLog, `{"part":"door"}`+"\n")
	l, err = Read(dir)
	require.NoError(t, err)
	require.Equal(t, Logs{
		Agents: []Agent{{Life: 1, Did: Began}}, LiveKit: []LiveKit{{Egress: &Egress{ID: "EG_1", Recorded: true}}},
		Consumer: []Request{{Answer: 200}}, Kills: []Kill{{Part: "door"}},
		Steps: []Step{{Key: "ST_1", Did: Worked}},
	}, l)
	steps, err := ReadSteps(dir)
	require.NoError(t, err)
	require.Equal(t, l.Steps, steps)

	write(KillLog, "{}\n{\n{}\n")
	_, err = Read(dir)
	require.ErrorContains(t, err, "kills.jsonl: line 2")
	var syntax *json.SyntaxError
	require.ErrorAs(t, err, &syntax)
}

func TestSecretsAreFoundInAnyFileAndInBase64(t *testing.T) {
	t.Parallel()
	const canary = "RKcanary7Z"
	for name, tc := range map[string]struct {
		content string
		want    string
	}{
		"none":                {"nothing here, and RKcanary8Z is of another run", ""},
		"as it is":            {"\x00\x01 RKcanary7Zsecret1 and RKcanary7Zaccess1", "2 credentials in deep/file, the first at byte 3"},
		"base64, first place": {"UktjYW5hcnk3WnNlY3JldA==", "1 credentials in deep/file, the first at byte 0"},
		"base64, one behind":  {"eFJLY2FuYXJ5N1pzZWNyZXQ=", "1 credentials in deep/file, the first at byte 2"},
		"base64, two behind":  {"eHhSS2NhbmFyeTdac2VjcmV0", "1 credentials in deep/file, the first at byte 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "deep"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "deep", "file"), []byte(tc.content), 0o600))
			findings, err := Search(dir, canary)
			require.NoError(t, err)
			var words []string
			for _, f := range findings {
				require.Equal(t, KindSecret, f.Kind)
				words = append(words, f.Words)
			}
			require.Equal(t, tc.want, strings.Join(words, ";"))
		})
	}
	told := func(path, name, body string) Request {
		return Request{Path: path, Header: http.Header{name: {"x"}}, Body: body}
	}
	findings := SearchTold([]Request{told("/announced", "", "none"), told("/announced", canary, ""), told("/own", "", canary), told("/announced", "", "UktjYW5hcnk3WnNlY3JldA==")}, "/announced", canary)
	words := "1 credentials in a request to the consumer at /announced"
	require.Equal(t, []Finding{{Kind: KindSecret, Words: words}, {Kind: KindSecret, Words: words}}, findings)
	_, err := Search(filepath.Join(t.TempDir(), "nowhere"), canary)
	require.Error(t, err)
}
