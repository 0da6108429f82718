package app

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABuildIsKnownByItsReleaseElseByItsCommit(t *testing.T) {
	t.Parallel()
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: modified}}
	}
	for name, tc := range map[string]struct {
		info            debug.BuildInfo
		release, commit string
		want, id        string
	}{
		"stamped by the linker": {
			info: debug.BuildInfo{GoVersion: "go1.26.8"}, release: "v1.2.3", commit: "abc",
			want: "v1.2.3 (commit abc, go1.26.8)", id: "v1.2.3",
		},
		"installed as a module": {
			info: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}},
			want: "v1.2.3 (commit unknown, go1.26.8)", id: "v1.2.3",
		},
		"the linker's word counts for more": {
			info: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.0.0"}, Settings: vcs("true")}, release: "v1.2.3", commit: "def",
			want: "v1.2.3 (commit def, go1.26.8)", id: "v1.2.3",
		},
		"built from a working tree": {
			info: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: vcs("false")},
			want: "unreleased (commit abc, go1.26.8)", id: "abc",
		},
		"between two releases": {
			info: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.4-0.20261126000000-abcdefabcdef"}, Settings: vcs("false")},
			want: "unreleased (commit abc, go1.26.8)", id: "abc",
		},
		"before any release": {
			info: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.0.0-20261126000000-abcdefabcdef+dirty"}, Settings: vcs("true")},
			want: "unreleased (commit abc+dirty, go1.26.8)", id: "abc+dirty",
		},
		"with changes in it": {
			info: debug.BuildInfo{GoVersion: "go1.26.8", Settings: vcs("true")},
			want: "unreleased (commit abc+dirty, go1.26.8)", id: "abc+dirty",
		},
		"nobody knows": {want: "unreleased (commit unknown, unknown Go)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := buildOf(&tc.info, tc.release, tc.commit)
			require.Equal(t, tc.want, b.String())
			require.Equal(t, tc.id, b.ID())
		})
	}
}
