package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
)

// fate is the result of a mutant.
type fate string

// The fates.
const (
	killed   fate = "killed"   // a test failed, or did not end
	survived fate = "survived" // no test noticed
	invalid  fate = "invalid"  // it does not compile
)

const (
	// testLimit is when a test that hangs on a mutant is ended; tests of pure rules take well under
	// a second.
	testLimit = "10s"
	// mostBuilds is how often the package is compiled until everything that does not compile is
	// found: after some errors, the compiler reports no further ones.
	mostBuilds = 20
)

// errBuild reports that a package does not compile.
var errBuild = errors.New("it does not compile")

// try runs the tests over each mutant and returns the result of each.
func (o options) try(ctx context.Context, mutants []mutant, progress io.Writer) ([]fate, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fates := make([]fate, len(mutants))
	binary, err := o.buildAll(ctx, dir, mutants, fates)
	if err != nil {
		return nil, err
	}
	if out, err := o.test(ctx, binary, ""); err != nil {
		return nil, fmt.Errorf("the tests of %s fail without any change: %w\n%s", o.dir, err, out)
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(o.workers)
	for n, m := range mutants {
		if fates[n] == invalid {
			continue
		}
		g.Go(func() error {
			f, err := o.judge(ctx, dir, binary, n, m)
			mu.Lock()
			defer mu.Unlock()
			fates[n] = f
			fmt.Fprintf(progress, "%d/%d %s %s:%d: %s\n", n+1, len(mutants), f, m.file, m.line, m)
			return err
		})
	}
	return fates, g.Wait()
}

// buildAll compiles the tests with all mutants except those that do not compile, whose fate it
// sets.
func (o options) buildAll(ctx context.Context, dir string, mutants []mutant, fates []fate) (string, error) {
	all := make([]*mutant, len(mutants))
	for n := range mutants {
		all[n] = &mutants[n]
	}
	for range mostBuilds {
		overlay := newOverlay(dir)
		if err := overlay.weave(all); err != nil {
			return "", err
		}
		binary := filepath.Join(dir, "all.test")
		out, err := o.build(ctx, overlay, binary)
		if !errors.Is(err, errBuild) {
			return binary, err
		}
		wrong := named.FindAllSubmatch(out, -1)
		if len(wrong) == 0 {
			return "", fmt.Errorf("%s: %w\n%s", o.dir, err, out)
		}
		for _, match := range wrong {
			n, err := strconv.Atoi(string(match[1]))
			if err != nil {
				return "", err
			}
			all[n], fates[n] = nil, invalid
		}
	}
	return "", fmt.Errorf("%s: some mutants do not compile, and the compiler does not say which", o.dir)
}

var named = regexp.MustCompile(`mutant_(\d+)\.go:\d+`)

// judge runs the tests over one mutant. A mutant outside of functions is compiled separately.
func (o options) judge(ctx context.Context, dir, binary string, n int, m mutant) (fate, error) {
	choose := strconv.Itoa(n)
	if m.body == nil {
		alone := filepath.Join(dir, choose)
		if err := os.Mkdir(alone, 0o700); err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(alone) }() // each binary is more than a gigabyte
		source, err := os.ReadFile(m.file)
		if err != nil {
			return "", err
		}
		overlay := newOverlay(alone)
		if err := overlay.put(m.file, m.edit.apply(source)); err != nil {
			return "", err
		}
		binary = filepath.Join(alone, "one.test")
		if _, err := o.build(ctx, overlay, binary); errors.Is(err, errBuild) {
			return invalid, nil
		} else if err != nil {
			return "", err
		}
	}
	_, err := o.test(ctx, binary, choose)
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return survived, nil
	case errors.As(err, &failed):
		return killed, nil
	}
	return "", err
}

func (o options) build(ctx context.Context, overlay *overlay, binary string) ([]byte, error) {
	flag, err := overlay.flag()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-e", "-ldflags=-s -w", flag, "-o", binary, ".")
	cmd.Dir = o.dir
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &failed):
		return out, errBuild
	}
	return out, err
}

func (o options) test(ctx context.Context, binary, choose string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.timeout="+testLimit)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), chosen+"="+choose)
	return cmd.CombinedOutput()
}
