package egress_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheDetailsTellTheStoryOfEachPhase(t *testing.T) {
	t.Parallel()
	ended := func(t *testing.T, steps ...string) *egress.State {
		t.Helper()
		s := watched(t)
		s.Steps = steps
		s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Final: true, Source: egress.FromWebhook, HeardAt: noon.Add(time.Minute)})
		return s
	}
	for name, tc := range map[string]struct {
		state func(t *testing.T) *egress.State
		want  []string // lines, in order
	}{
		"starting": {
			func(t *testing.T) *egress.State { t.Helper(); return seen(t) },
			[]string{
				"- **now**: LiveKit is asked to start it. Waits for LiveKit's answer, or its first webhook.",
				"- **you can**: `starter stop standup-1`: end it as soon as it has begun",
				"- **you can**: `starter show standup-1`: see what is being tried, and what prevents it",
			},
		},
		"told by a webhook before the start answers": {
			func(t *testing.T) *egress.State { t.Helper(); return seen(t, starting) },
			[]string{
				"- **now**: EG_1 is EGRESS_STARTING. Waits for LiveKit's answer to our start.",
				"- **you can**: `starter stop standup-1`: end it now; otherwise it keeps recording",
				"| 2026-11-23 12:00:00 | EGRESS_STARTING | start |  |",
			},
		},
		"active": {
			func(t *testing.T) *egress.State { t.Helper(); return watched(t) },
			[]string{
				"- **now**: EG_1 is EGRESS_ACTIVE. Waits for LiveKit's webhook; if none comes, LiveKit is asked at 2026-11-23 12:05:11 UTC.",
				"- **you can**: `starter stop standup-1`: end it now; otherwise it keeps recording",
				"| 2026-11-23 12:00:00 | EGRESS_ACTIVE | start |  |",
			},
		},
		"overdue": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := watched(t)
				s.AskedFrom = noon.Add(5 * time.Minute)
				return s
			},
			[]string{
				"- **now**: EG_1 is EGRESS_ACTIVE. Waits for news, and keeps asking LiveKit from 2026-11-23 12:05:00 UTC on: " +
					"the pending activity Poll shows what it last saw.",
			},
		},
		"an end is expected": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := watched(t)
				s.WantStop(egress.StopRequested, noon.Add(time.Minute))
				return s
			},
			[]string{
				"if none comes, LiveKit is asked at 2026-11-23 12:01:20 UTC. Its end has been expected since 2026-11-23 12:01:00 UTC; " +
					"if none comes, it is given up as lost by 2026-11-24 12:01:00 UTC.",
				"- **you can**: `starter stop standup-1`: tell LiveKit once more to end it",
				"| 2026-11-23 12:00:00 | EGRESS_ACTIVE | start |  |",
				"| 2026-11-23 12:01:00 | a stop was requested |  |  |",
			},
		},
		"stuck": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := watched(t)
				s.Stuck = "it has been running for over 12h0m0s"
				return s
			},
			[]string{
				"- **needs a person**: it has been running for over 12h0m0s\n",
				"- **now**: EG_1 is EGRESS_ACTIVE.",
				"- **you can**: `starter stop standup-1`: end it now; otherwise it keeps recording",
			},
		},
		"ended before the start answered": {
			func(t *testing.T) *egress.State { t.Helper(); return seen(t, failed) },
			[]string{"- **now**: EG_1 ended as EGRESS_FAILED, learned from start. Waits for LiveKit's answer to our start."},
		},
		"settled, and not yet delivered": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := ended(t, "announce", "webhook-1", "webhook-2")
				s.Done = []string{"webhook-1"}
				return s
			},
			[]string{
				"- **now**: EG_1 ended as EGRESS_COMPLETE, learned from webhook. Waits for delivery: announce, webhook-2.",
				"\n- **you can**: `starter show standup-1`: see what is being tried",
				"| 2026-11-23 12:01:00 | ended as EGRESS_COMPLETE | webhook |  |",
			},
		},
		"settled, and a step waits for a person's word": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := ended(t, "announce", "webhook-1")
				s.AwaitsWord, s.Stuck = []string{"webhook-1"}, "step webhook-1 failed for good: <b>404</b> *Not* Found\nat all"
				return s
			},
			[]string{
				"- **needs a person**: step webhook-1 failed for good: &lt;b&gt;404&lt;/b&gt; \\*Not\\* Found at all\n",
				"Waits for you to retry or skip webhook-1. Waits for delivery: announce.",
				"- **you can**: `starter retry standup-1 webhook-1`: run it again, once the cause is fixed",
				"- **you can**: `starter skip standup-1 webhook-1`: leave it out",
			},
		},
		"lost": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := watched(t)
				s.Steps = []string{"announce"}
				s.GiveUp(egress.FromTimeout, "its room is gone", noon.Add(time.Hour))
				return s
			},
			[]string{
				"- **now**: EG_1 is lost: its room is gone. Nothing more is expected of it; its storage may hold a part. Waits for delivery: announce.",
				"| 2026-11-23 13:00:00 | lost: its room is gone | timeout |  |",
			},
		},
		"delivered": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := ended(t, "announce", "webhook-1")
				s.Phase, s.Done, s.Skipped = egress.Delivered, []string{"announce", "webhook-1"}, []string{"webhook-1"}
				return s
			},
			[]string{
				"- **now**: EG_1 ended as EGRESS_COMPLETE, learned from webhook. Delivered: announce. Left out: webhook-1.\n\n| UTC | what happened | source | late |",
				"| 2026-11-23 12:01:00 | ended as EGRESS_COMPLETE | webhook |  |",
			},
		},
		"delivered to nobody": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := ended(t)
				s.Phase = egress.Delivered
				return s
			},
			[]string{"learned from webhook. Nobody had to be told."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rest := tc.state(t).Details("standup-1")
			for _, line := range tc.want {
				before, after, found := strings.Cut(rest, line)
				require.True(t, found, "want %q in\n%s", line, rest)
				require.NotContains(t, before, line)
				rest = after
			}
		})
	}
}

func TestNobodyIsToldWhatToDoAboutWhatIsOver(t *testing.T) {
	t.Parallel()
	s := seen(t, complete)
	s.Phase = egress.Delivered
	require.NotContains(t, s.Details("standup-1"), "starter ")
	require.Empty(t, s.Ways("standup-1"))
}

func TestAnIDThatBeginsWithADashIsNoFlagOfACommand(t *testing.T) {
	t.Parallel()
	text := watched(t).Details("-x")
	require.Contains(t, text, "`starter stop egress/-x`")
	require.Contains(t, text, "`starter show egress/-x`")
	n := egress.Notice{Concern: egress.ConcernStuck, RequestID: "-x", Step: egress.StepAnnounce}
	require.Contains(t, n.Text(), "See `starter show egress/-x`. Fix the cause, then `starter retry egress/-x announce`; or leave it out: `starter skip egress/-x announce`.")
}

// The UI carries the details in a URL, and the state is carried over to each next run.
func TestTheDetailsStaySmallHoweverLongTheLife(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Stuck = strings.Repeat("no route to host; ", 100)
	for n := range 100 {
		s.Evidence.MissingSince = time.Time{}
		s.Looked(egress.Look{MissingSince: noon}, noon.Add(time.Duration(n)*time.Minute))
	}
	text := s.Details(strings.Repeat("r", 128))
	require.Less(t, len(text), 2048, text)
	require.Contains(t, text, "| … | 89 more | | |")
	require.Contains(t, text, fmt.Sprintf("| %s | LiveKit no longer knows it | poll |", noon.Add(99*time.Minute).Format(time.DateTime)))
}
