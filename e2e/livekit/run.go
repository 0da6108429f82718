package main

import (
	"context"
	"errors"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"google.golang.org/protobuf/proto"
)

// The durations of a life. The real worker takes the time of a browser and a pipeline; this one is quick.
const (
	look    = 20 * time.Millisecond
	toBegin = 200 * time.Millisecond
	// toMiss is how long a source may be absent; the real worker waits for 30 s.
	toMiss = 3 * time.Second
	// toEnd was recorded as 120 ms. It is longer here, so that a second stop arrives before the
	// end.
	toEnd = 4 * time.Second
	// toConfirm is as recorded.
	toConfirm = 200 * time.Millisecond
	// toRecover is the time between the two runs of one ID.
	toRecover = 2 * time.Second
	// toTell is how long news is retried, in case livekit-server is down.
	toTell, toTellAgain = time.Minute, 500 * time.Millisecond
)

// run is one egress in progress. All but the channels belongs to the goroutine of live.
type run struct {
	*worker
	*order
	plan
	stops chan chan *livekit.EgressInfo
	asked chan struct{}
	news  chan *livekit.EgressInfo

	room             *lksdk.Room
	file             *livekit.FileInfo
	began, ends, due time.Time // zero: not yet
	closing          func()    // what is due at ends
}

// tell sends news to livekit-server, in order.
func (r *run) tell() {
	for info := range r.news {
		for give := time.Now().Add(toTell); time.Now().Before(give); <-time.After(toTellAgain) {
			if _, err := r.io.UpdateEgress(context.Background(), info); err == nil {
				break
			}
		}
	}
}

// changed sends the current info.
func (r *run) changed() { r.news <- proto.CloneOf(r.info) }

// live is the real worker's handler process, from its start to its end.
func (r *run) live(first *livekit.EgressInfo) {
	defer close(r.news)
	now := time.Now()
	r.info.StartedAt = now.UnixNano()
	r.file = r.result(now, "")
	stop, err := r.answerCalls()
	if err != nil {
		r.failed(psrpc.NewErrorf(psrpc.Internal, "register: %v", err))
		return
	}
	defer func() { stop() }()
	if err := r.join(); err != nil {
		r.failed(psrpc.NewErrorf(psrpc.Internal, "join: %v", err))
		return
	}
	r.due = time.Now().Add(toBegin)
	r.follow(now.Add(toMiss))
	if r.Fate == hung && !r.began.IsZero() {
		select {} // until the process ends
	}
	if r.Fate == killed || r.Fate == twice {
		stop()
		r.lost(first)
	}
	if r.Fate == twice {
		<-time.After(toRecover)
		r.again()
		if stop, err = r.answerCalls(); err == nil {
			r.follow(time.Time{})
		}
	}
	r.leave()
}

// follow watches the room and the clock until the end.
func (r *run) follow(missed time.Time) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case reply := <-r.stops:
			r.stopped(livekit.EndReasonAPI)
			reply <- r.answer()
		case <-r.asked:
		case <-tick.C:
		}
		if r.step(time.Now(), missed) {
			return
		}
	}
}

// step does what is due, and reports whether that was the end.
func (r *run) step(now, missed time.Time) bool {
	switch {
	case !r.ends.IsZero():
		if now.Before(r.ends) {
			return false
		}
		r.closing()
		return true
	case r.gone():
		r.stopped(livekit.EndReasonSrcClosed)
	case !r.began.IsZero():
		return r.strikes(now)
	case r.present() && now.After(r.due):
		r.begin(now)
	case r.missing() != "" && now.After(missed):
		r.leave()
		r.failed(psrpc.NewErrorf(psrpc.NotFound, "%s not found", r.missing()))
		return true
	}
	return false
}

func (r *run) begin(now time.Time) {
	r.began = now
	r.file = r.result(time.Unix(0, r.info.StartedAt), r.publisher())
	r.file.StartedAt = now.UnixNano()
	r.info.UpdateStatus(livekit.EgressStatus_EGRESS_ACTIVE)
	r.records(r.info, r.file.Filename)
	r.changed()
}

// strikes reports whether a fate ended the recording.
func (r *run) strikes(now time.Time) bool {
	if now.Before(r.began.Add(r.after())) {
		return false
	}
	switch r.Fate {
	case killed, hung:
		return true
	case twice:
		return r.info.RetryCount == 0
	case limited:
		r.info.SetEndReason(livekit.EndReasonLimitReached)
		if err := r.store(now); err != nil {
			r.failed(psrpc.NewErrorf(psrpc.InvalidArgument, "%v", err))
			return true
		}
		r.info.SetLimitReached()
		r.changed()
		return true
	}
	return false
}

// stopped begins the end.
func (r *run) stopped(reason string) {
	now := time.Now()
	switch {
	case !r.ends.IsZero():
	case r.began.IsZero():
		r.info.SetEndReason(reason)
		r.info.SetAborted(livekit.MsgStoppedBeforeStarted)
		r.ends, r.closing = now.Add(toConfirm), r.aborted
	default:
		r.info.SetEndReason(reason)
		r.info.UpdateStatus(livekit.EgressStatus_EGRESS_ENDING)
		r.changed()
		r.ends, r.closing = now.Add(r.toEnd()), func() { r.complete(now) }
	}
}

// toEnd is the time from a stop to the end.
func (r *run) toEnd() time.Duration {
	if r.Fate == lingering {
		return r.after()
	}
	return toEnd
}

// answer returns the reply to a stop. If a browser was running, it knows more than the news sent at the
// same moment.
func (r *run) answer() *livekit.EgressInfo {
	info := proto.CloneOf(r.info)
	if r.browser() && r.file.EndedAt == 0 {
		now := time.Now().UnixNano()
		for _, f := range []*livekit.FileInfo{info.FileResults[0], info.GetFile()} {
			if f.EndedAt = now; f.StartedAt == 0 {
				f.StartedAt = now
			}
			f.Duration = f.EndedAt - f.StartedAt
		}
	}
	return info
}

func (r *run) browser() bool {
	return r.info.SourceType != livekit.EgressSourceType_EGRESS_SOURCE_TYPE_SDK
}

func (r *run) aborted() {
	if r.browser() {
		r.file.StartedAt, r.file.EndedAt = time.Now().UnixNano(), time.Now().UnixNano()
	}
	r.info.SetAborted(livekit.MsgStartNotReceived)
	r.changed()
}

func (r *run) complete(at time.Time) {
	if err := r.store(at); err != nil {
		r.failed(psrpc.NewErrorf(psrpc.InvalidArgument, "%v", err))
		return
	}
	r.info.SetComplete()
	r.changed()
}

func (r *run) failed(err error) {
	r.info.SetFailed(err)
	r.changed()
}

// lost is the service's report once its handler is gone: what it knew at the start.
func (r *run) lost(first *livekit.EgressInfo) {
	r.info = proto.CloneOf(first)
	r.info.RetryCount = 0
	r.info.SetFailed(psrpc.NewErrorf(psrpc.Internal, "signal: killed"))
	r.info.Details = "" // the service knows of no end
	r.changed()
}

// again is a second run of the same ID.
func (r *run) again() {
	r.info.Error, r.info.ErrorCode, r.info.Details, r.info.EndedAt = "", 0, "", 0
	r.info.RetryCount++
	r.info.StartedAt = time.Now().UnixNano()
	r.begin(time.Now())
}

// answerCalls serves the calls for this egress.
func (r *run) answerCalls() (end func(), err error) {
	s, err := rpc.NewEgressHandlerServer(r, r.bus)
	if err != nil {
		return nil, err
	}
	return s.Kill, errors.Join(s.RegisterStopEgressTopic(r.info.EgressId), s.RegisterUpdateStreamTopic(r.info.EgressId))
}

// StopEgress asks the goroutine of live to stop. A hung one does not answer.
func (r *run) StopEgress(ctx context.Context, _ *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	reply := make(chan *livekit.EgressInfo, 1)
	select {
	case r.stops <- reply:
		return <-reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// UpdateStream has nothing to update: there are no streams. A hung egress does not answer.
func (r *run) UpdateStream(ctx context.Context, _ *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	select {
	case r.asked <- struct{}{}:
		return nil, psrpc.NewErrorf(psrpc.InvalidArgument, "UpdateStream called on non-streaming egress")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// UpdateEgress has nothing to update.
func (r *run) UpdateEgress(context.Context, *livekit.UpdateEgressRequest) (*livekit.EgressInfo, error) {
	return nil, psrpc.ErrUnimplemented
}
