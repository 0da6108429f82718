package devtemporal

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeFinder returns a finder for a made-up source tree and cache, with a fake go and no Temporal
// CLI.
func fakeFinder(t *testing.T) (*finder, *bytes.Buffer) {
	t.Helper()
	var progress bytes.Buffer
	return &finder{
		lookPath: onPath(""),
		near:     []string{filepath.Join(sourceTree(t), "internal", "deep")},
		cacheDir: filepath.Join(t.TempDir(), "cache"),
		goTool:   fake("go"),
		progress: &progress,
	}, &progress
}

func onPath(cli string) func(string) (string, error) {
	return func(name string) (string, error) {
		if cli == "" || name != "temporal" {
			return "", exec.ErrNotFound
		}
		return cli, nil
	}
}

// sourceTree makes a root module with a devserver in it.
func sourceTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                    "module " + rootModule + "\n\ngo 1.26.0\n",
		"devserver/go.mod":          "// Nested.\nmodule " + rootModule + "/devserver\n",
		"devserver/go.sum":          "",
		"devserver/main.go":         "package main\n",
		"devserver/main_test.go":    "package main\n",
		"internal/deep/anything.go": "package deep\n",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return root
}

// source returns the devserver folder of the finder's source tree.
func source(t *testing.T, f *finder) string {
	t.Helper()
	dir, err := findSource(f.near, "devserver")
	must(t, err)
	return dir
}

func TestTheVariableWinsOverEverything(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	f.explicit, f.lookPath = fake("old-cli"), onPath(fake("recent-cli"))
	path, err := f.path(t.Context())
	must(t, err)
	if path != fake("old-cli") {
		t.Errorf("used %s, not what the variable names", path)
	}
}

func TestAVariableThatNamesNoServerIsAnError(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"no-such-file", "broken", "mute"} {
		f, _ := fakeFinder(t)
		f.explicit = fake(name)
		_, err := f.path(t.Context())
		contains(t, err, PathVariable+": ")
	}
}

func TestARecentCLIIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	f, progress := fakeFinder(t)
	f.lookPath = onPath(fake("recent-cli"))
	path, err := f.path(t.Context())
	must(t, err)
	if path != fake("recent-cli") || progress.Len() > 0 || lines(t, filepath.Join(source(t, f), "builds")) > 0 {
		t.Errorf("used %s and said %q", path, progress)
	}
}

func TestAnUnfitCLIIsPassedOverWithOneLine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"old-cli": "contains server 1.27.1, older than 1.29.0",
		"mute":    "no Temporal server version in",
		"broken":  "exit status 126",
	} {
		f, progress := fakeFinder(t)
		f.lookPath = onPath(fake(name))
		path, err := f.path(t.Context())
		must(t, err)
		first, _, _ := strings.Cut(progress.String(), "\n")
		if !strings.Contains(first, want) || !strings.HasPrefix(first, "Not using the Temporal CLI on the PATH: ") {
			t.Errorf("%s: said %q", name, first)
		}
		if filepath.Dir(path) != f.cacheDir {
			t.Errorf("%s: used %s, not our own", name, path)
		}
	}
}

func TestItIsBuiltOnceForAllProcesses(t *testing.T) {
	t.Parallel()
	f, progress := fakeFinder(t)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			other := *f
			other.progress = &bytes.Buffer{}
			if _, err := other.path(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	path, err := f.path(t.Context())
	must(t, err)
	if builds := lines(t, filepath.Join(source(t, f), "builds")); builds != 1 {
		t.Errorf("built %d times", builds)
	}
	if progress.Len() > 0 {
		t.Errorf("a built server is used in silence, but it said %q", progress)
	}
	name, err := DBFilename(t.Context(), "state", path)
	must(t, err)
	if name != filepath.Join("state", "temporal-1.32.1.db") {
		t.Errorf("its database is %s", name)
	}
}

func TestABuildSaysWhatItIsAndHowLongItTakes(t *testing.T) {
	t.Parallel()
	f, progress := fakeFinder(t)
	path, err := f.path(t.Context())
	must(t, err)
	for _, want := range []string{"This is done once and takes 4–8 minutes", "TEMPORAL_ADDRESS", "Built in ", "s: " + path} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("%q does not say %q", progress, want)
		}
	}
}

func TestABuildThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	must(t, os.WriteFile(filepath.Join(source(t, f), "broken.go"), []byte("pack"), 0o644))
	_, err := f.path(t.Context())
	contains(t, err, "build the development Temporal server", "./broken.go:1:1: syntax error")
	left, err := filepath.Glob(filepath.Join(f.cacheDir, "devserver-*"))
	must(t, err)
	if len(left) != 1 || filepath.Ext(left[0]) != ".lock" {
		t.Errorf("the cache holds %v", left)
	}
}

func TestABuildEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	must(t, os.WriteFile(filepath.Join(source(t, f), "slow.go"), nil, 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		_, err = f.path(ctx)
	}()
	must(t, poll(t.Context(), func() error {
		_, err := os.Stat(filepath.Join(source(t, f), "started"))
		return err
	}))
	cancel()
	await(t, "a cancelled build", ended)
	contains(t, err, "build the development Temporal server: context canceled")
}

func TestWithoutSourceOrGoItSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	f.goTool = "no-such-go-command"
	_, err := f.path(t.Context())
	contains(t, err, "install the Temporal CLI", "TEMPORAL_ADDRESS", "install Go")

	f.near = []string{t.TempDir()}
	_, err = f.path(t.Context())
	contains(t, err, "install the Temporal CLI", "TEMPORAL_ADDRESS", "source tree")
}

func TestAnotherModulesDevserverIsNotOurs(t *testing.T) {
	t.Parallel()
	root := sourceTree(t)
	must(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.com/fork\n"), 0o644))
	if dir, err := findSource([]string{root}, "devserver"); err == nil {
		t.Errorf("took %s", dir)
	}
}

func TestTheFingerprintFollowsWhatDecidesTheBuild(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(sourceTree(t), "devserver")
	sum := func(toolchain string) string {
		text, err := fingerprint(dir, toolchain, true)
		must(t, err)
		return text
	}
	seen := map[string]string{sum("go1"): "at first"}
	isNew := func(after, now string) {
		if before, known := seen[now]; known {
			t.Errorf("after %s the fingerprint is the same as %s", after, before)
		}
		seen[now] = after
	}
	isNew("another toolchain", sum("go2"))
	for _, file := range []string{"main.go", "go.mod", "go.sum", "added.go"} {
		must(t, os.WriteFile(filepath.Join(dir, file), []byte("changed"), 0o644))
		isNew("a change of "+file, sum("go1"))
	}
	before := sum("go1")
	must(t, os.WriteFile(filepath.Join(dir, "main_test.go"), []byte("changed"), 0o644))
	if sum("go1") != before {
		t.Error("a test decides nothing about the binary, but the fingerprint changed")
	}
}

// Temporal's own programs are not rebuilt for each change of our development server.
func TestTheFingerprintOfTemporalsProgramsIsThatOfTheVersions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(sourceTree(t), "devserver")
	sum := func() string {
		text, err := fingerprint(dir, "go1", false)
		must(t, err)
		return text
	}
	before := sum()
	must(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("changed"), 0o644))
	if sum() != before {
		t.Error("it follows the development server's own source")
	}
	must(t, os.WriteFile(filepath.Join(dir, "go.sum"), []byte("changed"), 0o644))
	if sum() == before {
		t.Error("it does not follow the versions")
	}
}

func TestProgramsOfOneModuleAreBuiltBesideEachOther(t *testing.T) {
	t.Parallel()
	f, progress := fakeFinder(t)
	built := map[string]bool{}
	for _, p := range []Binary{devserver, temporalServer, temporalSQLTool} {
		for range 2 { // the second time it is in the cache
			path, err := f.built(t.Context(), p)
			must(t, err)
			built[path] = true
			if name := filepath.Base(path); !strings.HasPrefix(name, p.Name+"-") {
				t.Errorf("%s is built as %s", p.Package, name)
			}
		}
		if !strings.Contains(progress.String(), "Building "+p.Title+".") {
			t.Errorf("nobody is told that %s is built", p.Title)
		}
	}
	if n := lines(t, filepath.Join(source(t, f), "builds")); n != 3 || len(built) != 3 {
		t.Errorf("%d builds made %d programs", n, len(built))
	}
}

func TestServerVersionsAreReadAndCompared(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]version{
		"temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)":     {1, 29, 1},
		"devserver version 1.32.1 (Server 1.32.1, UI 2.55.0)\n": {1, 32, 1},
		"temporal version 1.6.0-rc (Server 1.30.0-148.4, UI 2)": {1, 30, 0},
	} {
		got, err := parseVersion(output)
		must(t, err)
		if got != want {
			t.Errorf("%q is read as %s", output, got)
		}
	}
	for _, pair := range [][2]version{
		{{1, 28, 9}, {1, 29, 0}}, {{0, 99, 0}, {1, 0, 0}}, {{1, 29, 0}, {1, 29, 1}}, {{1, 9, 0}, {1, 10, 0}},
	} {
		if !pair[0].older(pair[1]) || pair[1].older(pair[0]) || pair[0].older(pair[0]) {
			t.Errorf("%s and %s are compared wrongly", pair[0], pair[1])
		}
	}
}
