// Command starter is the front door for people and agents: `serve` runs LiveKit's API and the
// webhook endpoint, the other commands start, show and stop durable recordings. It keeps no state:
// all state is in Temporal.
package main

import (
	"context"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

func main() { os.Exit(start()) }

// connect makes a command's client.
func connect(ctx context.Context, environ map[string]string, role config.Role) (recorder, func(), error) {
	return app.Connect(ctx, environ, role)
}

// examine makes the doctor, which connects by itself: an unreachable server is a finding.
func examine(environ map[string]string) (examiner, func(), error) { return app.Doctor(environ) }

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// screened returns standard output, made safe for a terminal, which must not obey names that others
// chose.
func screened(f *os.File) io.Writer {
	if terminal(f) {
		return screen(f)
	}
	return f
}

func start() int {
	app.WatchConnections()
	ctx, stop := app.Interruptible()
	defer stop()
	here, err := os.Getwd()
	if err != nil {
		here = "" // the folder is gone: no dev instance can be found from it
	}
	return run(ctx, os.Args[1:], deps{
		environ: config.Environ(),
		dir:     here,
		stdin:   os.Stdin,
		stdout:  screened(os.Stdout),
		stderr:  os.Stderr,
		canAsk:  terminal(os.Stdin) && terminal(os.Stderr),
		watched: app.Watched(os.Stderr, os.Getenv("TERM")),
		serve:   app.ServeMain,
		examine: examine,
		connect: connect,
	})
}
