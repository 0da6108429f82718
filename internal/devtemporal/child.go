package devtemporal

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// stopGrace is how long a child may take to end by itself before it is killed.
	stopGrace = 10 * time.Second
	// tailLines is how much of a child's stderr an error quotes.
	tailLines = 10
)

// child is a server that runs as a child process.
type child struct {
	name     string // its name in errors
	command  *exec.Cmd
	stderr   *tail
	stopping atomic.Bool
	done     chan struct{}
	exit     error // Set before done is closed.
}

// newChild makes a child that is not yet started. Its stderr goes to log, too.
func newChild(name string, command *exec.Cmd, log io.Writer) *child {
	c := &child{name: name, command: command, stderr: newTail(log, tailLines), done: make(chan struct{})}
	command.Stderr = c.stderr
	command.SysProcAttr = childAttributes()
	// Something that the child left behind may hold stderr open; that must not block us.
	command.WaitDelay = time.Second
	return c
}

// spawn starts the child and watches it. The goroutine keeps its OS thread for the child's whole
// life, because Linux sends the parent-death signal when the *thread* that forked ends, and Go ends
// threads at will.
func (c *child) spawn() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.command.Start()
		started <- err
		if err != nil {
			return
		}
		c.exit = c.command.Wait()
		close(c.done)
	}()
	return <-started
}

// Done is closed when the server has ended, for whatever reason.
func (c *child) Done() <-chan struct{} { return c.done }

// Err says why the server ended by itself, with the last lines of its output. It is nil while the
// server runs, and after Stop or Kill.
func (c *child) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if c.stopping.Load() {
		return nil
	}
	reason := "exit status 0"
	if c.exit != nil {
		reason = c.exit.Error()
	}
	return fmt.Errorf("%s ended by itself (%s): %s", c.name, reason, c.stderr)
}

// Stop ends the server and waits for it. A server that does not end within 10 s, or before ctx
// does, is killed, which is reported as the error; nothing is lost by that. If the server had
// already ended by itself, Stop returns Err.
func (c *child) Stop(ctx context.Context) error {
	select {
	case <-c.done:
		return c.Err()
	default:
	}
	c.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := terminate(c.command.Process); err == nil {
		select {
		case <-c.done:
			return nil
		case <-ctx.Done():
		}
	}
	c.Kill()
	return fmt.Errorf("%s did not stop in time and was killed", c.name)
}

// Kill ends the server as `kill -9` does, and waits until it is gone.
func (c *child) Kill() {
	c.stopping.Store(true)
	_ = c.command.Process.Kill() // It fails only if the process has already ended.
	<-c.done
}

// awaitUp retries until the server answers, until it has ended, or until ctx has.
func (c *child) awaitUp(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-c.done:
		case <-ctx.Done():
		}
	}()
	err := try(ctx)
	if ended := c.Err(); ended != nil {
		return ended
	}
	if err != nil {
		return fmt.Errorf("wait for %s: %w; it said: %s", c.name, err, c.stderr)
	}
	return nil
}
