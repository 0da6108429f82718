package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Temporal was put back to what it was before that part was started, stopped and told.
func TestAPartWhoseTimeIsLongPastIsLookedForBeforeItIsStarted(t *testing.T) {
	t.Parallel()
	for ended, want := range map[time.Duration]bool{10 * time.Second: false, -time.Hour: true} {
		t.Run(ended.String(), func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			first := part(1, failed, 10)
			first.EndedAt = l.began.Add(ended).UnixNano()
			l.webhook(10*time.Second, egress.EventEnded, first)
			l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))

			l.mustRun(plainInput(t))

			require.Len(t, *starts, 2)
			require.False(t, (*starts)[0].Input.Again)
			require.Equal(t, want, (*starts)[1].Input.Again)
			require.False(t, (*starts)[1].Input.Unlisted)
		})
	}
}

// No worker ran, or none had taken it in what Temporal was put back to. The door's have a moment.
func TestAStartThatNobodyTookForLongIsLookedForBeforeItIsMade(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		waits time.Duration
		by    bool
		want  bool
	}{
		"at once": {}, "soon": {waits: 59 * time.Second}, "long after": {waits: time.Hour, want: true},
		"long after its moment": {waits: time.Hour, by: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 0)
			l.RegisterWorkflowWithOptions(func(ctx workflow.Context, arg egress.Argument) (egress.Verdict, error) {
				if err := workflow.Sleep(ctx, tc.waits); err != nil {
					return egress.Verdict{}, err
				}
				return l.worker.Egress(ctx, arg)
			}, workflow.RegisterOptions{Name: "Waits"})
			l.webhook(tc.waits+10*time.Second, egress.EventEnded, part(1, complete, 10))
			in := plainInput(t)
			if tc.by {
				in.StartBy = &l.began
			}

			l.ExecuteWorkflow("Waits", in)

			require.NoError(t, l.GetWorkflowError())
			require.Len(t, *starts, 1)
			require.Equal(t, tc.want, (*starts)[0].Input.Again)
			require.False(t, (*starts)[0].Input.Unlisted)
		})
	}
}
