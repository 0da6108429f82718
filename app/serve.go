package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/livekit"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// Door is the starter's handler: the front door for agents, the webhook endpoint and health. Its
// readiness does not depend on Temporal: while Temporal is down, starts go straight to LiveKit, and
// webhooks are answered with 503, after which LiveKit retries.
func (a *App) Door() (http.Handler, error) {
	agents, err := a.agents()
	if err != nil {
		return nil, err
	}
	hooks, err := webhook.New(webhook.Config{
		Keys:       auth.NewFileBasedKeyProviderFromMap(a.cfg.LiveKit.AllKeys()),
		Previous:   a.cfg.Sealing.PreviousSecrets,
		MACs:       a.keys,
		Recordings: a.recordings,
		Figures:    a.figures,
		Log:        a.log,
		Meter:      a.tel.Meter("webhook"),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	return webhooksFirst(hooks, besides(mux, agents)), nil
}

// Report tells Temporal the state of Door's webhook endpoint until the context ends. It runs
// alongside the door, and delays its end by a second at most.
func (a *App) Report(ctx context.Context) { webhook.Report(ctx, a.figures, a.recordings, a.log) }

// webhooksFirst passes everything at or below the webhooks' path to their handler, however it is
// spelled: with two leading slashes, where a proxy or a URL added one, or with a trailing one.
// LiveKit would answer an event with 401, which its sender takes for delivered.
func webhooksFirst(hooks, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spelled := "/" + strings.TrimLeft(r.URL.Path, "/")
		if spelled != egress.WebhookPath && !strings.HasPrefix(spelled, egress.WebhookPath+"/") {
			rest.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = spelled, ""
		hooks.ServeHTTP(w, r)
	})
}

// besides serves what a mux has a pattern for, and passes everything else to a handler unchanged: a
// mux would redirect paths that are not clean.
func besides(mux *http.ServeMux, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean(r.URL.Path) == r.URL.Path {
			if _, pattern := mux.Handler(r); pattern != "" {
				mux.ServeHTTP(w, r)
				return
			}
		}
		rest.ServeHTTP(w, r)
	})
}

// freshList is well below the second between a worker's last moment for a start and the door's own:
// an older list would miss what the worker began.
const freshList = 100 * time.Millisecond

// agents returns the door that agents use as if it were LiveKit.
func (a *App) agents() (http.Handler, error) {
	upstream, err := url.Parse(livekit.HTTPURL(a.cfg.LiveKit.URL))
	if err != nil {
		return nil, &egress.Error{Reason: egress.Invalid, Field: "LIVEKIT_URL", Message: err.Error()}
	}
	return gateway.New(gateway.Config{
		Keys:           auth.NewFileBasedKeyProviderFromMap(a.cfg.LiveKit.AllKeys()),
		Recordings:     durable{a.recordings, a.keys},
		LiveKit:        a.livekit(freshList),
		Marker:         a.keys,
		Upstream:       upstream,
		PublicURL:      a.cfg.Door.PublicURL,
		SigningKey:     a.cfg.LiveKit.APIKey,
		RequestTimeout: a.cfg.Door.RequestTimeout,
		FailOpenAfter:  a.cfg.Door.FailOpenAfter.D(),
		Profiles:       a.profiles,
		DeleteRoomWait: a.cfg.Door.DeleteRoomWait.D(),
		Log:            a.log,
		Meter:          a.tel.Meter("gateway"),
	})
}

// Admin serves what only operators should reach: metrics, health for a process that has no door,
// and the codec endpoint for one that has.
func (a *App) Admin(ready func() bool) (http.Handler, error) {
	mux := http.NewServeMux()
	if a.cfg.Payloads.CodecToken != "" && a.role == config.Serve {
		h, err := codec.Handler(a.payloads, codec.Config{Token: a.cfg.Payloads.CodecToken, Origin: a.cfg.Payloads.CodecOrigin})
		if err != nil {
			return nil, err
		}
		mux.Handle("/codec/", http.StripPrefix("/codec", h))
	}
	mux.Handle("GET /metrics", a.tel.Handler())
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		ok(w, r)
	})
	return mux, nil
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("ok\n")) // if the caller is gone, there is nothing to do
}

// Listen binds the address that a setting names.
func Listen(variable, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &egress.Error{Reason: egress.Invalid, Field: variable, Message: err.Error(), Err: err}
	}
	return l, nil
}

// idleTimeout is longer than proxies and load balancers keep an idle connection, so that none sends
// a request into one that we close: Envoy keeps it for an hour, Cloudflare for 900 s, Google for
// 600 s.
const idleTimeout = 65 * time.Minute

// errCut reports that requests did not end in the time that a stop allows.
var errCut = errors.New("requests were still under way, and were cut")

// Serve serves until the context ends, then lets requests in progress finish. A request has 15 s to
// arrive and 30 s, counted from its header, until its answer has been read. Handlers with long bodies
// or slow answers move these deadlines themselves.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	return serve(ctx, l, h, shutdownGrace)
}

func serve(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: idleTimeout,
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return errors.Join(fmt.Errorf("after %s: %w", grace, errCut), s.Close())
		}
		return err
	})
	return g.Wait()
}
