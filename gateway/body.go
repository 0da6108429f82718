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
	"strings"
	"time"

	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// unread says why a body could not be read: a Twirp error, and the HTTP status that fits it best.
// Twirp has no code for a body that is too large.
type unread struct {
	err    twirp.Error
	status int
}

// read reads a whole body, up to the cap and until the given moment. It unpacks a gzipped body, as
// LiveKit does, and applies the cap again.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, until time.Time) ([]byte, *unread) {
	control := http.NewResponseController(w)
	// If the connection supports no deadline, the server's ReadTimeout bounds the body.
	_ = control.SetReadDeadline(until)
	body, err := unpack(w, r, h.cfg.MaxBody)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &unread{twirp.NewError(twirp.Malformed, fmt.Sprintf("the request's body is over %d bytes", tooLarge.Limit)), http.StatusRequestEntityTooLarge}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &unread{twirp.NewError(twirp.DeadlineExceeded, "the request's body took too long"), http.StatusRequestTimeout}
	case errors.Is(err, errNoGzip):
		return nil, &unread{twirp.NewError(twirp.Malformed, "the request's body is not gzip"), http.StatusBadRequest}
	case err != nil:
		return nil, &unread{twirp.NewError(twirp.Malformed, "the request's body ended early"), http.StatusBadRequest}
	}
	// If it were kept, the deadline would end the connection while the caller waits.
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

// errNoGzip reports a body that arrived whole but cannot be unpacked.
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

// withBody returns the request with a body that has been read and unpacked.
func withBody(r *http.Request, body []byte) *http.Request {
	r = anew(r.Context(), r, bytes.NewReader(body))
	r.Header = r.Header.Clone()
	r.Header.Del("Content-Encoding")
	r.ContentLength = int64(len(body))
	return r
}

// readNewer returns the request in a JSON body if it has a field or an enum name that our protocol
// package does not know, and reads into request what we know of it: Twirp's generated server would
// drop the rest silently. It returns nil for all others, which Twirp reads itself, including a body
// that cannot be read at all, which Twirp refuses.
func readNewer(body []byte, request proto.Message) json.RawMessage {
	first, scratch := firstValue(body), request.ProtoReflect().New().Interface()
	if protojson.Unmarshal(first, scratch) == nil || lenient.Unmarshal(first, request) != nil {
		return nil
	}
	return first
}

// decode reads a body of a media type as Twirp does.
func decode(media string, body []byte, into proto.Message) error {
	if media == "application/protobuf" {
		return proto.Unmarshal(body, into)
	}
	return lenient.Unmarshal(firstValue(body), into)
}

// mediaType returns the media type of a request's body in lower case, as Twirp reads it.
func mediaType(r *http.Request) string {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// firstValue returns the first JSON value of a body, or nil if there is none. Twirp ignores what
// follows.
func firstValue(body []byte) (first json.RawMessage) {
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(&first)
	return first
}
