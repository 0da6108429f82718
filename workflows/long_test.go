package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestOfWhatAStepSaysAtLengthLittleIsKept(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t), egress.Step{Name: "one"})
	s.lived()
	s.activity("ONE", func(egress.StepInput) (any, error) {
		return nil, temporal.NewNonRetryableApplicationError("no such model: "+strings.Repeat("x", 1<<20), "Gone", nil)
	})
	var asked egress.State
	s.at(time.Hour, func() { asked = s.state() })
	var told error
	s.at(2*time.Hour, func() { s.update(egress.UpdateSkip, "skip", &told, "one") })

	v := s.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, []string{"one"}, v.Skipped)
	require.True(t, strings.HasPrefix(asked.Stuck, "step one failed for good: no such model: x"), asked.Stuck)
	require.Less(t, len(asked.Stuck), 3000)
}
