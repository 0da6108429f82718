package workflows_test

import (
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAPersonIsCalledForWhereAnEgressDoesNotBegin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		begins time.Duration // 0: never
		end    lk.EgressStatus
		then   string // why a person is to look, ten minutes later
	}{
		"it begins after all": {20 * time.Minute, complete, ""},
		"it never does":       {0, aborted, egress.WhyIdle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			h := l.hook(true)
			marks := []bool{false}
			l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
				if v, ok := args.Get(0).(temporal.SearchAttributes).GetBool(temporal.NewSearchAttributeKeyBool(egress.AttributeStuck)); ok && v != marks[len(marks)-1] {
					marks = append(marks, v)
				}
			}).Return(nil)
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				look, err := l.nothingNew(in)
				look.Idle = in.Have == lk.EgressStatus_EGRESS_STARTING && !in.Marked && l.took() > 5*time.Minute
				return look, err
			}
			var why, then string
			l.at(15*time.Minute, func() { why = l.state().Stuck })
			l.at(30*time.Minute, func() { then = l.state().Stuck })
			if tc.begins > 0 {
				l.webhook(tc.begins, egress.EventUpdated, message(egressID, active))
			}
			l.webhook(time.Hour, egress.EventEnded, message(egressID, tc.end))

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.Status(tc.end.String()), v.Status)
			require.Equal(t, egress.WhyIdle, why)
			require.Equal(t, tc.then, then)
			require.Equal(t, []bool{false, true, false}, marks, "once, until it moves")
			require.Equal(t, []string{"egress-notice/standup-1/stuck-idle"}, h.begun)
		})
	}
}
