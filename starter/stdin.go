package main

import (
	"context"
	"io"
)

// interruptible is standard input until ctx ends: who reads a terminal would else wait for a
// line, whatever signal comes.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

// Read leaves what it has begun to read to itself when ctx ends, and what it reads then is lost.
func (i interruptible) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	own := make([]byte, len(p)) // p is its caller's again once we return
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
