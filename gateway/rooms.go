package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	// deleteRoomPath is the path that rooms serves.
	deleteRoomPath = livekit.RoomServicePathPrefix + deleteRoom

	// maxDeleteRoom caps what is read of a deletion, in bytes. A deletion holds only a room's name.
	maxDeleteRoom = 1 << 20

	// deletionTimeout is how long a deletion goes on after its caller has hung up: as long as
	// LiveKit's SDKs would have waited for it.
	deletionTimeout = 10 * time.Second
)

// rooms serves RoomService/DeleteRoom: a recording that ends before its room keeps its last
// seconds. Each deletion is sent to LiveKit once, unchanged, whatever became of the recordings.
//
// A caller that hangs up has still asked for the deletion, as it would have at LiveKit itself: what
// was begun is completed. If the caller asks again, that is a deletion of its own, and LiveKit says
// whether the room is still there.
type rooms struct {
	proxy    http.Handler                                                   // takes every request in the end
	end      func(ctx context.Context, room string, by *egress.Asker) error // stops the room's egresses; returns once each is ENDING or ended, or ctx ends
	allowed  func(*http.Request) (by *egress.Asker, ok bool)                // a caller that may not delete stops nothing; the answer is LiveKit's
	wait     time.Duration                                                  // for the recordings; zero or less: rooms neither waits for them nor stops them
	deletion time.Duration                                                  // how long a deletion goes on after its caller has hung up
	log      *slog.Logger                                                   // gets a line for each room that is deleted before its recordings have ended
}

// ServeHTTP stops the recordings of a room, then deletes the room.
func (s *rooms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.wait <= 0 || format(r) == "" {
		s.proxy.ServeHTTP(w, r)
		return
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, maxDeleteRoom+1))
	if err != nil || len(head) > maxDeleteRoom {
		// LiveKit also gets the rest, or the error that cut it off, and refuses the call.
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

// close stops the recordings of a room, and waits for them as long as configured.
func (s *rooms) close(ctx context.Context, room string, by *egress.Asker) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.wait)
	defer cancel()
	if err := s.end(ctx, room, by); err != nil {
		s.log.WarnContext(ctx, "room is deleted before its recordings ended", "room", room, "error", err)
	}
}

// format returns the media type of a body that can be decoded here, as Twirp reads it, and "" for
// all others.
func format(r *http.Request) string {
	packed := r.Header.Get("Content-Encoding")
	if r.Method != http.MethodPost || r.ContentLength > maxDeleteRoom || packed != "" && packed != "identity" {
		return ""
	}
	switch f := mediaType(r); f {
	case "application/json", "application/protobuf":
		return f
	default:
		return ""
	}
}

// roomOf returns the room that a body names, as Twirp decodes it, and "" if Twirp would refuse the
// body.
func roomOf(format string, body []byte) string {
	var req livekit.DeleteRoomRequest
	if decode(format, body, &req) != nil {
		return ""
	}
	return req.Room
}

// anew returns the same request with a body that can be read once more.
func anew(ctx context.Context, r *http.Request, body io.Reader) *http.Request {
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(body)
	return r
}

// outlive returns a context that ends some time after its parent.
func outlive(parent context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(by, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}
