package devtemporal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// installation makes folders with the named programs of PostgreSQL.
func installation(t *testing.T, root, version string, programs ...string) string {
	t.Helper()
	folder := filepath.Join(root, version, "bin")
	must(t, os.MkdirAll(folder, 0o755))
	for _, name := range programs {
		must(t, os.WriteFile(filepath.Join(folder, name), nil, 0o755))
	}
	return folder
}

func TestTheNewestWholePostgreSQLIsTaken(t *testing.T) {
	t.Parallel()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	whole := []string{"initdb", "postgres", "pg_isready", "psql"}
	installation(t, root, "9", whole...)
	newest := installation(t, root, "15", whole...)
	installation(t, root, "17", "initdb", "psql") // Those of a client, and leftovers.
	elsewhere := installation(t, t.TempDir(), "14", whole...)
	linked := filepath.Join(t.TempDir(), "initdb")
	must(t, os.Symlink(filepath.Join(elsewhere, "initdb"), linked))
	elsewhere, err = filepath.EvalSymlinks(elsewhere)
	must(t, err)

	nowhere := func(string) (string, error) { return "", exec.ErrNotFound }
	onPath := func(string) (string, error) { return linked, nil }
	for name, tc := range map[string]struct {
		lookPath func(string) (string, error)
		pattern  string
		want     string
	}{
		"off the PATH":                {nowhere, filepath.Join(root, "*", "bin"), newest},
		"on the PATH, behind a link":  {onPath, filepath.Join(root, "*", "bin"), elsewhere},
		"on the PATH, and none other": {onPath, filepath.Join(root, "none", "*"), elsewhere},
	} {
		got, err := postgresPrograms(tc.lookPath, tc.pattern)
		if err != nil || got != tc.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, tc.want)
		}
	}
	if got, err := postgresPrograms(nowhere, filepath.Join(root, "17", "bin")); !errors.Is(err, ErrNoPostgres) {
		t.Errorf("a client alone is taken for a server: %s, %v", got, err)
	}
}
