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

// rootModule is the module that the others are nested in.
const rootModule = "github.com/reelkeeper/reelkeeper"

// errNoSource tells where a nested module is looked for.
var errNoSource = errors.New("it is built from Reelkeeper's source tree: run this within that")

// findSource looks for the folder of a nested module from each of the folders upwards.
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

// fingerprint is a short hash of everything that decides what a build of source makes: its versions,
// the toolchain and, for a program of its own and not of one of its versions, its files but for the
// tests.
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
