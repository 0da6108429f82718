// Command build finds or builds what runs a real livekit-server in tests, and shows its progress on stderr. A test run begins
// with it, since a build takes minutes, which would count against a test's time limit. If it cannot be built, for example
// because the modules are not available, it says so and fails only if CI is set: the tests that need it are then skipped.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/reelkeeper/reelkeeper/internal/reallivekit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	_, err := reallivekit.Build(ctx, os.Stderr)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if os.Getenv("CI") != "" {
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "The tests that need a real livekit-server are skipped.")
}
