package fakelivekit

import (
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"

	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
)

// maxBody caps a request. livekit-server has a cap, too, whose size was not recorded.
const maxBody = 4 << 20

// Handler is the whole API, at the root of its host. Serving it elsewhere is the caller's own responsibility: see Config.Addr.
func (s *Server) Handler() http.Handler {
	rooms := roomAPI{s: s}
	mux := http.NewServeMux()
	mux.Handle(livekit.EgressPathPrefix, livekit.NewEgressServer(egressAPI{s}))
	mux.Handle(livekit.RoomServicePathPrefix, livekit.NewRoomServiceServer(rooms, twirp.WithServerHooks(&twirp.ServerHooks{RequestRouted: rooms.routed})))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) })
	return s.meddle(s.authenticate(mux))
}

// spoiled is the fault in one call's reply. The service decides it once it knows the egress.
type spoiled struct {
	fault   Fault
	ordinal uint64
}

// spoiledKey is the context key of the call's spoiled.
type spoiledKey struct{}

// hostKey is the context key of the call's Host.
type hostKey struct{}

// spoil lets a fault of the reply occur.
func spoil(ctx context.Context, e *egress) {
	sp, ok := ctx.Value(spoiledKey{}).(*spoiled)
	if !ok {
		return
	}
	for _, f := range []Fault{ReplyLost, ReplyHang, Reply5xx} {
		if e.has(f) {
			sp.fault, sp.ordinal = f, e.Ordinal
			return
		}
	}
}

// meddle counts calls and lets faults of the connection occur, before and after the service.
func (s *Server) meddle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := s.ordinal.Add(1)
		s.calls.add(path.Base(r.URL.Path))
		if s.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if s.interrupts(w, call) {
			return
		}
		sp := &spoiled{}
		r = r.WithContext(context.WithValue(context.WithValue(r.Context(), spoiledKey{}, sp), hostKey{}, r.Host))
		if err := unzip(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply := httptest.NewRecorder()
		next.ServeHTTP(reply, r)
		s.deliver(w, r, reply, sp)
	})
}

// unzip caps a request's body, and unpacks one that is gzipped: LiveKit accepts both.
func unzip(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.Header.Get("Content-Encoding") != "gzip" {
		return nil
	}
	zip, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	r.Header.Del("Content-Encoding")
	r.Body = http.MaxBytesReader(w, zip, maxBody)
	return nil
}

// interrupts lets faults occur that prevent a call.
func (s *Server) interrupts(w http.ResponseWriter, call uint64) bool {
	switch {
	case s.dice.strikes(APIDown, call):
		if s.dice.draw(APIDown, call)%2 == 0 {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		http.Error(w, "upstream connect error or disconnect/reset before headers", http.StatusServiceUnavailable)
	case s.dice.strikes(RateLimited, call):
		_ = twirp.WriteError(w, errRateLimited)
	default:
		return false
	}
	return true
}

// errRateLimited is LiveKit Cloud's answer; its wording was not recorded.
var errRateLimited = twirp.NewError(twirp.ResourceExhausted, "rate limit exceeded")

// deliver sends the reply, or what a fault makes of it.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, reply *httptest.ResponseRecorder, sp *spoiled) {
	switch sp.fault {
	case ReplyLost:
		panic(http.ErrAbortHandler)
	case ReplyHang:
		if s.pause(r.Context(), s.timings.ReplyHang) != nil {
			panic(http.ErrAbortHandler)
		}
	case Reply5xx:
		status := http.StatusInternalServerError
		if s.dice.draw(Reply5xx, sp.ordinal)%2 == 0 {
			status = http.StatusServiceUnavailable
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	maps.Copy(w.Header(), reply.Header())
	w.WriteHeader(reply.Code)
	_, _ = w.Write(reply.Body.Bytes())
}

// refuse lets faults occur that keep a start from being accepted.
func (s *Server) refuse(ctx context.Context, ordinal uint64, forced []Fault) error {
	strikes := func(f Fault) bool { return slices.Contains(forced, f) }
	switch {
	case strikes(APIDown):
		return twirp.NewError(twirp.Unavailable, "no response from servers")
	case strikes(RateLimited):
		return errRateLimited
	case !strikes(StartRefused) && !s.dice.strikes(StartRefused, ordinal), len(s.cfg.RefuseWith) == 0:
		return nil
	}
	code := s.cfg.RefuseWith[s.dice.draw(StartRefused, ordinal)%uint64(len(s.cfg.RefuseWith))]
	if code == twirp.Unavailable {
		if err := s.pause(ctx, s.timings.NoWorker); err != nil {
			return twirp.NewError(twirp.Canceled, "request canceled")
		}
		return twirp.NewError(code, "no response from servers")
	}
	return twirp.NewError(code, fmt.Sprintf("start refused: %s", code))
}

// SetDown cuts every connection from now on, before anything happens, or lets connections through
// again.
func (s *Server) SetDown(down bool) { s.down.Store(down) }

// SetFault changes a fault's rate from now on.
func (s *Server) SetFault(f Fault, rate float64) error {
	if err := s.dice.set(f, rate); err != nil {
		return fmt.Errorf("fakelivekit: %w", err)
	}
	return nil
}

// HoldStarts makes starts wait just before a worker claims them, until ReleaseStarts.
func (s *Server) HoldStarts() { s.hold.shut() }

// ReleaseStarts releases the starts that HoldStarts holds.
func (s *Server) ReleaseStarts() { s.hold.open() }
