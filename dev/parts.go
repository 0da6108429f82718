package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
)

// serve runs an HTTP server as a part of the instance.
func (i *instance) serve(what string, port int, h http.Handler) error {
	l, err := listen(what, port)
	if err != nil {
		return err
	}
	i.parts.Go(func() error { return app.Serve(i.ctx, l, h) })
	return nil
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lockState creates the state's folder and locks it, so that two instances never share one. The
// lock ends with the process, however that ends, and with its Temporal, which holds it too.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, egress.Invalidf("--state", "%v", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, egress.Invalidf("--state", "%v", err)
	}
	if err := hold(f, dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func hold(lock *os.File, dir string) error {
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return nil
	}
	return egress.Invalidf("--state", "%s is in use by another dev, or by the Temporal of one that was killed; lsof %s finds it; to run beside it, give another --state and --port-base", dir, lock.Name())
}

// inUse reports a state that another instance holds, and does not touch it.
func inUse(dir string) error {
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return nil //nolint:nilerr // no instance has run there, or lockState will report the problem
	}
	return errors.Join(hold(lock, dir), lock.Close())
}
