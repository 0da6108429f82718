package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// tryStorage probes where a start's media would go. Only a definite refusal is an error;
// everything else comes as notes.
func (s *starting) tryStorage(ctx context.Context) (notes []string, err error) {
	targets := s.cfg.Preflight.try(ctx, s.req, s.in.Input.Preflight, s.by)
	for _, t := range targets {
		activity.GetMetricsHandler(ctx).WithTags(map[string]string{"outcome": string(t.found)}).Counter(MetricPreflight).Inc(1)
		if note := noteOf(t); note != "" {
			activity.GetLogger(ctx).Warn("storage before a start", "outcome", string(t.found), "field", t.Field, "error", t.err)
			notes = append(notes, note)
		}
	}
	return notes, refused(targets, s.asked, s.terms.Storage)
}

// noteOf says in words what a probe found that is neither good nor a refusal.
func noteOf(t target) string {
	switch t.found {
	case egress.ProbeUndeleted:
		return "a probe stays in its storage: " + t.err.Error()
	case egress.ProbeUnreachable, egress.ProbeSlow:
		return "its storage could not be tried: " + t.err.Error()
	default:
		return ""
	}
}
