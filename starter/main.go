// Command starter is the front door for people and agents: `serve` runs LiveKit's
// API and the webhook endpoint, the other commands start, show and stop durable
// recordings. It keeps nothing: all state is Temporal's.
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

// connect makes the client of a command.
func connect(ctx context.Context, environ map[string]string, role config.Role) (recorder, func(), error) {
	return app.Connect(ctx, environ, role)
}

// examine makes the doctor, who connects by itself: what cannot be reached is a finding.
func examine(environ map[string]string) (examiner, func(), error) { return app.Doctor(environ) }

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// screened is standard output, where a terminal obeys no name that others chose.
func screened(f *os.File) io.Writer {
	if terminal(f) {
		return screen(f)
	}
	return f
}

func start() int {
	ctx, stop := app.Interruptible()
	defer stop()
	here, err := os.Getwd()
	if err != nil {
		here = "" // the folder is gone: there is no dev instance to find from it
	}
	return run(ctx, os.Args[1:], deps{
		environ: config.Environ(),
		dir:     here,
		stdin:   os.Stdin,
		stdout:  screened(os.Stdout),
		stderr:  os.Stderr,
		asked:   terminal(os.Stdin) && terminal(os.Stderr),
		watched: app.Watched(os.Stderr, os.Getenv("TERM")),
		serve:   app.ServeMain,
		examine: examine,
		connect: connect,
	})
}
