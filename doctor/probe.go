package doctor

import (
	"context"
	"net/http"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Probe runs the webhook check for a canary: the same events on the same paths. It returns the
// worse result.
func (d *Doctor) Probe(ctx context.Context) egress.Passage {
	f := d.webhook(ctx)
	p := egress.Passage{Outcome: egress.CanaryUnreachable, Found: f.Found, Fix: f.Fix} // as if the settings name no path
	if f.Path != nil {
		p.Outcome, p.Took = f.Path.outcome, f.Path.Total
	}
	return p
}

// outcome returns the class of what judge says in words.
func (d *Doctor) outcome(p Path, err error) egress.CanaryOutcome {
	switch {
	case err != nil:
		return egress.CanaryUnreachable
	case p.Status/100 == 2 && p.ours && p.Total.D() > d.cfg.SlowAfter:
		return egress.CanarySlow
	case p.Status/100 == 2 && p.ours:
		return egress.CanaryOK
	case p.Status == http.StatusTooManyRequests || p.Status/100 == 5:
		return egress.CanaryUnavailable
	default:
		return egress.CanaryBent
	}
}
