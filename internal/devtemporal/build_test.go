package devtemporal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// lineReader passes on the written lines, one Write per line.
type lineReader chan string

func (l lineReader) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestWhoWaitsForAnothersBuildIsTold(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	file := filepath.Join(t.TempDir(), "build.lock")
	unlock, err := f.lock(t.Context(), "it", file)
	must(t, err)

	said := make(lineReader, 1)
	other := &finder{progress: said}
	locked := make(chan struct{})
	go func() {
		defer close(locked)
		unlockOther, err := other.lock(t.Context(), "it", file)
		if err != nil {
			t.Error(err)
			return
		}
		unlockOther()
	}()
	if line := <-said; !strings.HasPrefix(line, "Waiting for another process") {
		t.Errorf("it said %q", line)
	}
	unlock()
	await(t, "waiting for a lock that was lifted", locked)
}

func TestWaitingForAnothersBuildEndsWithTheContext(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	file := filepath.Join(t.TempDir(), "build.lock")
	unlock, err := f.lock(t.Context(), "it", file)
	must(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.lock(ctx, "it", file); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestACacheFolderThatCanNotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	file := filepath.Join(t.TempDir(), "a-file")
	must(t, os.WriteFile(file, nil, 0o644))
	f.cacheDir = filepath.Join(file, "cache")
	_, err := f.path(t.Context())
	contains(t, err, "make the cache folder")
}

func TestProgressIsToldWhileTheBuildRuns(t *testing.T) {
	t.Parallel()
	told := make(lineReader)
	f := &finder{progress: told}
	output := &buildOutput{tail: newTail(&bytes.Buffer{}, 1)}
	_, err := output.Write([]byte("a/p\nb/q\n"))
	must(t, err)
	stop := f.report(output, time.Now(), time.Millisecond)
	for range 2 {
		if line := <-told; !strings.HasSuffix(line, " s: 2 packages compiled\n") {
			t.Errorf("it said %q", line)
		}
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	for {
		select {
		case <-told: // A line that was still in flight.
		case <-stopped:
			return
		}
	}
}

func TestABuildDoesNotDependOnTheCallersSettings(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	dir := source(t, f)
	cmd := f.command(t.Context(), dir, "build")
	if cmd.Dir != dir {
		t.Errorf("go runs in %s", cmd.Dir)
	}
	for _, want := range []string{"GOFLAGS=", "GOWORK=off"} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
}

func TestAChangeOfTheSourceIsBuiltBesideTheOldOne(t *testing.T) {
	t.Parallel()
	f, _ := fakeFinder(t)
	before, err := f.path(t.Context())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(source(t, f), "main.go"), []byte("package main // Changed.\n"), 0o644))
	after, err := f.path(t.Context())
	must(t, err)
	if before == after || !exists(before) || !exists(after) {
		t.Errorf("built %s, then %s", before, after)
	}
}

func TestTheSourceIsFoundFromTheSecondFolderToo(t *testing.T) {
	t.Parallel()
	root := sourceTree(t)
	found, err := findSource([]string{t.TempDir(), filepath.Join(root, "internal")}, "devserver")
	must(t, err)
	if found != filepath.Join(root, "devserver") {
		t.Errorf("found %s", found)
	}
	if found, err = findSource([]string{filepath.Join(root, "devserver")}, "devserver"); err != nil || filepath.Dir(found) != root {
		t.Errorf("from within the devserver: %s, %v", found, err)
	}
}

func TestADatabaseIsNotNamedAfterAnUnknownServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mute", "broken", "no-such-file"} {
		_, err := DBFilename(t.Context(), "state", fake(name))
		contains(t, err, "name the database file: ")
	}
}

func TestEachNestedModuleIsBuiltFromItsOwnSourceUnderItsOwnName(t *testing.T) {
	t.Parallel()
	f, progress := fakeFinder(t)
	dir := filepath.Join(filepath.Dir(source(t, f)), "e2e", "nested")
	must(t, os.MkdirAll(dir, 0o755))
	for name, text := range map[string]string{"go.mod": "module " + rootModule + "/e2e/nested\n", "go.sum": "", "main.go": "package main\n"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	path, err := f.built(t.Context(), Binary{
		Folder: "e2e/nested", Package: "example.com/other/cmd", Name: "other", Title: "the other", About: "It is quick.",
	})
	must(t, err)
	if !strings.HasPrefix(filepath.Base(path), "other-") || lines(t, filepath.Join(dir, "builds")) != 1 {
		t.Errorf("built %s", path)
	}
	if !strings.HasPrefix(progress.String(), "Building the other. It is quick.\n") {
		t.Errorf("it said %q", progress)
	}
	text, err := os.ReadFile(filepath.Join(dir, "packages"))
	must(t, err)
	if strings.TrimSpace(string(text)) != "example.com/other/cmd" {
		t.Errorf("the package was %s", text)
	}
	_, err = f.built(t.Context(), Binary{Folder: "e2e/absent"})
	contains(t, err, "source tree")
}
