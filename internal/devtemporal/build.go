package devtemporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	// progressInterval is short enough to show that the build is alive, and long enough for a CI
	// log.
	progressInterval = 5 * time.Second
	// interruptGrace lets the go command clean up its work folder if a build is cancelled.
	interruptGrace = 5 * time.Second
)

// buildFlags are fixed: with others, every package would be compiled again. Without symbols the
// binary has 155 MB instead of 217; panics keep their line numbers.
var buildFlags = []string{"-v", "-buildvcs=false", "-ldflags=-s -w"}

// Binary is a main package of a module nested in Reelkeeper's, because its dependencies conflict
// with those of Reelkeeper.
type Binary struct {
	// Folder is the folder of the nested module, relative to the root: "devserver".
	Folder string
	// Package is the package to build: a path relative to Folder, or an import path. Defaults to
	// ".".
	Package string
	// Name is the file's name in the cache, to which a fingerprint of the source is appended.
	Name string
	// Title describes the binary to the user: "the development Temporal server".
	Title string
	// About is shown to the user before a build; it may have several lines.
	About string
	// Instead says what a user who cannot build it can do, as the end of a sentence. Defaults to
	// nothing.
	Instead string
}

// devserver is our development server.
var devserver = Binary{
	Folder: "devserver", Name: "devserver", Title: "the development Temporal server",
	About: "This is done once and takes 4–8 minutes on two cores\n" +
		"(about 1,150 packages). With the Temporal CLI on the PATH, or TEMPORAL_ADDRESS set, it is not needed.",
	Instead: ", or install the Temporal CLI (https://docs.temporal.io/cli), " +
		"or set TEMPORAL_ADDRESS to a Temporal server that runs",
}

// Built returns a binary from the user's cache folder. If it is not there, Built builds it first,
// once for each version of its source. A build may take minutes, and progress receives a line every
// few seconds. It is safe to call from many processes at once. It fails without the source tree,
// without Go, or if its modules are not available.
func Built(ctx context.Context, b Binary, progress io.Writer) (string, error) {
	f, err := newFinder(progress)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", b.Title, err)
	}
	return f.built(ctx, b)
}

// built returns a binary from the cache, and builds it first if it is not there.
func (f *finder) built(ctx context.Context, b Binary) (string, error) {
	source, err := findSource(f.near, b.Folder)
	if err != nil {
		return "", fmt.Errorf("find %s: %w%s", b.Title, err, b.Instead)
	}
	toolchain, err := f.toolchain(ctx, source)
	if err != nil {
		return "", fmt.Errorf("build %s: %w%s", b.Title, err, b.Instead)
	}
	sum, err := fingerprint(source, toolchain, strings.HasPrefix(cmp.Or(b.Package, "."), "."))
	if err != nil {
		return "", err
	}
	target := filepath.Join(f.cacheDir, b.Name+"-"+sum)
	if runtime.GOOS == "windows" {
		target += ".exe"
	}
	if exists(target) {
		return target, nil
	}
	if err := os.MkdirAll(f.cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	unlock, err := f.lock(ctx, b.Title, target+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(target) { // Another process built it while we waited.
		return target, nil
	}
	return target, f.build(ctx, b, source, target)
}

// toolchain returns the compiler and the platform, and fails if there is no Go.
func (f *finder) toolchain(ctx context.Context, source string) (string, error) {
	output, err := f.command(ctx, source, "env", "GOVERSION").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("install Go, which builds it")
	}
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	return strings.TrimSpace(string(output)) + " " + runtime.GOOS + "/" + runtime.GOARCH, nil
}

// command returns the go command in the source folder, without the settings of the caller's
// environment that would change what it builds.
func (f *finder) command(ctx context.Context, source string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.goTool, args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = interruptGrace
	return cmd
}

// lock waits until no other process builds the same binary.
func (f *finder) lock(ctx context.Context, title, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the build: %w", err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for said := false; ; said = true {
		locked, err := tryLock(file)
		if locked {
			return func() { _ = file.Close() }, nil // Closing it releases the lock.
		}
		if err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !said {
			fmt.Fprintf(f.progress, "Waiting for another process that builds %s.\n", title)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// build compiles to a temporary name and renames, so that the target is complete or absent.
func (f *finder) build(ctx context.Context, b Binary, source, target string) error {
	fmt.Fprintf(f.progress, "Building %s. %s\n", b.Title, b.About)
	unfinished := target + ".unfinished"
	cmd := f.command(ctx, source, append(append([]string{"build"}, buildFlags...), "-o", unfinished, cmp.Or(b.Package, "."))...)
	output := &buildOutput{tail: newTail(io.Discard, tailLines)}
	cmd.Stderr = output
	begin := time.Now()
	stopProgress := f.report(output, begin, progressInterval)
	err := cmd.Run()
	stopProgress()
	if ctx.Err() != nil {
		return fmt.Errorf("build %s: %w", b.Title, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("build %s: %w:\n%s", b.Title, err, output.tail)
	}
	if err := os.Rename(unfinished, target); err != nil {
		return fmt.Errorf("keep the built server: %w", err)
	}
	fmt.Fprintf(f.progress, "Built in %s: %s\n", time.Since(begin).Round(time.Second), target)
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
