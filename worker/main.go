// Command worker runs Reelkeeper's workflows and activities. It keeps no state: run as many as you
// like.
package main

import (
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

func main() {
	app.WatchConnections()
	ctx, _ := app.Interruptible()
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr, func(ctx context.Context) error { return app.WorkerMain(ctx, config.Environ()) }))
}

// run runs one command line and returns the exit status, as app.Exit does. work is what the worker
// does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, work func(context.Context) error) int {
	c := &cli.Command{
		Name:  "worker",
		Usage: "run Reelkeeper's workflows and activities",
		Description: "It polls the task queues egress and egress-poll of the Temporal namespace until SIGTERM or Ctrl-C,\n" +
			"and then gives what is under way 10 s and ends within 50 s. It stores nothing: run as many as you like.\n\n" +
			"It takes no arguments: all settings are environment variables, listed in README.md under Settings.\n" +
			"LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET and REELKEEPER_PUBLIC_URL are required.\n\n" +
			"Exit status: 0 asked to stop, 1 a failure, 2 a setting is wrong (the error names it).",
		Version:         app.ThisBuild().String(),
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // app.Exit prints, once
		OnUsageError:    app.UsageError,
		HideHelpCommand: true,
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return egress.Invalidf(c.Args().First(), "%s takes no arguments", c.Name)
			}
			return work(ctx)
		},
	}
	return app.Exit(stderr, c.Name, c.Run(ctx, args))
}
