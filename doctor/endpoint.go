package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// endpoint requires that a webhook endpoint reports to the namespace. One that reaches no Temporal,
// or serves another namespace, recognizes a probe as well as any.
func (d *Doctor) endpoint(ctx context.Context) Finding {
	if d.cfg.Temporal == nil {
		return d.notChecked("TEMPORAL_ADDRESS")
	}
	const fix = "see the log of `starter serve`: whether it reaches Temporal, whether Temporal's database has space (docs/troubleshooting.md), and whether its TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are these"
	now := time.Now()
	r, err := d.cfg.Temporal.Minutes(ctx, now, now)
	switch {
	case egress.ReasonOf(err) == egress.NotFound:
		return warn(fmt.Sprintf("no webhook endpoint has reported to the namespace %q yet: one does within a minute of its start", d.cfg.Namespace), fix)
	case err != nil:
		return behind(Workers, err.Error())
	}
	found := fmt.Sprintf("the webhook endpoint last reported to the namespace %q %s ago", d.cfg.Namespace, max(0, now.Sub(r.Last)).Round(time.Second))
	if now.Sub(r.Last) > (r.Due + r.Every).D() {
		return failed(found+", but does so each minute if it reaches Temporal: webhooks may be answered 503, or go to another namespace", fix)
	}
	return ok(found)
}
