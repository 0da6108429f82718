package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
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

// rooms serves RoomService/DeleteRoom: a recording that ends before its room keeps
// its last seconds. Each deletion that comes is sent to LiveKit once, as it came,
// whatever became of the recordings.
//
// A caller who gives up has still asked for the deletion, as it would have at LiveKit
// itself: what was begun goes on to its end. If it asks again, that is a deletion of
// its own, and LiveKit says whether the room is still there.
type rooms struct {
	proxy    http.Handler                                                   // takes every request in the end
	end      func(ctx context.Context, room string, by *egress.Asker) error // stops the room's egresses; returns once each is ENDING or ended, or ctx ends
	allowed  func(*http.Request) (by *egress.Asker, ok bool)                // who may not stops nothing; what to answer is left to LiveKit
	wait     time.Duration                                                  // for the recordings; zero or less: it neither waits nor stops them
	deletion time.Duration                                                  // how long one goes on whose caller has gone
	log      *slog.Logger                                                   // has a line for each room that goes before its recordings have ended
}

// ServeHTTP stops what records a room, then deletes the room.
func (s *rooms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.wait <= 0 || format(r) == "" {
		s.proxy.ServeHTTP(w, r)
		return
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, maxDeleteRoom+1))
	if err != nil || len(head) > maxDeleteRoom {
		// The rest, or what broke it off, comes with the rest: LiveKit refuses it.
		s.proxy.ServeHTTP(w, anew(r.Context(), r, io.MultiReader(bytes.NewReader(head), r.Body)))
		return
	}
	room := roomOf(format(r), head)
	by, ok := s.allowed(anew(r.Context(), r, bytes.NewReader(head)))
	if room == "" || !ok {
		s.proxy.ServeHTTP(w, anew(r.Context(), r, bytes.NewReader(head)))
		return
	}
	s.close(r.Context(), room, by)
	ctx, cancel := outlive(r.Context(), s.deletion)
	defer cancel()
	s.proxy.ServeHTTP(w, anew(ctx, r, bytes.NewReader(head)))
}

// close stops what records a room, and waits for it as long as is to be waited.
func (s *rooms) close(ctx context.Context, room string, by *egress.Asker) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.wait)
	defer cancel()
	if err := s.end(ctx, room, by); err != nil {
		s.log.WarnContext(ctx, "room is deleted before its recordings ended", "room", room, "error", err)
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
	var err error
	if format == "application/protobuf" {
		err = proto.Unmarshal(body, &req)
	} else {
		err = lenient.Unmarshal(firstValue(body), &req)
	}
	if err != nil {
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
