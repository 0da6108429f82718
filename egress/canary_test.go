package egress_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAProbeIsWellWhereOurEndpointTookIt(t *testing.T) {
	t.Parallel()
	well := map[egress.CanaryOutcome]bool{}
	for _, o := range egress.CanaryOutcomes() {
		well[o] = o.Well()
	}
	require.Equal(t, map[egress.CanaryOutcome]bool{"ok": true, "slow": true, "unreachable": false, "unavailable": false, "bent": false}, well)
}

// Each letter is the result of one probe a minute: "." well, "s" slow, "x" broken.
func TestPeopleAreToldOnceOfEachBreakAndOfItsEnd(t *testing.T) {
	t.Parallel()
	outcomes := map[rune]egress.CanaryOutcome{'.': egress.CanaryOK, 's': egress.CanarySlow, 'x': egress.CanaryUnreachable}
	for name, tc := range map[string]struct {
		probes string
		hook   bool
		want   []string // concern, minute, and since when
	}{
		"all is well":                           {"..s..", true, nil},
		"one failure is no break":               {"..x..x..", true, nil},
		"a break":                               {"..xxxxxx", true, []string{"path_broken at 3 since 2"}},
		"from the beginning on":                 {"xxx", true, []string{"path_broken at 1 since 0"}},
		"a break and its end":                   {".xxx..", true, []string{"path_broken at 2 since 1", "path_healed at 4 since 1"}},
		"a slow answer ends it too":             {".xxs.", true, []string{"path_broken at 2 since 1", "path_healed at 3 since 1"}},
		"two breaks":                            {"xx.xx.", true, []string{"path_broken at 1 since 0", "path_healed at 2 since 0", "path_broken at 4 since 3", "path_healed at 5 since 3"}},
		"without a hook":                        {".xxx..", false, nil},
		"a break of which nobody could be told": {"x.x.x.", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c egress.Canary
			var told []string
			minute := func(at time.Time) int { return int(at.Sub(noon).Minutes()) }
			for i, letter := range tc.probes {
				p := egress.Passage{Outcome: outcomes[letter], Found: "found it", Fix: "mend it", Notify: tc.hook, For: egress.Duration(time.Hour)}
				var n *egress.Notice
				at := noon.Add(time.Duration(i) * time.Minute)
				c, n = c.Next(p, at)
				require.Equal(t, at, c.At)
				require.Equal(t, p, c.Passage)
				if n == nil {
					continue
				}
				require.Equal(t, at, n.EndedAt)
				require.Equal(t, egress.Duration(time.Hour), n.For)
				require.Equal(t, "found it", n.Because)
				told = append(told, fmt.Sprintf("%s at %d since %d", n.Concern, minute(at), minute(n.Since)))
			}
			require.Equal(t, tc.want, told)
		})
	}
}

func TestTheHookIsToldOfABreakOnceItIsSwitchedOn(t *testing.T) {
	t.Parallel()
	bad := egress.Passage{Outcome: egress.CanaryBent}
	c, _ := egress.Canary{}.Next(bad, noon)
	c, n := c.Next(bad, noon)
	require.Nil(t, n)
	bad.Notify = true
	_, n = c.Next(bad, noon)
	require.NotNil(t, n)
	require.Equal(t, egress.ConcernBroken, n.Concern)
}

func TestAHookThatIsSwitchedOffIsNotToldThatABreakIsOver(t *testing.T) {
	t.Parallel()
	bad := egress.Passage{Outcome: egress.CanaryBent, Notify: true}
	c, _ := egress.Canary{}.Next(bad, noon)
	c, broken := c.Next(bad, noon)
	require.NotNil(t, broken)
	_, healed := c.Next(egress.Passage{Outcome: egress.CanaryOK}, noon)
	require.Nil(t, healed)
}

func TestTheNoticesOfABreakSayWhatHelps(t *testing.T) {
	t.Parallel()
	bad := egress.Passage{Outcome: egress.CanaryBent, Found: "it answered 404", Fix: "mend the path", Notify: true}
	c, _ := egress.Canary{}.Next(bad, noon)
	c, broken := c.Next(bad, noon.Add(time.Minute))
	_, healed := c.Next(egress.Passage{Outcome: egress.CanaryOK, Found: "it answered 200", Notify: true}, noon.Add(time.Hour))

	for _, want := range []string{"have not arrived since 2026-", "it answered 404", "To fix it: mend the path.", "`starter doctor --only webhook`"} {
		require.Contains(t, broken.Text(), want)
	}
	for _, want := range []string{"arrive again", "it answered 200", "`starter report --since " + noon.UTC().Format(time.RFC3339) + "`"} {
		require.Contains(t, healed.Text(), want)
	}
	require.Equal(t, broken.RequestID, healed.RequestID, "both are of one break")
	require.Equal(t, fmt.Sprintf("canary-%d", noon.Unix()), broken.RequestID, "which began then: another one has another ID")
	require.NotEqual(t, egress.NoticeID(broken.RequestID, string(broken.Concern)), egress.NoticeID(healed.RequestID, string(healed.Concern)))
	require.False(t, strings.HasSuffix(broken.Text()+healed.Text(), "\n"))
}
