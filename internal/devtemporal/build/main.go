// Command build finds or builds the development Temporal server and, if there is a PostgreSQL for it,
// Temporal's own, shows its progress on stderr, and prints the paths of the binaries. A test run begins
// with it, since a build takes minutes, which would count against a test's time limit.
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
	err := build(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(ctx context.Context) error {
	path, err := devtemporal.Path(ctx, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Println(path)
	if _, err := devtemporal.PostgresPrograms(); err != nil {
		return nil //nolint:nilerr // without it there is nothing to run the other on
	}
	tools, err := devtemporal.FindTools(ctx, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Println(tools.Server)
	fmt.Println(tools.SQLTool)
	return nil
}
