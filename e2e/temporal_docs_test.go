package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// The programs of docs/start-from-temporal.md record the room standup, as they stand there: only
// what the page leaves out is added.
func TestTheProgramsForTemporalsSDKsRun(t *testing.T) {
	t.Parallel()
	for language, program := range map[string]func(t *testing.T, w *world, text string) *exec.Cmd{"go": temporalGo, "ts": temporalTypeScript} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			texts := programsOf(t, "start-from-temporal.md", language)
			require.Len(t, texts, 1)
			w := newWorld(t, nil)
			w.startWorker()
			w.room("standup", fakelivekit.RoomScript{})
			cmd := program(t, w, texts[0])
			cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+server.Address, "TEMPORAL_NAMESPACE="+w.environ["TEMPORAL_NAMESPACE"])
			go w.endOnceActive("standup")

			printed, err := cmd.CombinedOutput()

			require.NoError(t, err, "%s", printed)
			require.Contains(t, string(printed), w.fake.Egresses()[0].Info.EgressId)
			v, err := w.client.Wait(w.ctx(), "standup-1")
			require.NoError(t, err)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		})
	}
}

// endOnceActive ends the call of a room once an egress records, for a program that waits for the
// verdict.
func (w *world) endOnceActive(room string) {
	for w.t.Context().Err() == nil {
		if all := w.fake.Egresses(); len(all) > 0 && all[0].Info.Status == livekit.EgressStatus_EGRESS_ACTIVE {
			_ = w.fake.EndCall(room) // if it failed, no verdict would come
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

func temporalGo(t *testing.T, _ *world, text string) *exec.Cmd {
	t.Helper()
	const around = `package main

import (
	"context"
	"fmt"
	"os"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func main() {
	if err := record(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func record(ctx context.Context) error {
	c, err := client.Dial(client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: os.Getenv("TEMPORAL_NAMESPACE")})
	if err != nil {
		return err
	}
	defer c.Close()
	TEXT
	fmt.Println(info.EgressID)
	return nil
}
`
	cmd := exec.CommandContext(within(t), "go", "run", saved(t, "main.go", strings.Replace(around, "TEXT", text, 1)))
	cmd.Dir = ".." // of the module, whose version of the SDK it uses
	return cmd
}

func temporalTypeScript(t *testing.T, w *world, text string) *exec.Cmd {
	t.Helper()
	for _, known := range []struct{ written, here string }{
		{"'127.0.0.1:7233'", "'" + server.Address + "'"},
		{"new Client({ ", "new Client({ namespace: '" + w.environ["TEMPORAL_NAMESPACE"] + "', "},
	} {
		require.Contains(t, text, known.written)
		text = strings.Replace(text, known.written, known.here, 1)
	}
	dir := compiled(t, fstest.MapFS{"start.mts": {Data: []byte(text)}}) // may take minutes, which are not the program's
	cmd := exec.CommandContext(within(t), "node", filepath.Join("lib", "start.mjs"))
	cmd.Dir = dir
	return cmd
}
