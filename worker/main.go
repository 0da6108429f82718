// Command worker runs Reelkeeper's workflows and activities. It keeps nothing: run
// as many as you like.
package main

import (
	"os"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := app.Interruptible()
	defer stop()
	return app.Exit(os.Stderr, "worker", app.WorkerMain(ctx, config.Environ()))
}
