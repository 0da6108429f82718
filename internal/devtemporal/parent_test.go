package devtemporal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// asParent in the environment turns this test binary into a process that starts a server, prints
// its address and waits to be killed. The variable holds the Options as JSON.
const asParent = "REELKEEPER_TEST_AS_PARENT"

// parentOptions are the Options that beParent needs.
type parentOptions struct {
	Path, DBFilename string
	Port             int
}

func (p parentOptions) options() Options {
	return Options{Path: p.Path, DBFilename: p.DBFilename, Port: p.Port, Headless: true}
}

func beParent(text string) {
	var opts parentOptions
	if err := json.Unmarshal([]byte(text), &opts); err != nil {
		panic(err)
	}
	s, err := Start(context.Background(), opts.options())
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Address)
	<-s.Done()
	os.Exit(1)
}

// The process that runs `dev` may be killed at any time; the next one uses the same port and file.
func TestAKilledParentTakesItsServerAlong(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal; elsewhere the next Start names the busy port")
	}
	path, err := realPath()
	must(t, err)
	free, err := LastingPorts(1)
	must(t, err)
	opts := parentOptions{Path: path, DBFilename: filepath.Join(t.TempDir(), "temporal.db"), Port: free[0]}
	text, err := json.Marshal(opts)
	must(t, err)

	executable, err := os.Executable()
	must(t, err)
	parent := exec.Command(executable)
	parent.Env = append(os.Environ(), asParent+"="+string(text))
	parent.Stderr = os.Stderr
	stdout, err := parent.StdoutPipe()
	must(t, err)
	must(t, parent.Start())
	t.Cleanup(func() { _ = parent.Process.Kill() })
	if !bufio.NewScanner(stdout).Scan() {
		t.Fatalf("the parent ended: %v", parent.Wait())
	}
	must(t, parent.Process.Kill())
	_ = parent.Wait() // "signal: killed", as asked.

	s, err := Start(t.Context(), opts.options())
	must(t, err)
	must(t, s.Stop(t.Context()))
}
