package gateway

import (
	"bytes"
	"sync"
)

// Lines is a log that can be read while it is written. It is exported for the external tests.
type Lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the log.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is the log so far.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
