package main

import (
	"context"
	"io"
)

// interruptible is standard input until ctx ends: a read from a terminal would otherwise wait for a
// line, whatever signal arrives.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

// Read returns when ctx ends. The read in progress continues alone, and its data is lost.
func (i interruptible) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	own := make([]byte, len(p)) // p belongs to the caller again once we return
	done := make(chan result, 1)
	go func() {
		n, err := i.in.Read(own)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return copy(p, own[:r.n]), r.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}
