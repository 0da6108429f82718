package main

import (
	"context"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// livekitConfig configures the fake LiveKit, passed in the environment of its own process: a
// process, so that it can be killed like a real one. Its rooms and egresses outlive it in a file,
// as in redis; queued webhooks do not, as with livekit-server.
type livekitConfig struct {
	Addr       string
	WebhookURL string
	StateFile  string
	Chronicle  string
	Spec       livekitSpec
	Seed       uint64
}

// serve runs LiveKit until the context ends.
func (c livekitConfig) serve(ctx context.Context) error {
	fake, err := fakelivekit.New(fakelivekit.Config{
		Addr: c.Addr, APIKey: apiKey, APISecret: apiSecret, WebhookURLs: []string{c.WebhookURL},
		Timings: c.Spec.timings(), Faults: c.Spec.Faults, Seed: c.Seed, StateFile: c.StateFile, Chronicle: c.Chronicle,
	})
	if err != nil {
		return err
	}
	if err := fake.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	return fake.Close()
}
