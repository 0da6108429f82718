package main

import (
	"fmt"
	"io"
	"os"
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/progress"

	"github.com/reelkeeper/reelkeeper/app"
)

// progress shows how far a demo is: a bar on a terminal that can draw one, plain lines elsewhere.
type progress struct {
	out   io.Writer
	bar   pretty.Writer // nil where there is no terminal
	ended *pretty.Tracker
}

func newProgress(w io.Writer, total int) progress {
	p := progress{out: w}
	if !app.Watched(w, os.Getenv("TERM")) {
		return p
	}
	p.bar = pretty.NewWriter()
	p.bar.SetOutputWriter(w)
	p.bar.SetUpdateFrequency(100 * time.Millisecond)
	p.bar.SetAutoStop(false)
	p.ended = &pretty.Tracker{Message: "recordings delivered", Total: int64(total)}
	p.bar.AppendTracker(p.ended)
	go p.bar.Render()
	return p
}

func (p progress) say(format string, args ...any) {
	if p.bar != nil {
		p.bar.Log(format, args...)
		return
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p progress) done(format string, args ...any) {
	p.say(format, args...)
	if p.ended != nil {
		p.ended.Increment(1)
	}
}

func (p progress) stop() {
	if p.bar != nil {
		p.bar.Stop()
	}
}
