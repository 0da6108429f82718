package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// unread is why a body could not be read: a Twirp error, under the HTTP status that
// says it best. Twirp has no code for a body that is too large.
type unread struct {
	err    twirp.Error
	status int
}

// read reads a body whole, within the cap and until a moment. A gzipped one is
// unpacked, as LiveKit does, and capped again.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, until time.Time) ([]byte, *unread) {
	control := http.NewResponseController(w)
	// Where the connection takes no deadline, the server's ReadTimeout bounds the body.
	_ = control.SetReadDeadline(until)
	body, err := unpack(w, r, h.cfg.MaxBody)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &unread{twirp.NewError(twirp.Malformed, fmt.Sprintf("the request's body is over %d bytes", tooLarge.Limit)), http.StatusRequestEntityTooLarge}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &unread{twirp.NewError(twirp.DeadlineExceeded, "the request's body took too long"), http.StatusRequestTimeout}
	case errors.Is(err, errNoGzip):
		return nil, &unread{twirp.NewError(twirp.Malformed, "the request's body is no gzip"), http.StatusBadRequest}
	case err != nil:
		return nil, &unread{twirp.NewError(twirp.Malformed, "the request's body ended early"), http.StatusBadRequest}
	}
	// Kept, the deadline would end the connection while the caller waits.
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

// errNoGzip is a body that came whole, and cannot be unpacked.
var errNoGzip = errors.New("no gzip")

func unpack(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
		return body, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, errNoGzip
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, zip, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); err != nil && !tooLarge {
		return nil, errNoGzip
	}
	return body, err
}

// withBody is the same request with a body that was read, and unpacked.
func withBody(r *http.Request, body []byte) *http.Request {
	r = anew(r.Context(), r, bytes.NewReader(body))
	r.Header = r.Header.Clone()
	r.Header.Del("Content-Encoding")
	r.ContentLength = int64(len(body))
	return r
}

// newer is the request in a JSON body, where it has a field or an enum name that our
// protocol package does not know: Twirp's generated server would drop that silently.
// It is nil for all others, also for a body that cannot be read at all, which is
// Twirp's to refuse. What follows the first JSON value is nothing to Twirp.
func newer(body []byte, into proto.Message) json.RawMessage {
	first := firstValue(body)
	if protojson.Unmarshal(first, proto.Clone(into)) == nil || lenient.Unmarshal(first, into) != nil {
		return nil
	}
	return first
}

// firstValue is the first JSON value of a body, nil where there is none. Twirp disregards what follows.
func firstValue(body []byte) (first json.RawMessage) {
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(&first)
	return first
}
