package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/dial"
)

// Interruptible returns a context that ends with the signals that ask a process to stop. That of a
// closed terminal is among them, unless it is already ignored: nohup does that to keep a process
// running.
func Interruptible() (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), signals...)
}

// WatchConnections makes the process's default transport watch its connections, as dial.Watch says:
// LiveKit's SDK uses it, and takes no other. It is for a main, before anything else: clients keep
// the transport that they find.
func WatchConnections() {
	t := http.DefaultTransport.(*http.Transport).Clone() // one that was used would keep its HTTP/2 settings
	dial.Watch(t)
	http.DefaultTransport = t
}

// WorkerMain runs the worker process: the worker, and metrics and health on the admin address.
func WorkerMain(ctx context.Context, environ map[string]string) error {
	a, err := Open(Options{Environ: environ, Role: config.Worker})
	if err != nil {
		return err
	}
	var ready atomic.Bool
	return a.run(ctx, ready.Load, func(ctx context.Context) error {
		return a.RunWorker(ctx, func() { ready.Store(true); a.log.Info("worker ready") })
	})
}

// ServeMain runs the starter's server process: the door on its address, and metrics on the admin
// address.
func ServeMain(ctx context.Context, environ map[string]string) error {
	a, err := Open(Options{Environ: environ, Role: config.Serve})
	if err != nil {
		return err
	}
	door, err := a.Door()
	if err != nil {
		return err
	}
	l, err := Listen("REELKEEPER_LISTEN", a.cfg.Door.Listen)
	if err != nil {
		return err
	}
	a.log.Info("serving", "address", l.Addr().String(), "publicURL", a.cfg.Door.PublicURL)
	return a.run(ctx, func() bool { return true }, func(ctx context.Context) error {
		var reporting sync.WaitGroup
		defer reporting.Wait()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		reporting.Go(func() { a.Report(ctx) })
		return Serve(ctx, l, door)
	})
}

// run runs a process's main part, with metrics and health on the admin address.
func (a *App) run(ctx context.Context, ready func() bool, part func(context.Context) error) error {
	admin, err := Listen("REELKEEPER_ADMIN_LISTEN", a.cfg.Door.AdminListen)
	if err != nil {
		return err
	}
	h, err := a.Admin(ready)
	if err != nil {
		return err
	}
	return errors.Join(a.beside(ctx, admin, h, part), a.Close())
}

// beside runs the admin server alongside a part. It stops after the part, and stops the part if it
// fails, since a process that nobody can monitor must be restarted.
func (a *App) beside(ctx context.Context, admin net.Listener, h http.Handler, part func(context.Context) error) error {
	adminCtx, endAdmin := context.WithCancel(context.WithoutCancel(ctx))
	ctx, endPart := context.WithCancel(ctx)
	defer endPart()
	var served error
	var serving sync.WaitGroup
	serving.Go(func() {
		defer endPart()
		served = a.stopped(Serve(adminCtx, admin, h))
	})
	err := a.stopped(part(ctx))
	endAdmin()
	serving.Wait()
	return errors.Join(err, served)
}

// stopped returns nil if we were asked to end.
func (a *App) stopped(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, errCut):
		a.log.Warn("stopping", "error", err)
		return nil
	}
	return err
}

// Exit prints one line for an error and returns the exit status: 0 clean, 1 our failure, 2 invalid
// input from the user.
func Exit(stderr io.Writer, name string, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; ")) // joined errors have a line each
	if egress.ReasonOf(err) == egress.Invalid {
		return 2
	}
	return 1
}
