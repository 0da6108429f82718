package reallivekit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// process is one running role.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first string // the first line of its output
	done  chan struct{}
}

// spawn starts a role and waits for its first line.
func spawn(ctx context.Context, dir string, log io.Writer, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = dir, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin, done: make(chan struct{})}
	line := make(chan string, 1)
	go func() {
		defer close(p.done)
		r := bufio.NewReader(stdout)
		text, _ := r.ReadString('\n') // a role that ends without output yields an empty line
		line <- strings.TrimSpace(text)
		_, _ = io.Copy(io.Discard, r)
		_ = cmd.Wait() // its log says how it ended
	}()
	select {
	case p.first = <-line:
	case <-ctx.Done():
		p.kill()
		return nil, fmt.Errorf("%s did not begin: %w", args[0], ctx.Err())
	}
	if p.first == "" {
		p.kill()
		return nil, fmt.Errorf("%s ended before it began", args[0])
	}
	return p, nil
}

// stop ends a role by closing its standard input, and waits for it.
func (p *process) stop() {
	_ = p.stdin.Close()
	<-p.done
}

// kill ends a role as kill -9 does, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.stdin.Close()
	<-p.done
}

// killChild kills the process whose ID the role has reported, after which the role ends.
func (p *process) killChild() error {
	var pid int
	if _, err := fmt.Sscan(p.first, &pid); err != nil {
		return fmt.Errorf("process ID %q: %w", p.first, err)
	}
	child, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	err = child.Kill()
	<-p.done
	return err
}

// record keeps the processes' output.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

// String returns all output.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
