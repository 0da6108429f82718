package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/livekit/protocol/auth"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// Door is the starter's own handler: the webhook endpoint and health. Its readiness
// does not depend on Temporal: while that is down, webhooks are answered 503, which
// LiveKit repeats.
func (a *App) Door() (http.Handler, error) {
	hooks, err := webhook.New(webhook.Config{
		Keys:     auth.NewFileBasedKeyProviderFromMap(a.cfg.LiveKit.AllKeys()),
		Previous: a.cfg.Sealing.PreviousSecrets,
		MACs:     a.keys,
		Signaler: a.recordings,
		Finder:   a.recordings,
		Adopter:  a.recordings,
		Log:      a.log,
		Meter:    a.tel.Meter("webhook"),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(egress.WebhookPath, hooks)
	mux.Handle(egress.WebhookPath+"/", hooks)
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	return mux, nil
}

// Admin is what only operators should reach: metrics, and health for a process
// that has no door.
func (a *App) Admin(ready func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.tel.Handler())
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		ok(w, r)
	})
	return mux
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("ok\n")) // whoever asked is gone: nothing to do
}

// Listen binds an address that a setting names.
func Listen(variable, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &egress.Error{Reason: egress.Invalid, Field: variable, Message: err.Error(), Err: err}
	}
	return l, nil
}

// ServeHTTP serves until the context ends, then lets requests under way finish.
func ServeHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		return s.Shutdown(ctx)
	})
	return g.Wait()
}
