package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Handler is the front door. It belongs at the root of a host: LiveKit's Python SDK
// drops the path of a URL.
type Handler struct {
	cfg     Config
	records *records
	proxy   http.Handler
	rooms   http.Handler
	twirp   http.Handler
	livekit upstream
	flights singleflight.Group // starts past Temporal, by their keys
	bypass  bypass
	// whole is held by a call that lists everything, until its answer has been written: 40,000
	// egresses take some 200 MB.
	whole *semaphore.Weighted
}

// New makes the door. Its metrics exist from then on.
func New(c Config) (*Handler, error) {
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r, err := newRecords(c.Meter, c.Log)
	if err != nil {
		return nil, fmt.Errorf("door metrics: %w", err)
	}
	at := bare(c.Upstream)
	h := &Handler{cfg: c, records: r, proxy: newProxy(at, c.Log), livekit: newUpstream(at), bypass: bypass{since: time.Now()}, whole: semaphore.NewWeighted(1)}
	h.rooms = &rooms{
		proxy: h.proxy, end: h.closeRoom, allowed: h.mayDelete,
		wait: c.DeleteRoomWait, deletion: deletionTimeout, log: c.Log,
	}
	h.twirp = livekit.NewEgressServer(service{h}, twirp.WithServerHooks(&twirp.ServerHooks{
		Error: func(ctx context.Context, err twirp.Error) context.Context {
			callOf(ctx).failed(err)
			return ctx
		},
	}))
	return h, nil
}

// ServeHTTP answers our own requests and passes the rest to LiveKit as they came.
func (h *Handler) ServeHTTP(w http.ResponseWriter, asCame *http.Request) {
	if asCame.Header.Get(egress.HeaderDoor) != "" {
		http.Error(w, inLoop, http.StatusLoopDetected)
		return
	}
	if asCame.URL.Path == "" { // a CONNECT to another host: with LiveKit's path joined on, it would ask for "/" and seem to get its tunnel
		http.NotFound(w, asCame)
		return
	}
	r := oneSlash(asCame.WithContext(handedOn(asCame.Context())))
	method, request := methodOf(r)
	if request != nil {
		now := time.Now()
		c := &call{method: method, began: now, deadline: now.Add(h.cfg.RequestTimeout)}
		h.serve(&response{ResponseWriter: w}, r.WithContext(context.WithValue(r.Context(), callKey{}, c)), c, request)
		return
	}
	if pathOf(r) == deleteRoomPath {
		h.records.passed(r.Context(), deleteRoom)
		h.rooms.ServeHTTP(w, r)
		return
	}
	h.records.passed(r.Context(), other)
	h.proxy.ServeHTTP(w, asCame)
}

// pathOf returns the path by which livekit-server knows a method: it knows none by an escaped
// slash.
func pathOf(r *http.Request) string {
	if strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F") {
		return ""
	}
	return r.URL.Path
}

// oneSlash returns the request with a path that begins with one slash instead of two. LiveKit's Go
// client sends two for a URL that ends in a slash, and livekit-server accepts both.
func oneSlash(r *http.Request) *http.Request {
	if !strings.HasPrefix(r.URL.Path, "//") {
		return r
	}
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = r.URL.Path[1:], "" // livekit-server then uses the decoded path
	return r
}

// readFor is how long after an answer was due its caller may still read it.
const readFor = 30 * time.Second

// serve answers and records a call of ours, even one that panics.
func (h *Handler) serve(w *response, r *http.Request, c *call, request proto.Message) {
	defer h.records.record(context.WithoutCancel(r.Context()), c)
	defer h.contain(w, r, c)
	// net/http lifts it once the answer has left. A connection that supports no deadline has none.
	_ = http.NewResponseController(w).SetWriteDeadline(c.deadline.Add(readFor))
	w.Header().Set("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" { // LiveKit allows pages of any origin, too
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "*")
	}
	r.Body = http.MaxBytesReader(w, r.Body, h.cfg.MaxBody)
	var problem string
	if c.caller, problem = h.callerOf(r); problem != "" {
		c.outcome = Unauthenticated
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(problem)) // A caller that has gone needs no answer.
		return
	}
	if err := c.permit(); err != nil { // before reading the body, which takes a hundred times its size
		h.refuse(w, c, err)
		return
	}
	body, broken := h.read(w, r, c.deadline)
	if broken != nil {
		h.refuseAs(w, c, broken.err, broken.status)
		c.outcome = Unreadable // even if it took too long: nobody was asked for anything
		return
	}
	if _, start := starts[c.method]; start {
		if err := c.readHeaders(r.Header, w.Header()); err != nil {
			h.refuse(w, c, toTwirp(err))
			return
		}
	}
	h.answer(w, withBody(r, body), c, request, body)
}

// answer passes the call through Twirp, unless Twirp would drop part of it; a stop always goes
// through.
func (h *Handler) answer(w *response, r *http.Request, c *call, request proto.Message, body []byte) {
	var raw json.RawMessage
	if mediaType(r) == "application/json" {
		raw = readNewer(body, request)
	}
	c.request = request
	if c.everything(mediaType(r), body) {
		if err := h.turn(r.Context(), c); err != nil {
			c.cause = err
			h.refuse(w, c, toTwirp(err))
			return
		}
		defer h.whole.Release(1)
	}
	start, isStart := request.(egress.Request)
	switch {
	case raw == nil, c.method == stopEgress: // a stop must reach its workflow, whatever else it names
		h.twirp.ServeHTTP(w, r)
	case isStart:
		h.forward(w, r, c, start, raw)
	default:
		h.forwardOther(w, r, c, raw)
	}
}

// refuse answers with an error in Twirp's form, and its status.
func (h *Handler) refuse(w http.ResponseWriter, c *call, err twirp.Error) {
	h.refuseAs(w, c, err, twirp.ServerHTTPStatusFromErrorCode(err.Code()))
}

// refuseAs is refuse with another status.
func (h *Handler) refuseAs(w http.ResponseWriter, c *call, err twirp.Error, status int) {
	c.failed(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(map[string]string{"code": string(err.Code()), "msg": err.Msg()})) // A caller that has gone needs no answer.
}

// contain answers for a call that panicked. If the panic was inside Twirp, Twirp has answered.
func (h *Handler) contain(w *response, r *http.Request, c *call) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		c.outcome = Failed
		panic(p)
	}
	c.cause = fmt.Errorf("panic: %v", p)
	h.cfg.Log.ErrorContext(r.Context(), "panic", "method", c.method, "requestID", c.requestID, "stack", string(debug.Stack()))
	if c.outcome = Failed; !w.begun {
		h.refuse(w, c, twirp.NewError(twirp.Internal, "internal error"))
	}
}

// response records whether it has begun.
type response struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader begins the response. Without a Retry-After, OkHttp, the client under LiveKit's Kotlin
// and Java SDK, sends a POST again at once after a 408: a start without a key would record twice.
func (r *response) WriteHeader(status int) {
	r.begun = true
	if status == http.StatusRequestTimeout {
		r.Header().Set("Retry-After", "1")
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
