package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// mediaDir is where the fake LiveKit writes its recordings.
func (i *instance) mediaDir() string { return filepath.Join(i.place.State, "media") }

// mediaBelow writes media below a directory. It skips absolute paths: a real LiveKit would write
// those on its own machine.
func mediaBelow(dir string) func(string, []byte) error {
	return func(path string, media []byte) error {
		if !filepath.IsLocal(path) {
			return fmt.Errorf("%s is not below %s", path, dir)
		}
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		return os.WriteFile(path, media, 0o600)
	}
}
