package egress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

const tableHead = "\n\n| UTC | what happened | source | late |\n|---|---|---|---|\n"

func TestTheDetailsOfWhatMayGoOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		state func(t *testing.T) *egress.State
		want  string
	}{
		"held": {
			func(t *testing.T) *egress.State { t.Helper(); return heldAt(t) },
			"- **now**: EG_1 failed as EGRESS_FAILED while its room is live. LiveKit may run it again under its ID: we wait for that until 2026-11-23 12:01:30 UTC.\n",
		},
		"held, its room gone": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := heldAt(t)
				s.Evidence.RoomGone = noon
				return s
			},
			"- **now**: EG_1 failed as EGRESS_FAILED. LiveKit is asked whether it runs again under its ID.\n",
		},
		"delivered, and may be corrected": {
			func(t *testing.T) *egress.State { t.Helper(); return lostAt(t) },
			"its storage may hold a part. Nobody had to be told. Stays open for 24h0m0s, in case it turns out to be alive.\n",
		},
		"the second part is asked for": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := heldAt(t)
				s.Part = 1
				s.Settle()
				s.NextPart()
				return s
			},
			"- **now**: EG_1 ended as EGRESS_FAILED while its room is live, so LiveKit is asked to start part 2.\n",
		},
		"the third part is asked for": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := secondPart(t)
				s.GiveUp(egress.FromTimeout, "why", noon)
				s.NextPart()
				return s
			},
			"- **now**: EG_2 ended as LOST while its room is live, so LiveKit is asked to start part 3.\n",
		},
		"settled, and nobody is to be told": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := watched(t)
				s.Steps, s.MissedOnly = []string{egress.StepAnnounce}, true
				s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Final: true, Source: egress.FromWebhook, HeardAt: noon})
				return s
			},
			"- **now**: EG_1 ended as EGRESS_COMPLETE, learned from webhook.\n",
		},
		"delivered to nobody": {
			func(t *testing.T) *egress.State {
				t.Helper()
				s := seen(t, complete)
				s.Phase = egress.Delivered
				return s
			},
			"learned from start. Nobody had to be told." + tableHead + "| 2026-11-23 12:00:00 |",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, tc.state(t).Details("standup-1"), tc.want)
		})
	}
}

func TestTheTableHasARowForWhatIsLeftOutAndNoneForNothing(t *testing.T) {
	t.Parallel()
	require.NotContains(t, seen(t).Details("standup-1"), "|", "no story")
	for leftOut, want := range map[int]string{
		0: tableHead + "| 2026-11-23 12:00:00 |", 1: tableHead + "| … | 1 more | | |\n| 2026-11-23 12:00:00 |",
	} {
		s := watched(t)
		s.Story[0].LeftOut = leftOut
		require.Contains(t, s.Details("standup-1"), want)
	}
}

func TestALongReasonIsCutWhereItIsShown(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Stuck = strings.Repeat("x", 301)
	require.Contains(t, s.Details("standup-1"), ": "+strings.Repeat("x", 297)+"…\n")
	s.Stuck = strings.Repeat("x", 300)
	require.Contains(t, s.Details("standup-1"), ": "+s.Stuck+"\n")
}

func TestTheUIShowsANameAsItIs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"定例　会議": "定例　会議", "a\u00a0b  c": "a\u00a0b  c", // a line may hold any space
		"a\nb": "a b", "a\t\r\n\u0085\u2028\u2029b\x1b\x7f": "a b",
		"_internal_": `\_internal\_`, "__x__y_": `\_\_x__y\_`, "rec/_archive_/{room_name}.mp4": `rec/\_archive\_/{room_name}.mp4`, "_": `\_`, "é_2_ä": "é_2_ä",
		`a\b`: `a\\b`, "$1$": `\$1\$`, "~~old~~": `\~\~old\~\~`, "&lt;": "&amp;lt;", "*x*": `\*x\*`,
		"\u202efdp.x\u2066": `\u202efdp.x\u2066`, "می\u200cخواهم 👩\u200d💻": "می\u200cخواهم 👩\u200d💻",
	} {
		require.Equal(t, "track of room "+want, egress.Summary{Kind: egress.KindTrack, Room: name}.Title())
		s := watched(t)
		s.Stuck = "it is " + name
		require.Contains(t, s.Details("standup-1"), "- **needs a person**: it is "+want+"\n")
	}
}
