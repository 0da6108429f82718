package devtemporal

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// tail passes on what is written to it, and keeps the last lines for an error to quote.
type tail struct {
	mu    sync.Mutex
	next  io.Writer
	limit int
	lines []string
	rest  []byte // A line that has not ended yet.
}

func newTail(next io.Writer, limit int) *tail {
	return &tail{next: next, limit: limit}
}

// Write keeps and passes on p. A failing reader must not stop the child, so its error is ignored.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.next.Write(p)
	t.rest = append(t.rest, p...)
	for {
		line, rest, ended := bytes.Cut(t.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		t.lines = append(t.lines, string(line))
		t.rest = rest
		if len(t.lines) > t.limit {
			t.lines = t.lines[1:]
		}
	}
}

// String returns the last lines, or says that there are none.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(strings.Join(t.lines, "\n") + "\n" + string(t.rest))
	if text == "" {
		return "it wrote nothing"
	}
	return text
}
