// Command build finds or builds the development Temporal server, shows how far it is on stderr, and
// prints the path of the binary. A test run begins with it, since a build takes minutes, which the
// time limit of a test would count.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	path, err := devtemporal.Path(ctx, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}
