package ffprobe

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Read opens media at an offset.
type Read = func(ctx context.Context, offset int64) (io.ReadCloser, error)

// source serves one object on loopback, so that ffprobe can seek in it: the index of an MP4 may be
// at its end. Others on the machine cannot guess its path.
type source struct {
	url      string
	listener net.Listener
	server   *http.Server
	asked    atomic.Bool // whether anybody has requested the object

	mu  sync.Mutex
	err error
}

// buffered is how much of the media may wait on loopback, in bytes.
const buffered = 64 << 10

// listen returns a source at which requests wait until it serves them.
func listen(ctx context.Context, size int64, read Read) (*source, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	path := "/" + rand.Text()
	s := &source{url: "http://" + listener.Addr().String() + path, listener: listener}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		s.asked.Store(true)
		from := &object{ctx: r.Context(), size: size, read: read, fail: s.fail}
		defer from.close()
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, from)
	})
	s.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: Timeout, BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(buffered) // otherwise megabytes would be read from the store in vain before each seek
			}
			return ctx
		},
	}
	return s, nil
}

func (s *source) serve() { go func() { _ = s.server.Serve(s.listener) }() } // it returns after close

func (s *source) close() {
	_ = s.server.Close()
	_ = s.listener.Close() // the server does not know it before it serves
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

// failed returns why the store could not be read, if it could not.
func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// object is media as http.ServeContent reads it.
type object struct {
	ctx  context.Context
	size int64
	at   int64
	read Read
	fail func(error)
	body io.ReadCloser // from at on; nil if nothing is open
}

// Seek opens nothing: ServeContent seeks to learn the size.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset != o.at {
		o.close()
	}
	o.at = offset
	return offset, nil
}

// Read continues from the current position. A player that has gone is no failure of the store.
func (o *object) Read(b []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if o.body == nil {
		body, err := o.read(o.ctx, o.at)
		if err != nil {
			o.note(err)
			return 0, err
		}
		o.body = body
	}
	n, err := o.body.Read(b)
	o.at += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		o.note(err)
	}
	return n, err
}

func (o *object) note(err error) {
	if o.ctx.Err() == nil {
		o.fail(err)
	}
}

func (o *object) close() {
	if o.body != nil {
		_ = o.body.Close()
		o.body = nil
	}
}
