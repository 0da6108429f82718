package devtemporal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakes are scripts that stand in for the Temporal CLI and the go command. They are written before
// any test runs: if a script is written while another test forks, it may be "text file busy".
var fakes = map[string]string{
	"recent-cli": `echo "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"`,
	"old-cli":    `echo "temporal version 1.3.0 (Server 1.27.1, UI 2.36.0)"`,
	"mute":       `exit 0`,
	"broken":     `echo "exec format error" >&2; exit 126`,
	"dies":       `echo "first line" >&2; echo "devserver: database file x.db: no" >&2; exit 1`,
	"hangs":      `trap '' TERM; echo "still thinking" >&2; while :; do read -r _ </dev/zero; done`,
	// Compiles nothing: it counts its runs in the source folder and writes a server that has a version.
	"go": `case "$1" in
env) echo go1.26.8; exit ;;
esac
echo run >>builds
if [ -e broken.go ]; then echo "# devserver" >&2; echo "./broken.go:1:1: syntax error" >&2; exit 1; fi
if [ -e slow.go ]; then : >started; exec sleep 600; fi
echo "go: downloading example.com/module v1.0.0" >&2
echo "example.com/module/package" >&2
while [ "$1" != -o ]; do shift; done
echo "$3" >>packages
{ echo '#!/bin/sh'; echo 'echo "devserver version 1.32.1 (Server 1.32.1, UI 2.55.0)"'; } >"$2"
chmod +x "$2"`,
}

var fakesDir string

func TestMain(m *testing.M) {
	if parent := os.Getenv(asParent); parent != "" {
		beParent(parent)
	}
	os.Exit(withFakes(m))
}

func withFakes(m *testing.M) int {
	dir, err := os.MkdirTemp("", "devtemporal")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fakesDir = dir
	for name, script := range fakes {
		if err := os.WriteFile(fake(name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

// fake returns the path of one of the fakes.
func fake(name string) string { return filepath.Join(fakesDir, name) }

// realPath is the binary that Path finds or builds: a user's recent CLI or our devserver. A cold build
// takes minutes; the fewer cores there are, the longer the tests must wait for it.
var realPath = sync.OnceValues(func() (string, error) {
	return Path(context.Background(), os.Stderr)
})

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error, where one says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}

// await fails the test if the channel is not closed within a time far above what any machine needs.
func await(t *testing.T, what string, closed <-chan struct{}) {
	t.Helper()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("no end of: " + what)
	}
}

// lines counts the lines that a fake has written to a file; a missing file has none.
func lines(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(fmt.Errorf("count: %w", err))
	}
	return strings.Count(string(text), "\n")
}
