package devtemporal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// rootModule is the module in which the others are nested.
const rootModule = "github.com/reelkeeper/reelkeeper"

// errNoSource says where a nested module is searched for.
var errNoSource = errors.New("it is built from Reelkeeper's source tree: run this within that")

// findSource searches for the folder of a nested module from each of the folders upwards.
func findSource(near []string, folder string) (string, error) {
	for _, dir := range near {
		for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
			source := filepath.Join(dir, filepath.FromSlash(folder))
			if isModule(dir, rootModule) && isModule(source, rootModule+"/"+folder) {
				return source, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errNoSource
}

// isModule reports whether dir is the root of the named Go module.
func isModule(dir, name string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "module" {
			return fields[1] == name
		}
	}
	return false
}

// fingerprint returns a short hash of everything that determines the result of a build: the versions
// of its dependencies, the toolchain and, for a program in the source itself rather than in a
// dependency, its files except for tests.
func fingerprint(source, toolchain string, own bool) (string, error) {
	var files []string
	if own {
		var err error
		if files, err = filepath.Glob(filepath.Join(source, "*.go")); err != nil {
			return "", fmt.Errorf("list %s: %w", source, err)
		}
	}
	files = append(files, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum"))
	hash := sha256.New()
	fmt.Fprintln(hash, toolchain)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("hash the source: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(file), len(text), text)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}
