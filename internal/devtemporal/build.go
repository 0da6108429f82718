package devtemporal

import (
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
	// progressInterval is often enough to show that the build lives, seldom enough for a CI log.
	progressInterval = 5 * time.Second
	// interruptGrace lets the go command clean up its work folder when a build is cancelled.
	interruptGrace = 5 * time.Second
)

// buildFlags are fixed: with other ones every package would be compiled again. Without symbols the
// binary has 155 MB instead of 217; panics keep their line numbers.
var buildFlags = []string{"-v", "-buildvcs=false", "-ldflags=-s -w"}

// program is what the devserver module builds.
type program struct {
	name    string // in the cache
	pkg     string
	title   string // what people are told that is built
	warning string // what they are told more before
}

// devserver is our development server.
var devserver = program{
	name: "devserver", pkg: ".", title: "the development Temporal server",
	warning: " This is done once and takes 4–8 minutes on two cores\n" +
		"(about 1,150 packages). With the Temporal CLI on the PATH, or TEMPORAL_ADDRESS set, it is not needed.",
}

// built returns a program from the cache, and builds it first if it is not there.
func (f *finder) built(ctx context.Context, p program) (string, error) {
	source, err := findSource(f.near)
	if err != nil {
		return "", err
	}
	toolchain, err := f.toolchain(ctx, source)
	if err != nil {
		return "", err
	}
	sum, err := fingerprint(source, toolchain, p.pkg == ".")
	if err != nil {
		return "", err
	}
	target := filepath.Join(f.cacheDir, p.name+"-"+sum)
	if runtime.GOOS == "windows" {
		target += ".exe"
	}
	if exists(target) {
		return target, nil
	}
	if err := os.MkdirAll(f.cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	unlock, err := f.lock(ctx, target+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(target) { // Another process built it while we waited.
		return target, nil
	}
	return target, f.build(ctx, source, target, p)
}

// toolchain names the compiler and the platform, and fails where there is no Go.
func (f *finder) toolchain(ctx context.Context, source string) (string, error) {
	output, err := f.command(ctx, source, "env", "GOVERSION").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w; or install Go, which builds one", errNoSource)
	}
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	return strings.TrimSpace(string(output)) + " " + runtime.GOOS + "/" + runtime.GOARCH, nil
}

// command is the go tool in the source folder, without the settings of the caller's environment that
// would change what it builds.
func (f *finder) command(ctx context.Context, source string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.goTool, args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = interruptGrace
	return cmd
}

// lock waits until no other process builds the same binary.
func (f *finder) lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the build: %w", err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for said := false; ; said = true {
		locked, err := tryLock(file)
		if locked {
			return func() { _ = file.Close() }, nil // Closing it lifts the lock.
		}
		if err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !said {
			fmt.Fprintln(f.progress, "Waiting for another process that builds the same.")
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// build compiles to a name of its own and renames, so that the target is whole or absent.
func (f *finder) build(ctx context.Context, source, target string, p program) error {
	fmt.Fprintf(f.progress, "Building %s.%s\n", p.title, p.warning)
	unfinished := target + ".unfinished"
	cmd := f.command(ctx, source, append(append([]string{"build"}, buildFlags...), "-o", unfinished, p.pkg)...)
	output := &buildOutput{tail: newTail(io.Discard, tailLines)}
	cmd.Stderr = output
	begin := time.Now()
	stopProgress := f.report(output, begin, progressInterval)
	err := cmd.Run()
	stopProgress()
	if ctx.Err() != nil {
		return fmt.Errorf("build %s: %w", p.title, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("build %s: %w:\n%s", p.title, err, output.tail)
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
