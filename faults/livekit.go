package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// livekitVariable names, in the environment of a process of its own, what the fake
// LiveKit is like: a process, so that it can be killed as a real one. Its rooms and
// egresses outlive it in a file, as they would in redis; webhooks that it had queued do
// not, as they do not with livekit-server.
const livekitVariable = "REELKEEPER_FAULTS_LIVEKIT"

// livekitConfig is the fake, as written into that variable.
type livekitConfig struct {
	Addr       string
	WebhookURL string
	StateFile  string
	Chronicle  string
	Spec       livekitSpec
	Seed       uint64
}

func (c livekitConfig) environ() (string, error) {
	b, err := json.Marshal(c)
	return livekitVariable + "=" + string(b), err
}

// serveLiveKit is that process.
func serveLiveKit(ctx context.Context, config string, stderr io.Writer) int {
	var c livekitConfig
	err := json.Unmarshal([]byte(config), &c)
	if err == nil {
		err = c.serve(ctx)
	}
	if err != nil {
		fmt.Fprintln(stderr, "livekit:", err)
		return 1
	}
	return 0
}

func (c livekitConfig) serve(ctx context.Context) error {
	timings := fakelivekit.DefaultTimings().Scaled(c.Spec.Speed)
	if c.Spec.ReplyHang > 0 {
		timings.ReplyHang = c.Spec.ReplyHang
	}
	fake, err := fakelivekit.New(fakelivekit.Config{
		Addr: c.Addr, APIKey: apiKey, APISecret: apiSecret, WebhookURLs: []string{c.WebhookURL},
		Timings: timings, Faults: c.Spec.Faults, Seed: c.Seed, StateFile: c.StateFile, Chronicle: c.Chronicle,
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

// itself is the binary that runs, which is the fake LiveKit, too.
func itself() (string, error) { return os.Executable() }
