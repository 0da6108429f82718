package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

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
	Media      string // folder of the store
	Spec       livekitSpec
	Seed       uint64
}

// serve runs LiveKit until the context ends.
func (c livekitConfig) serve(ctx context.Context) error {
	fake, err := fakelivekit.New(fakelivekit.Config{
		Addr: c.Addr, APIKey: apiKey, APISecret: apiSecret, WebhookURLs: []string{c.WebhookURL},
		Timings: c.Spec.timings(), Faults: c.Spec.Faults, Seed: c.Seed, StateFile: c.StateFile, Chronicle: c.Chronicle,
		Store: c.put,
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

// put writes media into the store, whole or not at all. On the disk it takes the place of its
// beginning alone: nobody listens to it.
func (c livekitConfig) put(path string, media []byte) error {
	f, err := os.CreateTemp(c.Media, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(media[:min(len(media), 64)])
	if err = errors.Join(err, f.Truncate(int64(len(media))), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(c.Media, path))
}
