package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// asInterruptible in the environment turns this test binary into a process that waits for a signal
// that asks it to stop, and prints it.
const asInterruptible = "REELKEEPER_TEST_INTERRUPTIBLE"

func TestMain(m *testing.M) {
	if os.Getenv(asInterruptible) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := app.Interruptible()
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
}

// Its parts would outlive it on a system that does not end them with it.
func TestAClosedTerminalStopsWhatRunsUnlessThatIsToOutliveIt(t *testing.T) {
	t.Parallel()
	needs.Tools(t, "sh")
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("this run is to outlive its terminal itself")
	}
	for name, tc := range map[string]struct{ before, stoppedBy string }{
		"in a terminal": {"", "hangup"},
		"by nohup":      {"trap '' HUP; ", "terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "sh", "-c", tc.before+`exec "$0"`, os.Args[0])
			cmd.Env = append(os.Environ(), asInterruptible+"=yes")
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			said := bufio.NewScanner(out)
			require.True(t, said.Scan())
			require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
			if tc.stoppedBy != "hangup" {
				require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			}
			require.True(t, said.Scan())
			require.Contains(t, said.Text(), tc.stoppedBy)
			require.NoError(t, cmd.Wait())
		})
	}
}
