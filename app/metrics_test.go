package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// requireCountersAtZero requires of a worker that has done nothing yet a series for each label value.
func requireCountersAtZero(t *testing.T, metrics string) {
	t.Helper()
	for _, counter := range []string{
		workflows.MetricTwins, workflows.MetricRecovered,
		activities.MetricNoEcho, activities.MetricCalls, activities.MetricStranded,
	} {
		requireZeros(t, metrics, counter, "namespace", []string{"default"})
	}
	requireZeros(t, metrics, workflows.MetricMissed, "class", egress.Misses())
	requireZeros(t, metrics, workflows.MetricMedia, "media", egress.Medias())
	requireZeros(t, metrics, workflows.MetricStarts, "outcome", append(egress.Reasons(), workflows.StartBegan))
	both := []string{egress.WorkflowType, egress.RedeliveryType}
	requireZeros(t, metrics, workflows.MetricCorrected, "workflow_type", both)
	for _, why := range egress.Marks() {
		requireZeros(t, metrics, workflows.MetricStuck, `why="`+string(why)+`".*workflow_type`, both)
	}
	for _, source := range egress.Sources() {
		requireZeros(t, metrics, workflows.MetricEnded, `source="`+string(source)+`",status`, egress.Ends())
	}
	requireZeros(t, metrics, activities.MetricPreflight, "outcome", egress.Probes())
	requireZeros(t, metrics, activities.MetricStrays, "action", egress.Deeds())
	requireZeros(t, metrics, activities.MetricUnrecorded, "action", []string{activities.RoomReported, activities.RoomRecorded})
	for _, depth := range []string{activities.DepthActive, activities.DepthAll} {
		requireZeros(t, metrics, activities.MetricUndone, "depth", []string{depth})
		requireZeros(t, metrics, activities.MetricRounds, `depth="`+depth+`".*,outcome`, []string{activities.OutcomeDone, activities.OutcomeFailed})
	}
}

// requireZeros requires a series at zero for each value of a label, beside the labels of Temporal's SDK.
func requireZeros[T ~string](t *testing.T, metrics, counter, label string, values []T) {
	t.Helper()
	for _, v := range values {
		require.Regexp(t, `(?m)^`+counter+`\{.*\b`+label+`="`+string(v)+`".*\} 0$`, metrics)
	}
}
