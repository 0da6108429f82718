package doctor

import (
	"context"
	"time"
)

// Change is a change in the state of the webhooks' path. The first one has no Before.
type Change struct {
	At     time.Time `json:"at"`
	Before Status    `json:"before,omitempty"`
	Finding
}

// Watch sends a probe at once and then every interval, until the context ends, which is not an
// error. It passes the first state, and each change, to say, whose error ends the watch.
func (d *Doctor) Watch(ctx context.Context, every time.Duration, say func(Change) error) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for before := Status(""); ; {
		f := d.webhook(ctx)
		f.Check = Webhook
		if ctx.Err() != nil { // it was interrupted and says nothing
			return nil
		}
		if f.Status != before {
			if err := say(Change{At: time.Now().UTC(), Before: before, Finding: f}); err != nil {
				return err
			}
		}
		before = f.Status
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}
