package doctor

import (
	"context"
	"time"
)

// Change is a change of how the way of the webhooks is. The first one has no Before.
type Change struct {
	At     time.Time `json:"at"`
	Before Status    `json:"before,omitempty"`
	Finding
}

// Watch sends a probe at once, and then again and again, until the context ends, which
// is no error. say is told the first state, and each change of it; its error ends the
// watch.
func (d *Doctor) Watch(ctx context.Context, every time.Duration, say func(Change) error) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for before := Status(""); ; {
		f := d.webhook(ctx)
		f.Check = Webhook
		if ctx.Err() != nil { // it was broken off, and says nothing
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
