package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	// deleteRoomPath is what rooms serves.
	deleteRoomPath = livekit.RoomServicePathPrefix + "DeleteRoom"

	// maxDeleteRoom caps what is read of a deletion, in bytes. It is a room's name.
	maxDeleteRoom = 1 << 20

	// deletionTimeout is how long a deletion goes on whose caller has gone: as long as
	// LiveKit's SDKs would have waited for it.
	deletionTimeout = 10 * time.Second
)

// Closer ends the recordings of a room, before the room goes.
type Closer interface {
	// Close stops the egresses of a room that we know, and returns once each is ENDING
	// or ended. It must return when ctx ends.
	Close(ctx context.Context, room string) error
}

// roomsConfig is what rooms needs. All is required but Wait.
type roomsConfig struct {
	// Proxy takes every request in the end.
	Proxy http.Handler
	// Closer ends the recordings.
	Closer Closer
	// Allowed says whether a caller may delete a room. Who may not stops nothing; what
	// to answer is left to LiveKit.
	Allowed func(r *http.Request, room string) bool
	// Wait is how long a deletion waits for the recordings to end. Zero or less: it
	// neither waits nor stops them.
	Wait time.Duration
	// Log has a line for each room that goes before its recordings have ended.
	Log *slog.Logger
}

// rooms serves RoomService/DeleteRoom: a recording that ends before its room keeps
// its last seconds. Each deletion that comes is sent to LiveKit once, as it came,
// whatever became of the recordings.
//
// A caller who gives up has still asked for the deletion, as it would have at LiveKit
// itself: what was begun goes on to its end. If it asks again, that is a deletion of
// its own, and LiveKit says whether the room is still there.
type rooms struct {
	cfg      roomsConfig
	deletion time.Duration
}

func newRooms(cfg roomsConfig) *rooms { return &rooms{cfg: cfg, deletion: deletionTimeout} }

// ServeHTTP stops what records a room, then deletes the room.
func (s *rooms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Wait <= 0 || format(r) == "" {
		s.cfg.Proxy.ServeHTTP(w, r)
		return
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, maxDeleteRoom+1))
	if err != nil || len(head) > maxDeleteRoom {
		// The rest, or what broke it off, comes with the rest: LiveKit refuses it.
		s.cfg.Proxy.ServeHTTP(w, anew(r.Context(), r, io.MultiReader(bytes.NewReader(head), r.Body)))
		return
	}
	room := roomOf(format(r), head)
	if room == "" || !s.cfg.Allowed(anew(r.Context(), r, bytes.NewReader(head)), room) {
		s.cfg.Proxy.ServeHTTP(w, anew(r.Context(), r, bytes.NewReader(head)))
		return
	}
	s.close(r.Context(), room)
	ctx, cancel := outlive(r.Context(), s.deletion)
	defer cancel()
	s.cfg.Proxy.ServeHTTP(w, anew(ctx, r, bytes.NewReader(head)))
}

// close stops what records a room, and waits for it while Wait lasts.
func (s *rooms) close(ctx context.Context, room string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Wait)
	defer cancel()
	if err := s.cfg.Closer.Close(ctx, room); err != nil {
		s.cfg.Log.WarnContext(ctx, "room is deleted before its recordings ended", "room", room, "error", err)
	}
}

// format is the media type of a body that can be decoded here, as Twirp reads it; it
// is empty for all others.
func format(r *http.Request) string {
	packed := r.Header.Get("Content-Encoding")
	if r.Method != http.MethodPost || r.ContentLength > maxDeleteRoom || packed != "" && packed != "identity" {
		return ""
	}
	header, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch f := strings.TrimSpace(strings.ToLower(header)); f {
	case "application/json", "application/protobuf":
		return f
	default:
		return ""
	}
}

// roomOf is the room that a body names, as Twirp decodes it. It is empty where Twirp
// would refuse the body.
func roomOf(format string, body []byte) string {
	var req livekit.DeleteRoomRequest
	if format == "application/protobuf" {
		if err := proto.Unmarshal(body, &req); err != nil {
			return ""
		}
		return req.Room
	}
	var first json.RawMessage // Twirp disregards what follows.
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&first); err != nil {
		return ""
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(first, &req); err != nil {
		return ""
	}
	return req.Room
}

// anew is the same request with a body that can be read once more.
func anew(ctx context.Context, r *http.Request, body io.Reader) *http.Request {
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(body)
	return r
}

// outlive is a context that ends some time after its parent's.
func outlive(parent context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(by, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}
