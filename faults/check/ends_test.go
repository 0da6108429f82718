package check

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// endedAt adds LiveKit's time of an end to a request.
func endedAt(seconds float64) func(r *Request) {
	return func(r *Request) {
		r.Body = strings.Replace(r.Body, `"egressId"`, fmt.Sprintf(`"endedAt":"%d","egressId"`, at(seconds).UnixNano()), 1)
	}
}

// Equal statuses do not make two ends one: LiveKit's own time distinguishes them.
func TestAnEndIsToldByItsTime(t *testing.T) {
	t.Parallel()
	twice := func() *logs { return accepted().records("EG_1", 1).ends(3, failed).ends(9, failed) }
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"each end is told":          {twice().told(4, "EV_1", "EG_1", failed, "").but(endedAt(3)).told(10, "EV_2", "EG_1", failed, "").but(endedAt(9.09)), map[Kind]int{}},
		"the first end is the last": {twice().told(10, "EV_1", "EG_1", failed, "").but(endedAt(3)), map[Kind]int{KindWrong: 1}},
		"the first is told twice":   {twice().told(4, "EV_1", "EG_1", failed, "").but(endedAt(3)).told(10, "EV_2", "EG_1", failed, "").but(endedAt(3)), map[Kind]int{KindWrong: 1, KindRepeated: 1}},
		"the last, before it was":   {twice().told(8, "EV_1", "EG_1", failed, "").but(endedAt(9)), map[Kind]int{KindEarly: 1}},
		"one that never was":        {twice().told(10, "EV_1", "EG_1", failed, "").but(endedAt(8)), map[Kind]int{KindEarly: 1, KindWrong: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, counted(tc.logs))
		})
	}
}

// Nobody but its agent, or the people in its room, ends a recording that is well.
func TestARecordingThatIsWellGoesOn(t *testing.T) {
	t.Parallel()
	called := func() *logs {
		l := accepted()
		l.Agents[0].Call = 6 * time.Second
		return l.records("EG_1", 1)
	}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"it ends with the call":        {called().ends(6, complete).told(7, "EV_1", "EG_1", complete, ""), map[Kind]int{}},
		"it is stopped before":         {called().ends(5.9, complete).told(7, "EV_1", "EG_1", complete, ""), map[Kind]int{KindCut: 1}},
		"its start is stopped":         {called().ends(2, aborted).told(7, "EV_1", "EG_1", aborted, ""), map[Kind]int{KindCut: 1}},
		"it aborts itself":             {called().then(1, func(e *Egress) { e.Faults = []string{abortion} }).ends(2, aborted).told(7, "EV_1", "EG_1", aborted, ""), map[Kind]int{}},
		"it fails":                     {called().ends(2, failed).told(7, "EV_1", "EG_1", failed, ""), map[Kind]int{}},
		"its second run is stopped":    {called().ends(2, failed).ends(5, complete).told(7, "EV_1", "EG_1", complete, ""), map[Kind]int{KindCut: 1}},
		"it is stopped, and not heard": {called().ends(5, complete), map[Kind]int{KindCut: 1, KindLost: 1}},
		"a twin of it is stopped": {called().ends(6, complete).told(7, "EV_1", "EG_1", complete, "").
			records("EG_2", 2).ends(3, complete).told(7, "EV_2", "EG_2", complete, ""), map[Kind]int{KindTwin: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, counted(tc.logs))
		})
	}
}

// An agent that is told for good that its egress can't be stopped leaves it to record for ever.
func TestAStopIsNotRefusedWhileItRecords(t *testing.T) {
	t.Parallel()
	refused := Agent{At: at(4), Did: Stopped, Outcome: Refused, Error: "not_found"}
	whole := func(ends float64) *logs {
		return accepted().agent(refused).records("EG_1", 1).ends(ends, complete).told(6, "EV_1", "EG_1", complete, "")
	}
	denied := map[Kind]int{KindDenied: 1}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"it records":            {accepted().agent(refused).records("EG_1", 1), denied},
		"it records, and ends":  {whole(5), denied},
		"it had ended":          {whole(3.9), map[Kind]int{}},
		"nobody said for good":  {accepted().agent(Agent{At: at(4), Did: Stopped, Error: "unavailable"}).records("EG_1", 1), map[Kind]int{}},
		"LiveKit had forgotten": {accepted().agent(refused).records("EG_1", 1).forgets(3).told(6, "EV_1", "EG_1", failed, "lost: x"), map[Kind]int{}},
		"it was to run again":   {accepted().agent(refused).records("EG_1", 1).ends(3, failed).again(4.1), map[Kind]int{}},
		"it ran again":          {accepted().agent(refused).records("EG_1", 1).ends(3, failed).again(3.9), denied},
		"its next part records": {accepted().agent(refused).records("EG_1", 1).ends(3, failed).told(4, "EV_1", "EG_1", failed, "").records("EG_2", 3.5), map[Kind]int{}},
		"it never began":        {accepted().agent(refused).state(1, Egress{ID: "EG_1", Room: "room", Accepted: at(1)}).ends(5, aborted).told(6, "EV_1", "EG_1", aborted, ""), map[Kind]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, counted(tc.logs))
		})
	}
}

// A consumer drops what comes under an ID that it knows, whatever that is.
func TestAnEventIDIsOfOneEnd(t *testing.T) {
	t.Parallel()
	parts := func(secondID string) *logs {
		return accepted().records("EG_1", 1).ends(5, failed).told(6, "EV_1", "EG_1", failed, "").
			records("EG_2", 6).ends(9, complete).told(10, secondID, "EG_2", complete, "")
	}
	twice := func(secondEnd float64) *logs {
		return accepted().records("EG_1", 1).ends(5, complete).
			told(6, "EV_1", "EG_1", complete, "").but(endedAt(5)).told(7, "EV_1", "EG_1", complete, "").but(endedAt(secondEnd))
	}
	require.Equal(t, map[Kind]int{}, counted(parts("EV_2")))
	require.Equal(t, map[Kind]int{KindRepeated: 1, KindLost: 1}, counted(parts("EV_1")), "the second part is dropped")
	require.Equal(t, map[Kind]int{}, counted(twice(5)))
	require.Equal(t, map[Kind]int{KindRepeated: 1}, counted(twice(5.05)), "the consumer never hears of the second end")
	apart := owned().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").told(6, "EV_1", "EG_1", complete, "").but(own)
	require.Equal(t, map[Kind]int{}, counted(apart), "each consumer knows its own IDs")
}

// Workers and doors end when they are killed, or report why they cannot continue.
func TestWhatPanicsIsFound(t *testing.T) {
	t.Parallel()
	kept := func(kills ...Kill) *logs {
		l := accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "")
		l.Kills = kills
		return l
	}
	require.Equal(t, map[Kind]int{}, counted(kept(Kill{Part: "worker"}, Kill{Part: "door", Exit: "exit status 2"}, Kill{Part: "temporal", Exit: crash})))
	require.Equal(t, map[Kind]int{KindCrashed: 2}, counted(kept(Kill{Part: "worker", Exit: crash}, Kill{Part: "door", Exit: crash + " (core dumped)"})))
	require.Equal(t, map[Kind]int{}, counted(kept(Kill{Part: "worker", Asked: true}, Kill{Part: "step", Asked: true, Exit: "exit status 1"})))
	require.Equal(t, map[Kind]int{KindCrashed: 1}, counted(kept(Kill{Part: "door", Asked: true, Exit: "exit status 1"})), "who is asked to stop ends with 0")
}

// A start that went past Temporal leaves the request's own webhook to LiveKit, which may repeat
// itself, and may be wrong in the end.
func TestWhatLiveKitItselfTellsIsNotOurs(t *testing.T) {
	t.Parallel()
	given := func(paths ...string) *logs {
		l := owned().records("EG_1", 1).then(1, func(e *Egress) { e.Hooks = paths }).ends(5, failed).ends(9, complete).told(10, "EV_1", "EG_1", complete, "")
		for _, id := range []string{"EV_1", "EV_2", "EV_3"} {
			l.LiveKit = append(l.LiveKit, LiveKit{Webhook: &Webhook{ID: id}})
		}
		return l.told(6, "EV_2", "EG_1", failed, "").but(own).told(6, "EV_3", "EG_1", failed, "").but(own)
	}
	require.Equal(t, map[Kind]int{}, counted(given("/own")))
	require.Equal(t, map[Kind]int{KindWrong: 1}, counted(given()), "LiveKit was given no such webhook")
	require.Equal(t, map[Kind]int{KindWrong: 1}, counted(given("/other")))
	require.Equal(t, map[Kind]int{}, counted(given("/own").told(10, "EV_of_ours", "EG_1", complete, "").but(own)), "it told of the first end, and we of the last")
	twice := given("/own").told(10, "EV_of_ours", "EG_1", complete, "").but(own).told(11, "EV_of_ours_2", "EG_1", complete, "").but(own)
	require.Equal(t, map[Kind]int{KindRepeated: 1}, counted(twice), "but what we tell there is ours")
}

// With next parts of ours, what reaches LiveKit's limit goes on. Another door that goes past
// Temporal cannot see them, nor they its start: one of the two must be over soon.
func TestNextPartsAreNoTwins(t *testing.T) {
	t.Parallel()
	recovering := rules
	recovering.Recover = true
	// EG_2 begins at 6, each by that host.
	two := func(first, second string, over float64, status string) *logs {
		at := func(host string) func(*Egress) { return func(e *Egress) { e.Host = host } }
		return accepted().records("EG_1", 1).then(1, at(first)).ends(over, status).told(over+1, "EV_1", "EG_1", status, "").
			records("EG_2", 6).then(6, at(second)).ends(90, complete).told(91, "EV_2", "EG_2", complete, "")
	}
	const past, ours = "localhost:7880", "127.0.0.1:7880"
	for name, tc := range map[string]struct {
		logs                      *logs
		before, now, next, across int
	}{
		"after the limit":              {two(ours, ours, 5, "EGRESS_LIMIT_REACHED"), 1, 0, 1, 0},
		"after a whole one":            {two(past, ours, 5, complete), 1, 1, 0, 0},
		"across a start past Temporal": {two(past, ours, 60, complete), 1, 0, 0, 1},
		"and the other way":            {two(ours, past, 60, complete), 1, 0, 0, 1},
		"for over a minute":            {two(past, ours, 67, complete), 1, 1, 0, 0},
		"across a start of ours":       {two(ours, ours, 60, complete), 1, 1, 0, 0},
		"two past Temporal":            {two(past, past, 60, complete), 1, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, _ := Judge(tc.logs.Logs, rules)
			require.Equal(t, tc.before, Count(findings, KindTwin))
			findings, f := Judge(tc.logs.Logs, recovering)
			require.Equal(t, []int{tc.now, tc.next, tc.across}, []int{Count(findings, KindTwin), f.Next, f.Crossed})
			require.Len(t, findings, tc.now)
		})
	}
}
