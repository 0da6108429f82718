package check

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// stepRules are the rules for a pipeline with a step.
var stepRules = Rules{Path: rules.Path, Bound: rules.Bound, Step: "index"}

// works adds an attempt of the step that did its work, for an end of EG_1.
func (l *logs) works(seconds float64, key, status string, ended float64) *logs {
	l.Steps = append(l.Steps, Step{At: at(seconds), Step: "index", Key: key, EgressID: "EG_1", Status: status, EndedAt: at(ended), Attempt: 1, Did: Worked})
	return l
}

// as changes the last attempt of the step.
func (l *logs) as(change func(s *Step)) *logs {
	change(&l.Steps[len(l.Steps)-1])
	return l
}

func failing(s *Step)    { s.Did = Failed }
func knowing(s *Step)    { s.Did = Knew }
func of2(s *Step)        { s.EgressID = "EG_2" }
func correcting(s *Step) { s.Corrects = "what was told before" }

// listing makes it an attempt for a recording of several parts.
func listing(parts ...string) func(s *Step) { return func(s *Step) { s.Parts = parts } }

func TestTheStepOfThePipeline(t *testing.T) {
	t.Parallel()
	kept := map[Kind]int{}
	whole := func() *logs {
		return accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "")
	}
	twice := func() *logs {
		return accepted().records("EG_1", 1).ends(3, failed).ends(9, complete).told(4, "EV_1", "EG_1", failed, "").told(10, "EV_2", "EG_1", complete, "")
	}
	failsTwice := func() *logs {
		return accepted().records("EG_1", 1).ends(3, failed).ends(9, failed).told(10, "EV_2", "EG_1", failed, "")
	}
	lost := func() *logs {
		return accepted().records("EG_1", 1).forgets(3).ends(5, complete).told(6, "EV_L", "EG_1", failed, "lost: x").told(20, "EV_1", "EG_1", complete, "")
	}
	gone := func() *logs { return accepted().records("EG_1", 1).dies(3).told(20, "EV_L", "EG_1", failed, "lost: x") }
	parts := func() *logs {
		return accepted().records("EG_1", 1).ends(5, failed).records("EG_2", 6).ends(9, complete).
			told(6, "EV_1", "EG_1", failed, "").told(10, "EV_2", "EG_2", complete, "").works(11, "ST_2", complete, 9).as(of2)
	}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"it works once":                                    {whole().works(7, "ST_1", complete, 5), kept},
		"it works before the consumer is there":            {whole().works(5.5, "ST_1", complete, 5), kept},
		"it knows the key of an attempt before":            {whole().works(7, "ST_1", complete, 5).works(8, "ST_1", complete, 5).as(knowing), kept},
		"it works at its second attempt":                   {whole().works(7, "ST_1", complete, 5).as(failing).works(8, "ST_1", complete, 5), kept},
		"it works for what nobody was told of yet":         {accepted().records("EG_1", 1).ends(5, complete).works(7, "ST_1", complete, 5), map[Kind]int{KindLost: 1}},
		"nobody has to be told, and nothing is to be done": {unanswered(Unknown).state(1, Egress{ID: "EG_1", Room: "room"}).ends(5, "EGRESS_ABORTED"), kept},

		"its recording goes on as another egress": {accepted().records("EG_1", 1).ends(5, failed).told(6, "EV_1", "EG_1", failed, "").
			state(6, Egress{ID: "EG_2", Room: "room", Status: "EGRESS_STARTING", Accepted: at(6)}), kept},
		"… which is over": {accepted().records("EG_1", 1).ends(5, failed).told(6, "EV_1", "EG_1", failed, "").
			state(6, Egress{ID: "EG_2", Room: "room", Status: "EGRESS_STARTING", Accepted: at(6)}).ends(7, "EGRESS_ABORTED"), map[Kind]int{KindUnstepped: 1}},

		"it never works":                      {whole(), map[Kind]int{KindUnstepped: 1}},
		"each attempt fails":                  {whole().works(7, "ST_1", complete, 5).as(failing), map[Kind]int{KindUnstepped: 1}},
		"another step works":                  {whole().works(7, "ST_1", complete, 5).as(func(s *Step) { s.Step = "other" }), map[Kind]int{KindUnstepped: 1}},
		"it works for another egress":         {whole().state(6, Egress{ID: "EG_2", Room: "other"}).ends(6, complete).works(7, "ST_1", complete, 6).as(of2), map[Kind]int{KindUnstepped: 1}},
		"it works for another verdict":        {whole().works(7, "ST_1", failed, 5), map[Kind]int{KindUnstepped: 1, KindEarly: 1, KindWrong: 1}},
		"it works in the last moment":         {whole().works(66, "ST_1", complete, 5), kept},
		"it works too late":                   {whole().works(66.1, "ST_1", complete, 5), map[Kind]int{KindLate: 1}},
		"it works before the end":             {whole().works(4.8, "ST_1", complete, 5), map[Kind]int{KindEarly: 1}},
		"it works for what never was":         {whole().works(7, "ST_1", complete, 5).works(7, "ST_9", complete, 5).as(func(s *Step) { s.EgressID = "EG_9" }), map[Kind]int{KindInvented: 1}},
		"it works twice, under two keys":      {whole().works(7, "ST_1", complete, 5).works(8, "ST_2", complete, 5), map[Kind]int{KindRepeated: 1}},
		"a second key, with another end":      {whole().works(7, "ST_1", complete, 5).works(8, "ST_2", complete, 5.5), map[Kind]int{KindRepeated: 1, KindEarly: 1, KindWrong: 1}},
		"a second end that LiveKit never had": {whole().works(7, "ST_1", complete, 5).works(8, "ST_2", complete, 5.5).as(correcting), map[Kind]int{KindRepeated: 1, KindEarly: 1, KindWrong: 1}},
		"a correction to the same":            {whole().works(7, "ST_1", complete, 5).works(8, "ST_2", complete, 5).as(correcting), map[Kind]int{KindRepeated: 1}},
		"it works twice under one key":        {whole().works(7, "ST_1", complete, 5).works(8, "ST_1", complete, 5), map[Kind]int{KindRepeated: 1}},
		"one key for two verdicts":            {whole().works(7, "ST_1", complete, 5).works(8, "ST_1", failed, 5).as(knowing), map[Kind]int{KindRepeated: 1}},
		"one key for two ends":                {whole().works(7, "ST_1", complete, 5).works(8, "ST_1", complete, 4).as(knowing), map[Kind]int{KindRepeated: 1}},
		"told twice, and it works once":       {whole().told(7, "EV_2", "EG_1", complete, "").works(8, "ST_1", complete, 5), map[Kind]int{KindRepeated: 1}},
		"told twice under one ID":             {whole().told(7, "EV_1", "EG_1", complete, "").works(8, "ST_1", complete, 5), kept},
		"told at the request's own, too":      {whole().owning().works(7, "ST_1", complete, 5).told(8, "EV_1", "EG_1", complete, "").but(own), kept},

		"it ran twice, and works for each":      {twice().works(5, "ST_1", failed, 3).works(11, "ST_2", complete, 9).as(correcting), kept},
		"it ran twice, and works for the first": {twice().works(5, "ST_1", failed, 3), map[Kind]int{KindUnstepped: 1, KindWrong: 1}},
		"it failed twice, and works for one":    {failsTwice().works(11, "ST_1", failed, 3), map[Kind]int{KindWrong: 1}},
		"it failed twice, and works for that":   {failsTwice().works(11, "ST_1", failed, 9), kept},
		"it ran twice, and works for the last":  {twice().works(11, "ST_2", complete, 9), map[Kind]int{KindUnstepped: 1}},
		"it ran twice, and no word of that":     {twice().works(5, "ST_1", failed, 3).works(11, "ST_2", complete, 9), map[Kind]int{KindRepeated: 1}},
		"it ran twice, and works three times":   {twice().works(5, "ST_1", failed, 3).works(11, "ST_2", complete, 9).as(correcting).works(12, "ST_3", complete, 9.5).as(correcting), map[Kind]int{KindRepeated: 1, KindEarly: 1, KindWrong: 1}},
		"a loss, and its correction":            {lost().works(7, "ST_L", Lost, 6).works(21, "ST_1", complete, 5).as(correcting), kept},
		"a loss again, after its correction":    {lost().works(7, "ST_L", Lost, 6).works(21, "ST_1", complete, 5).as(correcting).works(22, "ST_M", Lost, 20).as(correcting), map[Kind]int{KindRepeated: 1}},
		"a loss in its second run": {accepted().records("EG_1", 1).ends(3, failed).again(4).dies(5).told(20, "EV_L", "EG_1", failed, "lost: x").
			works(4, "ST_1", failed, 3).works(21, "ST_L", Lost, 20).as(correcting), kept},
		"a loss, and no work for what it is": {lost().works(7, "ST_L", Lost, 6), map[Kind]int{KindUnstepped: 1}},
		"a loss":                             {gone().works(21, "ST_L", Lost, 20), kept},
		"a loss, and no work":                {gone(), map[Kind]int{KindUnstepped: 1}},
		"a loss again, after a sign of life": {gone().works(21, "ST_L", Lost, 20).works(31, "ST_M", Lost, 30).as(correcting), kept},
		"a loss again, for nothing":          {gone().works(21, "ST_L", Lost, 20).works(31, "ST_M", Lost, 30), map[Kind]int{KindRepeated: 1}},

		"the last part has the step of them all": {parts().as(listing("EG_1", "EG_2")), kept},
		"a last part that knows of no other":     {parts(), map[Kind]int{KindUnstepped: 1}},
		"a part that only knows of itself":       {parts().as(listing("EG_2")), map[Kind]int{KindUnstepped: 1}},
		"an attempt that failed knew the parts":  {parts().as(failing).as(listing("EG_1", "EG_2")).works(12, "ST_2", complete, 9).as(of2), map[Kind]int{KindUnstepped: 1}},
		"another agent's step lists it":          {parts().state(1, Egress{ID: "EG_3", Room: "other"}).ends(6, complete).works(12, "ST_3", complete, 6).as(listing("EG_1")).as(func(s *Step) { s.EgressID = "EG_3" }), map[Kind]int{KindUnstepped: 1}},
		"a part that never was":                  {parts().as(listing("EG_0", "EG_1", "EG_2")), kept},
		"each part has its own step":             {parts().works(7, "ST_1", failed, 5), kept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, _ := Judge(tc.logs.Logs, stepRules)
			counts := map[Kind]int{}
			for _, f := range findings {
				counts[f.Kind]++
			}
			require.Equal(t, tc.want, counts, findings)
		})
	}
}

func TestAStepForANeighboursRecordingIsMeddling(t *testing.T) {
	t.Parallel()
	const page = "https://example.com/theirs"
	l := accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").works(7, "ST_1", complete, 5).
		agent(Agent{At: at(1), Did: Neighbour, Subject: page}).agent(Agent{At: at(8), Did: NeighbourOver, Subject: page}).
		page("EG_9", page).ends(9, complete).works(10, "ST_9", complete, 9).as(func(s *Step) { s.EgressID = "EG_9" })
	findings, _ := Judge(l.Logs, stepRules)
	require.Equal(t, []Finding{{KindMeddled, 0, "EG_9", "step index ran for a neighbour's egress"}}, findings)
}

func TestWithoutAStepNoneIsMissed(t *testing.T) {
	t.Parallel()
	require.Empty(t, counted(accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "")))
}

func TestTheLagOfAStepIsTheWaitFromWhenItWasTold(t *testing.T) {
	t.Parallel()
	l := accepted().records("EG_1", 1).ends(5, complete).told(6, "EV_1", "EG_1", complete, "").works(8.5, "ST_1", complete, 5)
	_, f := Judge(l.Logs, stepRules)
	require.Equal(t, Lag{2.5, 2.5, 2.5}, f.StepLag)
	l.as(func(s *Step) { s.At = at(5.5) })
	_, f = Judge(l.Logs, stepRules)
	require.Zero(t, f.StepLag, "it need not wait for the consumer")
}
