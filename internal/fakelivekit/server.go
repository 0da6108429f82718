package fakelivekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/auth"
)

// Server is a fake LiveKit. It is safe for concurrent use.
type Server struct {
	cfg     Config
	timings Timings
	log     *slog.Logger
	keys    auth.KeyProvider
	dice    *dice
	courier *courier
	chron   *chronicle
	calls   counters
	ordinal atomic.Uint64 // of API calls
	down    atomic.Bool
	hold    gate

	mu       sync.Mutex // guards everything below, and every egress and room
	agenda   *agenda
	journal  *journal
	rooms    map[string]*room
	egresses map[string]*egress
	byRoom   map[string][]*egress
	accepted []*egress
	starts   uint64
	outbox   []func() // see send
	silent   bool     // while it catches up with what happened during a downtime
	stopped  bool

	closing chan struct{}
	done    chan struct{}
	http    *http.Server
	addr    atomic.Pointer[string]
}

// New makes a server and, if Config.StateFile has content, continues the lives in it where they would be by now: what
// became due while no server ran has happened, but is no longer announced. It serves nothing before Start or Serve.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("fakelivekit: %w", err)
	}
	s := &Server{
		cfg: cfg, timings: cfg.Timings, log: cfg.Log,
		keys:     auth.NewFileBasedKeyProviderFromMap(cfg.keys()),
		dice:     newDice(cfg.Seed, cfg.Faults),
		agenda:   newAgenda(),
		rooms:    map[string]*room{},
		egresses: map[string]*egress{},
		byRoom:   map[string][]*egress{},
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	var err error
	if s.chron, err = openChronicle(cfg.Chronicle, cfg.Log); err != nil {
		return nil, fmt.Errorf("fakelivekit: %w", err)
	}
	s.courier = newCourier(cfg, s.keys, s.dice, s.chron)
	s.http = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)}
	if err := s.restore(); err != nil {
		s.courier.stop()
		return nil, fmt.Errorf("fakelivekit: %w", errors.Join(err, s.chron.close()))
	}
	go s.live()
	return s, nil
}

// Start listens on Config.Addr and serves in the background.
func (s *Server) Start() error {
	l, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("fakelivekit: %w", err)
	}
	if err := s.bind(l); err != nil {
		return err
	}
	go func() {
		if err := s.serve(l); err != nil {
			s.log.Error("fake LiveKit stopped serving", "error", err)
		}
	}()
	return nil
}

// Serve serves on the caller's listener until Close, and then returns nil. It refuses a listener that is not on a loopback
// address.
func (s *Server) Serve(l net.Listener) error {
	if err := s.bind(l); err != nil {
		return err
	}
	return s.serve(l)
}

// bind takes a listener's address as the server's own, or rejects it.
func (s *Server) bind(l net.Listener) error {
	if err := checkLoopback(l.Addr().String()); err != nil {
		return errors.Join(fmt.Errorf("fakelivekit: listener: %w", err), l.Close())
	}
	url := "http://" + l.Addr().String()
	s.addr.Store(&url)
	return nil
}

// serve serves until the server closes.
func (s *Server) serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("fakelivekit: serve: %w", err)
	}
	return nil
}

// URL is the server's URL, as LIVEKIT_URL needs it. It is empty before Start or Serve.
func (s *Server) URL() string {
	if url := s.addr.Load(); url != nil {
		return *url
	}
	return ""
}

// Close ends the server and drops everything queued: LiveKit's notifier keeps its events in memory, and a graceful stop
// loses them, too (livekit-sigterm-queued). Rooms and egresses stay in Config.StateFile.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil
	}
	s.stopped = true
	s.mu.Unlock()
	close(s.closing)
	<-s.done
	err := s.http.Close()
	s.courier.stop()
	return errors.Join(err, s.journal.close(), s.chron.close())
}

// live performs planned steps, each at its time, until the server closes.
func (s *Server) live() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.agenda.wake:
		case <-timer.C:
		}
		s.mu.Lock()
		wait := s.catchUp(time.Now())
		s.mu.Unlock()
		timer.Reset(wait)
	}
}

// catchUp performs everything that is due, and returns how long there is nothing to do.
func (s *Server) catchUp(now time.Time) time.Duration {
	for {
		next, wait, ok := s.agenda.due(now)
		if !ok {
			return wait
		}
		next.of.perform(s, next.step)
		s.flush()
	}
}

// pause waits for one of the server's own durations; it returns an error if the server closes or the caller has
// gone.
func (s *Server) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
}

var errClosed = errors.New("fakelivekit: server is closed")
