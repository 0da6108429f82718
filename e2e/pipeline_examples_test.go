package e2e

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

const examples = "../examples/pipeline"

// The examples' pipeline, with its workers in Go and TypeScript as separate processes: each step
// runs in the worker of its language, and sees the earlier results and the files of both parts.
func TestTheExamplePipelineRunsInGoAndTypeScript(t *testing.T) {
	t.Parallel()
	typescript := typescriptWorker(t)
	store := newS3Store(t)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Store, fake.Timings.MidRecording = store.store, 300*time.Millisecond
		environ["REELKEEPER_PIPELINE"] = examples + "/pipelines.yaml"
		environ["REELKEEPER_VERIFY_FOR"], environ["REELKEEPER_RECOVER"] = "30s", "1"
	})
	w.startWorker()
	dir := t.TempDir()
	indexer := filepath.Join(t.TempDir(), "indexer")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", indexer, examples+"/go").CombinedOutput()
	require.NoError(t, err, "%s", out)
	w.example(exec.Command(indexer), "INDEX_DIR="+dir)
	w.example(typescript, "SUMMARY_DIR="+dir)
	w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.LimitReached}})
	store.record(w, "room")

	v := w.verdict("room")

	require.ElementsMatch(t, []string{"announce-part-1", "announce", "index", "summarize"}, v.Delivered)
	var index struct {
		File  string `json:"file"`
		Entry struct {
			Room, Status string
		} `json:"entry"`
	}
	require.NoError(t, json.Unmarshal(v.Results["index"], &index))
	require.Equal(t, "room", index.Entry.Room)
	require.Equal(t, "EGRESS_LIMIT_REACHED", index.Entry.Status)
	entry, err := os.ReadFile(index.File)
	require.NoError(t, err)
	require.Contains(t, string(entry), `{"part":1,"kind":"file","path":"room/call.mp4",`)
	require.Contains(t, string(entry), `{"part":2,"kind":"file","path":"room/call-part2.mp4",`)
	var summary struct{ File string }
	require.NoError(t, json.Unmarshal(v.Results["summarize"], &summary))
	require.Equal(t, filepath.Join(dir, v.StepKey("summarize")+".md"), summary.File)
	text, err := os.ReadFile(summary.File)
	require.NoError(t, err)
	require.Contains(t, string(text), "# Standup r-room\n", "with is handed on")
	require.Contains(t, string(text), "- ended: ")
	require.Contains(t, string(text), "- file: room/call.mp4, part 1, ")
	require.Contains(t, string(text), "- file: room/call-part2.mp4, part 2, ")
	require.Contains(t, string(text), "- index: {", "so are results of earlier steps")
}

// example runs one of the examples' workers until the test ends.
func (w *world) example(cmd *exec.Cmd, environ ...string) {
	w.t.Helper()
	cmd.Env = append(os.Environ(), append(environ, "TEMPORAL_ADDRESS="+server.Address, "TEMPORAL_NAMESPACE="+w.environ["TEMPORAL_NAMESPACE"])...)
	cmd.Stdout, cmd.Stderr = w.log, w.log
	p := &process{Cmd: cmd, done: make(chan struct{})}
	p.start(w.t)
}

// typescriptWorker returns the TypeScript example, compiled.
func typescriptWorker(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("node", "lib/worker.js")
	cmd.Dir = compiled(t, os.DirFS(examples+"/typescript/src"))
	return cmd
}

// compiled returns a folder with sources that the TypeScript example's own compiler has compiled.
func compiled(t *testing.T, sources fs.FS) (dir string) {
	t.Helper()
	modules := needs.NodeModules(t, examples+"/typescript")
	dir = t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "src"), sources))
	for _, name := range []string{"tsconfig.json", "package.json"} {
		copyFile(t, filepath.Join(examples, "typescript", name), filepath.Join(dir, name))
	}
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	tsc := exec.CommandContext(ctx, "node", "node_modules/typescript/bin/tsc")
	tsc.Dir = dir
	out, err := tsc.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.Create(to)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
