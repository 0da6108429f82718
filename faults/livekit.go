package main

import (
	"context"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// livekitConfig is the fake LiveKit, a process of its own, as written into its
// environment: a process, so that it can be killed as a real one. Its rooms and egresses
// outlive it in a file, as they would in redis; webhooks that it had queued do not, as
// they do not with livekit-server.
type livekitConfig struct {
	Addr       string
	WebhookURL string
	StateFile  string
	Chronicle  string
	Spec       livekitSpec
	Seed       uint64
}

// serve is LiveKit until the context ends.
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
