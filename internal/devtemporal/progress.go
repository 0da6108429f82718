package devtemporal

import (
	"bytes"
	"fmt"

	"sync/atomic"
	"time"
)

// buildOutput counts the output of `go build -v`: one line for each module that it fetches and for
// each package that it compiles.
type buildOutput struct {
	tail     *tail
	modules  atomic.Int64
	packages atomic.Int64
}

// Write counts the lines that end in p. The go command writes whole lines.
func (b *buildOutput) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if bytes.HasPrefix(line, []byte("go: downloading ")) {
			b.modules.Add(1)
		} else {
			b.packages.Add(1)
		}
	}
	return b.tail.Write(p)
}

// String returns one line about the progress of the build.
func (b *buildOutput) String() string {
	packages, modules := b.packages.Load(), b.modules.Load()
	switch {
	case packages > 0:
		return fmt.Sprintf("%d packages compiled", packages)
	case modules > 0:
		return fmt.Sprintf("%d modules fetched", modules)
	default:
		return "begun"
	}
}

// report writes a line at an interval until it is stopped.
func (f *finder) report(output *buildOutput, begin time.Time, every time.Duration) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				fmt.Fprintf(f.progress, "  %4.0f s: %s\n", time.Since(begin).Seconds(), output)
			}
		}
	}()
	return func() { close(quit); <-ended }
}
