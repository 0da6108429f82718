package activities

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// send sends LiveKit the start. If there is no connection by the time until when LiveKit may be
// asked, nothing is sent, and the start is handed back: a front door may have asked by then, or may
// reach LiveKit where we do not.
func (s *starting) send(ctx context.Context) (*livekit.EgressInfo, error) {
	if s.by.IsZero() {
		return s.api.Start(ctx, s.req)
	}
	ctx, cut, end := connectBy(ctx, s.by)
	defer end()
	m, err := s.api.Start(ctx, s.req)
	if err != nil && cut() {
		return nil, &egress.Error{Reason: egress.HandedBack, Message: s.missed() + ": no connection to LiveKit", Err: err}
	}
	return m, err
}

var errUnconnected = errors.New("no connection in time")

// connectBy ends a call over HTTP that has no connection by the given time; cut reports whether
// it has, and so has sent nothing. Once there is a connection, the call has no such limit.
func connectBy(ctx context.Context, by time.Time) (_ context.Context, cut func() bool, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var waits atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { // again, if a connection turned out to be dead before anything was sent
			waits.Store(true)
			time.AfterFunc(time.Until(by), func() {
				if waits.Load() {
					cancel(errUnconnected)
				}
			})
		},
		GotConn: func(httptrace.GotConnInfo) { waits.Store(false) },
	}
	cut = func() bool { return waits.Load() && errors.Is(context.Cause(ctx), errUnconnected) }
	return httptrace.WithClientTrace(ctx, trace), cut, func() { cancel(nil) }
}
