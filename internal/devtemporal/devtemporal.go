// Package devtemporal finds or builds a development Temporal server and runs it as a child process.
// The server is `temporal server start-dev` of the user's own CLI, or the same thing built from the
// devserver folder of this repository. It is for `dev` and for tests: nothing that serves production
// may depend on it, and it never links the Temporal server into the calling program.
package devtemporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// startLimit bounds the time from the child's start until it serves. It takes 0.1–1.1 s on two
	// cores; a loaded machine may be many times slower.
	startLimit = 60 * time.Second
	// stopGrace is how long the child may take to end by itself before it is killed.
	stopGrace = 10 * time.Second
	// tailLines is how much of the child's stderr an error quotes.
	tailLines = 10
)

// Options say how the development server runs. The zero value is a server in memory, with its UI,
// on free ports of loopback.
type Options struct {
	// Path is the server's binary. Defaults to what the function Path finds or builds.
	Path string
	// IP is the address to listen on. Defaults to 127.0.0.1.
	IP string
	// Port is the gRPC port. 0 means a free one.
	Port int
	// UIPort is the port of the web UI. 0 means a free one.
	UIPort int
	// Headless leaves the web UI out.
	Headless bool
	// DBFilename is the SQLite file that outlives the process; DBFilename, the function, makes a
	// good name. Its folder must exist. Empty means in memory.
	DBFilename string
	// Namespace is made if it is missing. Defaults to "default", which always exists.
	Namespace string
	// SearchAttributes are made if they are missing: name to type, as in "Keyword" or "Bool".
	SearchAttributes map[string]string
	// Args are more flags of start-dev, such as --dynamic-config-value.
	Args []string
	// Log receives the server's stderr. Nil discards it; errors quote its last lines all the same.
	Log io.Writer
	// Progress receives what a person should know while the server is built. Nil discards it.
	Progress io.Writer
}

// Server is a running development server.
type Server struct {
	// Address is host:port of the gRPC frontend.
	Address string
	// UIURL is where a browser finds the web UI. Empty if headless.
	UIURL string

	command  *exec.Cmd
	stderr   *tail
	stopping atomic.Bool
	done     chan struct{}
	exit     error // Set before done is closed.
}

// Start runs a development server and returns once its namespace and search attributes can be used.
// The child outlives ctx, which bounds only the start; it dies with this process on Linux. It does
// not see the terminal's Ctrl-C, since whoever uses it has to stop first: call Stop.
func Start(ctx context.Context, opts Options) (*Server, error) {
	opts, err := opts.withDefaults(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := awaitFreePorts(ctx, opts); err != nil {
		return nil, err
	}
	s := newServer(opts)
	if err := s.spawn(); err != nil {
		return nil, fmt.Errorf("start %s: %w", opts.Path, err)
	}
	if err := s.awaitReady(ctx, opts); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

func (o Options) withDefaults(ctx context.Context) (Options, error) {
	o.IP = cmp.Or(o.IP, "127.0.0.1")
	o.Namespace = cmp.Or(o.Namespace, "default")
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	var err error
	if o.Path == "" {
		if o.Path, err = Path(ctx, o.Progress); err != nil {
			return o, err
		}
	}
	free, err := freePorts(o.IP, 2)
	if err != nil {
		return o, err
	}
	o.Port, o.UIPort = cmp.Or(o.Port, free[0]), cmp.Or(o.UIPort, free[1])
	return o, nil
}

// arguments is the command line, in the spelling of `temporal server start-dev`.
func (o Options) arguments() []string {
	args := []string{"server", "start-dev", "--ip", o.IP, "--port", strconv.Itoa(o.Port), "--namespace", o.Namespace}
	if o.Headless {
		args = append(args, "--headless")
	} else {
		args = append(args, "--ui-port", strconv.Itoa(o.UIPort))
	}
	if o.DBFilename != "" {
		args = append(args, "--db-filename", o.DBFilename)
	}
	for _, name := range slices.Sorted(maps.Keys(o.SearchAttributes)) {
		args = append(args, "--search-attribute", name+"="+o.SearchAttributes[name])
	}
	return append(args, o.Args...)
}

func newServer(opts Options) *Server {
	s := &Server{
		Address: net.JoinHostPort(opts.IP, strconv.Itoa(opts.Port)),
		stderr:  newTail(opts.Log, tailLines),
		command: exec.Command(opts.Path, opts.arguments()...),
		done:    make(chan struct{}),
	}
	if !opts.Headless {
		s.UIURL = "http://" + net.JoinHostPort(opts.IP, strconv.Itoa(opts.UIPort))
	}
	s.command.Stderr = s.stderr
	s.command.SysProcAttr = childAttributes()
	// Something that the child left behind may hold stderr open; that must not hold us up.
	s.command.WaitDelay = time.Second
	return s
}

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says why the server ended by itself, with the last lines that it wrote. It is nil while the
// server runs, and after Stop or Kill.
func (s *Server) Err() error {
	select {
	case <-s.done:
	default:
		return nil
	}
	if s.stopping.Load() {
		return nil
	}
	reason := "exit status 0"
	if s.exit != nil {
		reason = s.exit.Error()
	}
	return fmt.Errorf("the development Temporal server ended by itself (%s): %s", reason, s.stderr)
}

// Stop ends the server and waits for it. One that does not end within 10 s, or before ctx does, is
// killed, which is the error; nothing is lost by that. A server that has ended by itself before
// returns Err.
func (s *Server) Stop(ctx context.Context) error {
	select {
	case <-s.done:
		return s.Err()
	default:
	}
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := terminate(s.command.Process); err == nil {
		select {
		case <-s.done:
			return nil
		case <-ctx.Done():
		}
	}
	s.Kill()
	return errors.New("the development Temporal server did not stop in time and was killed")
}

// Kill ends the server as `kill -9` does, and waits until it is gone.
func (s *Server) Kill() {
	s.stopping.Store(true)
	_ = s.command.Process.Kill() // It fails only if the process has ended.
	<-s.done
}
