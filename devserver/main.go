// Command devserver is Reelkeeper's development Temporal: the real server and its web UI in one
// process, storing in one SQLite file or in memory. It takes the command line of
// `temporal server start-dev`, so that a user's own Temporal CLI and the Go SDK's
// testsuite.StartDevServer can stand in for each other. It never serves production: no
// authentication, no TLS, one history shard.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	uiversion "github.com/temporalio/ui-server/v2/server/version"
	"go.temporal.io/server/common/headers"
)

// Exit statuses, the same as those of Reelkeeper's other commands.
const (
	exitClean  = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the command line asks for and returns the exit status. What a user can put right
// is one line on stderr.
func run(args []string, stdout, stderr io.Writer) int {
	opts, err := parseArgs(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage())
		return exitClean
	case err != nil:
		fmt.Fprintf(stderr, "devserver: %v (devserver --help lists the flags)\n", err)
		return exitUsage
	case opts.showVersion:
		fmt.Fprintln(stdout, versionLine())
		return exitClean
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal finds the default action again and ends a shutdown that hangs.
	context.AfterFunc(ctx, stop)
	defer stop()
	if err := serve(ctx, opts, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "devserver: %v\n", err)
		return exitFailed
	}
	return exitClean
}

// versionLine has the shape of `temporal --version`, so that one parser reads both.
func versionLine() string {
	return fmt.Sprintf("devserver version %s (Server %[1]s, UI %s)", headers.ServerVersion, uiversion.UIVersion)
}
