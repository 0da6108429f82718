package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// mediaDir is where the fake LiveKit writes what its egresses record.
func (i *instance) mediaDir() string { return filepath.Join(i.place.State, "media") }

// mediaBelow writes media below a directory. A path from the root on is left alone: it is
// where a real LiveKit would write, on a machine of its own.
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
