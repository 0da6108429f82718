package devtemporal

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// PathVariable is the environment variable that names a development server's binary, which then
// takes precedence over any other.
const PathVariable = "REELKEEPER_DEVSERVER"

// Path returns the binary of a development server: the one that REELKEEPER_DEVSERVER names; else a
// Temporal CLI on the PATH that contains server 1.29 or newer; else our devserver, built into the
// user's cache folder once for each version of its source. The build takes minutes, and progress
// receives a line every few seconds. It is safe to call from many processes at once.
func Path(ctx context.Context, progress io.Writer) (string, error) {
	f, err := newFinder(progress)
	if err != nil {
		return "", fmt.Errorf("find the development Temporal server: %w", err)
	}
	return f.path(ctx)
}

// newFinder searches the user's cache folder, and for the source it searches from the working
// folder and from this file.
func newFinder(progress io.Writer) (*finder, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a cache folder: %w", err)
	}
	workDir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the source: %w", err)
	}
	_, thisFile, _, _ := runtime.Caller(0)
	return &finder{
		explicit: os.Getenv(PathVariable),
		lookPath: exec.LookPath,
		near:     []string{workDir, filepath.Dir(thisFile)},
		cacheDir: filepath.Join(cache, "reelkeeper"),
		goTool:   "go",
		progress: progress,
	}, nil
}

// finder holds what Path takes from its environment.
type finder struct {
	explicit string
	lookPath func(name string) (string, error)
	near     []string // Folders from which to search upwards for the source.
	cacheDir string
	goTool   string
	progress io.Writer
}

func (f *finder) path(ctx context.Context) (string, error) {
	if f.explicit != "" {
		if _, err := serverVersion(ctx, f.explicit); err != nil {
			return "", fmt.Errorf("%s: %w", PathVariable, err)
		}
		return f.explicit, nil
	}
	if cli, ok := f.recentCLI(ctx); ok {
		return cli, nil
	}
	return f.built(ctx, devserver)
}

// recentCLI returns the user's Temporal CLI, if there is one and its server is recent enough.
func (f *finder) recentCLI(ctx context.Context) (string, bool) {
	cli, err := f.lookPath("temporal")
	if err != nil {
		return "", false
	}
	v, err := serverVersion(ctx, cli)
	switch {
	case err != nil:
		fmt.Fprintf(f.progress, "Not using the Temporal CLI on the PATH: %v.\n", err)
		return "", false
	case v.older(oldestServer):
		fmt.Fprintf(f.progress, "Not using the Temporal CLI on the PATH: %s contains server %s, older than %s.\n",
			cli, v, oldestServer)
		return "", false
	}
	return cli, true
}
