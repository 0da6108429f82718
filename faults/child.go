package main

import (
	"io"
	"os/exec"
	"runtime"
	"syscall"
)

// running is a part that is running and can be killed as by the kernel.
type running interface {
	Kill()
	Done() <-chan struct{}
	Err() error
}

// child is a process that we started.
type child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// spawn starts a process with only the given environment. Its goroutine keeps its thread, since
// Linux kills a child when the thread that started it ends.
func spawn(path string, args, environ []string, log io.Writer) (*child, error) {
	c := &child{cmd: exec.Command(path, args...), done: make(chan struct{})}
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = environ, log, log
	c.cmd.SysProcAttr = childAttributes()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
			close(c.done)
		}
	}()
	return c, <-started
}

// Kill kills the process and waits until it is gone.
func (c *child) Kill() {
	_ = c.cmd.Process.Kill() // it may already be gone
	<-c.done
}

// Ask asks the process to stop.
func (c *child) Ask() { _ = c.cmd.Process.Signal(syscall.SIGTERM) }

// Done is closed when the process has ended.
func (c *child) Done() <-chan struct{} { return c.done }

// Err says how the process ended, once it has.
func (c *child) Err() error { return c.err }
