package app

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// pseudo matches a version that Go derived from a commit, which is not a release.
var pseudo = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}(\+|$)`)

// Values that the linker stamps into a released build (`-X`); see docs/releasing.md.
var (
	release string // such as v0.1.0
	commit  string // of the repository
)

// Build identifies a build of Reelkeeper.
type Build struct {
	Release string // such as v0.1.0; empty if built from a working tree
	Commit  string // in full; with "+dirty" appended if the tree had changes; empty if unknown
	Go      string // the toolchain, such as go1.26.8
}

// ThisBuild returns the running build, as stamped by the linker or else as recorded by Go.
func ThisBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(info, release, commit)
}

func buildOf(info *debug.BuildInfo, release, commit string) Build {
	b := Build{Release: release, Commit: commit, Go: info.GoVersion}
	if v := info.Main.Version; v != "(devel)" && !pseudo.MatchString(v) {
		b.Release = cmp.Or(b.Release, v)
	}
	var noted, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			noted = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if b.Commit == "" && noted != "" {
		b.Commit = noted + dirty
	}
	return b
}

// ID distinguishes this build from others: the release, else the commit; empty if it has neither,
// as with `go run`.
func (b Build) ID() string { return cmp.Or(b.Release, b.Commit) }

// String is what `--version` prints after the command's name.
func (b Build) String() string {
	b = b.named()
	return fmt.Sprintf("%s (commit %s, %s)", b.Release, b.Commit, b.Go)
}

// named returns the build with words in place of what is unknown.
func (b Build) named() Build {
	return Build{cmp.Or(b.Release, "unreleased"), cmp.Or(b.Commit, "unknown"), cmp.Or(b.Go, "unknown Go")}
}

// expose makes a gauge that is always 1, and whose labels are the build.
func (b Build) expose(m metric.Meter) error {
	gauge, err := m.Int64Gauge("reelkeeper_build_info", metric.WithDescription("Always 1; the labels say which build runs."))
	if err != nil {
		return fmt.Errorf("build metric: %w", err)
	}
	b = b.named()
	gauge.Record(context.Background(), 1, metric.WithAttributes(
		attribute.String("release", b.Release), attribute.String("commit", b.Commit), attribute.String("go", b.Go)))
	return nil
}
