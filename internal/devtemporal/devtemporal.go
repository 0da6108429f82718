// Package devtemporal finds or builds a development Temporal server and runs it as a child process.
// The server is `temporal server start-dev` of the user's own CLI, or the equivalent built from the
// devserver folder of this repository. For tests against what production runs on, there is also a
// Cluster: Temporal's own server on PostgreSQL. The package is for `dev` and for tests: nothing that
// serves production may depend on it, and it never links the Temporal server into the calling
// program.
package devtemporal

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

// startLimit bounds the time from the child's start until it serves. That takes 0.1–1.1 s on two
// cores; a loaded machine may be many times slower.
const startLimit = 60 * time.Second

// Options configure the development server. The zero value is a server in memory, with its UI, on
// free loopback ports.
type Options struct {
	// Path is the server's binary. Defaults to the result of the function Path.
	Path string
	// IP is the address to listen on. Defaults to 127.0.0.1.
	IP string
	// Port is the gRPC port. 0 means a free one.
	Port int
	// UIPort is the port of the web UI. 0 means a free one.
	UIPort int
	// Headless disables the web UI.
	Headless bool
	// DBFilename is the SQLite file that outlives the process; the function DBFilename makes a
	// suitable name. Its folder must exist. Empty means in memory.
	DBFilename string
	// Namespace is created if it is missing. Defaults to "default", which always exists.
	Namespace string
	// SearchAttributes are created if they are missing: name to type, as in "Keyword" or "Bool".
	SearchAttributes map[string]string
	// Args are additional flags of start-dev, such as --dynamic-config-value.
	Args []string
	// Hold are files that the server keeps open, and with them their locks, for its whole life: even
	// after a kill -9 of this process, after which not every system ends the server.
	Hold []*os.File
	// Log receives the server's stderr. Nil discards it; errors still quote its last lines.
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

	*child
}

// Start runs a development server and returns once its namespace and search attributes are usable.
// The child outlives ctx, which bounds only the start; on Linux it dies with this process. It does
// not see the terminal's Ctrl-C, since its user has to stop first: call Stop.
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
	free, err := LastingPorts(2)
	if err != nil {
		return o, err
	}
	o.Port, o.UIPort = cmp.Or(o.Port, free[0]), cmp.Or(o.UIPort, free[1])
	return o, nil
}

// arguments returns the command line, as `temporal server start-dev` spells it.
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
		child:   newChild("the development Temporal server", exec.Command(opts.Path, opts.arguments()...), opts.Log),
	}
	s.command.ExtraFiles = opts.Hold
	if !opts.Headless {
		s.UIURL = "http://" + net.JoinHostPort(opts.IP, strconv.Itoa(opts.UIPort))
	}
	return s
}
