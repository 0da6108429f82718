package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// releasable returns a repository that release.sh makes a release of, and a PATH with a go that compiles nothing.
func releasable(t *testing.T) (folder, path string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("release.sh is for Linux")
	}
	needs.Tools(t, "git")
	folder, tools := t.TempDir(), t.TempDir()
	for _, name := range []string{"release.sh", "notices.sh", ".gitignore", "LICENSE", "README.md", "CHANGELOG.md"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(read(t, name)), 0o600))
	}
	git(t, folder, "init", "-q")
	git(t, folder, "add", ".")
	git(t, folder, "commit", "-q", "-m", "All of it")
	needs.Executable(t, filepath.Join(tools, "go"), "#!/bin/sh\n[ $1 != env ] || pwd\n")
	return folder, tools + ":" + os.Getenv("PATH")
}

func git(t *testing.T, folder string, args ...string) {
	t.Helper()
	args = append([]string{"-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"}, args...)
	out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// release runs release.sh with its own environment.
func release(t *testing.T, folder string, environ ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "release.sh", "v1.2.3")
	cmd.Dir = folder
	cmd.Env = environ
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAReleaseReplacesOnlyItsOwnFolder(t *testing.T) {
	t.Parallel()
	folder, path := releasable(t)
	theirs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(theirs, "precious"), nil, 0o600))
	out, err := release(t, folder, "PATH="+path, "OUT="+theirs)
	require.Error(t, err, out)
	assert.FileExists(t, filepath.Join(theirs, "precious"))

	for range 2 {
		out, err = release(t, folder, "PATH="+path)
		require.NoError(t, err, out)
		assert.FileExists(t, filepath.Join(folder, "dist", "SHA256SUMS"))
	}
}

func TestAReleaseIsMadeOfItsTag(t *testing.T) {
	t.Parallel()
	folder, path := releasable(t)
	git(t, folder, "update-ref", "refs/tags/v1.2.3", "HEAD")
	out, err := release(t, folder, "PATH="+path)
	require.NoError(t, err, out)
	git(t, folder, "commit", "-q", "--allow-empty", "-m", "The histories")
	out, err = release(t, folder, "PATH="+path)
	require.Error(t, err, out)
	assert.Contains(t, out, "v1.2.3 is ")
}

func TestAReleaseHasNothingThatIsNotCommitted(t *testing.T) {
	t.Parallel()
	folder, path := releasable(t)
	git(t, folder, "config", "status.showUntrackedFiles", "no")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "more.go"), nil, 0o600))
	out, err := release(t, folder, "PATH="+path)
	require.Error(t, err, out)
	assert.Contains(t, out, "the working tree has changes")
}

// A distribution's Go of the same version would give other bytes.
func TestAReleaseIsNotMadeWithAGoWithoutALicence(t *testing.T) {
	t.Parallel()
	folder, path := releasable(t)
	tools := t.TempDir()
	needs.Executable(t, filepath.Join(tools, "go"), "#!/bin/sh\n[ $1 != env ] || echo "+tools+"\n")
	out, err := release(t, folder, "PATH="+tools+":"+path)
	require.Error(t, err, out)
	assert.Contains(t, out, tools+" has no LICENSE")
	assert.NoFileExists(t, filepath.Join(folder, "dist", "SHA256SUMS"))
}

func TestTheMachineDoesNotShowInAnArchive(t *testing.T) {
	t.Parallel()
	folder, path := releasable(t)
	shared := t.TempDir()
	require.NoError(t, os.Chmod(shared, 0o770|os.ModeSetgid))
	plain, err := release(t, folder, "PATH="+path)
	require.NoError(t, err, plain)
	for _, environ := range [][]string{
		{"OUT=" + filepath.Join(shared, "of-a-group")},
		{"TAR_OPTIONS=--format=posix", "GZIP=--rsyncable"},
	} {
		out, err := release(t, folder, append(environ, "PATH="+path)...)
		require.NoError(t, err, out)
		assert.Equal(t, plain, out, "%s", environ)
	}
}

// An archive has no other pages.
func TestAnArchivesPagesLinkToTheirRelease(t *testing.T) {
	t.Parallel()
	folder, path := releasable(t)
	out, err := release(t, folder, "PATH="+path)
	require.NoError(t, err, out)
	archives, err := filepath.Glob(filepath.Join(folder, "dist", "*.tar.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	page, err := exec.CommandContext(t.Context(), "tar", "--extract", "--to-stdout", "--file", archives[0], "--wildcards", "*/README.md").Output()
	require.NoError(t, err)
	links := regexp.MustCompile(`\]\(([^)]*)\)`).FindAllSubmatch(page, -1)
	require.NotEmpty(t, links)
	for _, link := range links {
		require.Regexp(t, `^(https://|#)`, string(link[1]))
	}
	require.Contains(t, string(page), "](https://github.com/reelkeeper/reelkeeper/blob/v1.2.3/docs/architecture.md)")
}
