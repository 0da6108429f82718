package app

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime/debug"
)

// pseudo matches a version that Go made of a commit, which is no release.
var pseudo = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}(\+|$)`)

// What a released build is stamped with by its linker (`-X`); see docs/releasing.md.
var (
	release string // such as v0.1.0
	commit  string // of the repository
)

// Build is which build of Reelkeeper this is.
type Build struct {
	Release string // such as v0.1.0; empty where it was built from a working tree
	Commit  string // whole; with "+dirty" behind it where the tree had changes; empty where nobody knows
	Go      string // the toolchain, such as go1.26.8
}

// ThisBuild is the running one: as its linker was told, else as Go noted by itself.
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

// ID tells this build from others: the release, else the commit; empty where it has
// neither, as with `go run`.
func (b Build) ID() string { return cmp.Or(b.Release, b.Commit) }

// String is what `--version` prints after the command's name.
func (b Build) String() string {
	return fmt.Sprintf("%s (commit %s, %s)", cmp.Or(b.Release, "unreleased"), cmp.Or(b.Commit, "unknown"), cmp.Or(b.Go, "unknown Go"))
}
