package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"

	"github.com/reelkeeper/reelkeeper/app"
)

// progress shows how far a demo has come: lines, and below them a bar on a terminal that can draw
// one.
type progress struct {
	out io.Writer
	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

func newProgress(w io.Writer, total int) *progress {
	return &progress{out: w, bar: progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
		progressbar.OptionSetVisibility(app.Watched(w, os.Getenv("TERM"))),
		progressbar.OptionSetDescription("recordings delivered"), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())}
}

// say writes a line. A bar that cannot be drawn is not an error.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Clear()
	fmt.Fprintf(p.out, format+"\n", args...)
	_ = p.bar.RenderBlank()
}

// done writes the last line of a recording.
func (p *progress) done(format string, args ...any) {
	p.say(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Add(1)
}

func (p *progress) stop() { _ = p.bar.Clear() }
