package app

import (
	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// announceMetrics creates the counters of workflows and activities at the start, with every label
// value: an increase cannot be seen in a series that did not exist.
func (a *App) announceMetrics() {
	workflow := a.tel.TemporalMetrics().WithTags(a.sdkTags("none"))
	workflow.Counter(workflows.MetricTwins).Inc(0)
	workflow.Counter(workflows.MetricRecovered).Inc(0)
	for _, workflowType := range []string{egress.WorkflowType, egress.RedeliveryType} { // either may correct, or need a person
		m := workflow.WithTags(map[string]string{"workflow_type": workflowType})
		m.Counter(workflows.MetricCorrected).Inc(0)
		for _, why := range egress.Marks() {
			m.WithTags(map[string]string{"why": string(why)}).Counter(workflows.MetricStuck).Inc(0)
		}
	}
	workflow.WithTags(map[string]string{"outcome": workflows.StartBegan}).Counter(workflows.MetricStarts).Inc(0)
	for _, reason := range egress.Reasons() {
		workflow.WithTags(map[string]string{"outcome": string(reason)}).Counter(workflows.MetricStarts).Inc(0)
	}
	for _, status := range egress.Ends() {
		for _, source := range egress.Sources() {
			workflow.WithTags(map[string]string{"status": string(status), "source": string(source)}).Counter(workflows.MetricEnded).Inc(0)
		}
	}
	for _, class := range egress.Misses() {
		workflow.WithTags(map[string]string{"class": string(class)}).Counter(workflows.MetricMissed).Inc(0)
	}
	for _, media := range egress.Medias() {
		workflow.WithTags(map[string]string{"media": string(media)}).Counter(workflows.MetricMedia).Inc(0)
	}
	a.tel.TemporalMetrics().WithTags(a.sdkTags("Start")).Counter(activities.MetricNoEcho).Inc(0)
	for _, outcome := range egress.Probes() {
		a.tel.TemporalMetrics().WithTags(a.sdkTags("Start")).WithTags(map[string]string{"outcome": string(outcome)}).Counter(activities.MetricPreflight).Inc(0)
	}
	a.announceRounds()
}

// announceRounds does the same for the reconciler's rounds.
func (a *App) announceRounds() {
	tags := a.sdkTags("Reconcile")
	tags["workflow_type"] = egress.ReconcileType
	m := a.tel.TemporalMetrics().WithTags(tags)
	m.Counter(activities.MetricCalls).Inc(0)
	m.Counter(activities.MetricStranded).Inc(0)
	for _, depth := range []string{activities.DepthActive, activities.DepthAll} {
		m := m.WithTags(map[string]string{"depth": depth})
		m.Counter(activities.MetricUndone).Inc(0)
		for _, outcome := range []string{activities.OutcomeDone, activities.OutcomeFailed} {
			m.WithTags(map[string]string{"outcome": outcome}).Counter(activities.MetricRounds).Inc(0)
		}
	}
	for _, deed := range egress.Deeds() {
		m.WithTags(map[string]string{"action": string(deed)}).Counter(activities.MetricStrays).Inc(0)
	}
	for _, action := range []string{activities.RoomReported, activities.RoomRecorded} {
		m.WithTags(map[string]string{"action": action}).Counter(activities.MetricUnrecorded).Inc(0)
	}
}

// sdkTags are the labels that Temporal's SDK puts on what is counted in a workflow or an activity.
func (a *App) sdkTags(activityType string) map[string]string {
	return map[string]string{
		"client_name": "temporal_go", "namespace": a.namespace, "task_queue": egress.TaskQueue,
		"workflow_type": egress.WorkflowType, "activity_type": activityType, "worker_type": "none",
	}
}
