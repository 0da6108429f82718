package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// The same ID may record a second time, if its starter lets it, and visibility shows only the last
// egress of a workflow.
func TestAPartOfAnEarlierRunIsNotToldToTheNextOne(t *testing.T) {
	t.Parallel()
	closed := func(o *egress.Ours) { o.Over, o.ClosedAt, o.Status = true, noon, "EGRESS_COMPLETE" }
	const began = time.Hour // before now: today's run
	until := func(ago time.Duration) func(*egress.Ours) {
		return func(o *egress.Ours) { o.ClosedAt = noon.Add(-ago) }
	}
	earlier := ours("r", "EG_y2", closed, asked(5*time.Hour), until(began+time.Minute))
	early := ours("r", "EG_y2", closed, asked(5*time.Hour), until(3*time.Hour))
	for name, tc := range map[string]sight{
		"to one that records":                   {all(listed("EG_y1", failed, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", asked(began)), earlier), does("suspected EG_1 as r")},
		"… in the other order":                  {all(listed("EG_y1", failed, of("r"), ago(4*time.Hour))), have(earlier, ours("r", "EG_1", asked(began))), does("suspected EG_1 as r")},
		"to one whose start is under way":       {all(listed("EG_y1", failed, of("r"), ago(4*time.Hour))), have(ours("r", "", asked(began)), earlier), nil},
		"to one that is over":                   {all(listed("EG_y1", failed, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", over, asked(began)), earlier), nil},
		"nor is it taken up once that is over":  {all(listed("EG_y1", failed, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", closed, asked(began)), earlier), nil},
		"but what ended since it began":         {all(listed("EG_2", failed, of("r"), ago(began))), have(ours("r", "EG_1", asked(began)), earlier), does("part EG_2 as r", "suspected EG_1 as r")},
		"… or by no more than clocks differ":    {all(listed("EG_2", failed, of("r"), ago(began+time.Minute))), have(ours("r", "", asked(began)), earlier), does("nudged EG_2 as r")},
		"… and not if it is longer ago":         {all(listed("EG_2", failed, of("r"), ago(began+time.Minute+1))), have(ours("r", "", asked(began)), earlier), nil},
		"… nor what LiveKit gives no time":      {all(listed("EG_2", failed, of("r"), timeless)), have(ours("r", "", asked(began)), earlier), does("nudged EG_2 as r")},
		"… nor if it ended once that was over":  {all(listed("EG_2", failed, of("r"), ago(2*time.Hour))), have(ours("r", "EG_1", asked(began)), early), does("part EG_2 as r", "suspected EG_1 as r")},
		"… and it is taken up if both are over": {all(listed("EG_2", failed, of("r"), ago(2*time.Hour))), have(ours("r", "EG_1", closed, asked(began)), early), does("adopted EG_2 as r")},
		"what still runs is":                    {all(listed("EG_y1", active, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", asked(began)), earlier), does("suspected EG_1 as r", "twin EG_y1 as r")},
		"an earlier one's last egress is known": {all(listed("EG_y2", finished, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", asked(began)), earlier), does("suspected EG_1 as r")},
		"the egress of one that looked for it":  {all(listed("EG_1", finished, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", asked(began)), earlier), does("nudged EG_1 as r")},
		"one run, which only looked for it":     {all(listed("EG_2", failed, of("r"), ago(4*time.Hour))), have(ours("r", "EG_1", asked(began))), does("part EG_2 as r", "suspected EG_1 as r")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(true, tc.listed, tc.ours)
			require.ElementsMatch(t, tc.want, did)
		})
	}
}
