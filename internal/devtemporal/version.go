package devtemporal

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// versionLimit bounds `--version`; a 150 MB binary takes a moment for a cold start.
const versionLimit = 20 * time.Second

// oldestServer is the oldest server for which a Temporal CLI is accepted: from this version on,
// update-with-start, user metadata and priorities are on by default.
var oldestServer = version{1, 29, 0}

// version is the version of a Temporal server: major, minor, patch.
type version [3]int

// String returns the version as Temporal writes it.
func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

func (v version) older(than version) bool {
	for i := range v {
		if v[i] != than[i] {
			return v[i] < than[i]
		}
	}
	return false
}

// serverPart matches how both binaries report the server that they contain, as in `temporal version
// 1.5.1 (Server 1.29.1, UI 2.42.1)`.
var serverPart = regexp.MustCompile(`\(Server v?(\d+)\.(\d+)\.(\d+)`)

// serverVersion asks a binary which Temporal server it contains.
func serverVersion(ctx context.Context, binary string) (version, error) {
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	output, err := exec.CommandContext(ctx, binary, "--version").Output()
	if err != nil {
		return version{}, fmt.Errorf("%s --version: %w", binary, err)
	}
	return parseVersion(string(output))
}

func parseVersion(output string) (version, error) {
	parts := serverPart.FindStringSubmatch(output)
	if parts == nil {
		return version{}, fmt.Errorf("no Temporal server version in %q", strings.TrimSpace(output))
	}
	var v version
	for i := range v {
		number, err := strconv.Atoi(parts[i+1])
		if err != nil {
			return version{}, fmt.Errorf("read server version: %w", err)
		}
		v[i] = number
	}
	return v, nil
}

// DBFilename returns the database file in stateDir for the server in binary, such as
// temporal-1.32.1.db. The name includes the server's version because Temporal has no migrations for
// SQLite: another version gets another file, and the old one keeps working with the old binary.
func DBFilename(ctx context.Context, stateDir, binary string) (string, error) {
	v, err := serverVersion(ctx, binary)
	if err != nil {
		return "", fmt.Errorf("name the database file: %w", err)
	}
	return filepath.Join(stateDir, "temporal-"+v.String()+".db"), nil
}
