package fakelivekit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils"
)

// LiveKit's messages. The wording was recorded; clients must not depend on it, but some do.
var (
	errNoRoom        = twirp.NewError(twirp.NotFound, "requested room does not exist")
	errNoEgress      = twirp.NewError(twirp.NotFound, "egress does not exist")
	errNoParticipant = twirp.NewError(twirp.NotFound, "participant does not exist")
	errTimedOut      = twirp.NewError(twirp.DeadlineExceeded, "request timed out")
	errNoResponse    = twirp.NewError(twirp.Unavailable, "no response from servers")
	errNoStreams     = twirp.NewError(twirp.InvalidArgument, "UpdateStream called on non-streaming egress")
	errNoName        = twirp.NewError(twirp.InvalidArgument, "no room name")
)

// egressAPI is livekit.Egress.
type egressAPI struct{ s *Server }

var _ livekit.Egress = egressAPI{}

// start handles what all starts have in common.
func (a egressAPI) start(ctx context.Context, st start) (*livekit.EgressInfo, error) {
	if err := allow(ctx, recording); err != nil {
		return nil, err
	}
	st.host, _ = ctx.Value(hostKey{}).(string)
	return a.s.begin(ctx, st)
}

// StartEgress is the unified start: of a template, a web page or media.
func (a egressAPI) StartEgress(ctx context.Context, req *livekit.StartEgressRequest) (*livekit.EgressInfo, error) {
	return a.start(ctx, unifiedStart(req))
}

// StartRoomCompositeEgress records a room as a browser shows it, or its mixed audio.
func (a egressAPI) StartRoomCompositeEgress(ctx context.Context, req *livekit.RoomCompositeEgressRequest) (*livekit.EgressInfo, error) {
	return a.start(ctx, roomCompositeStart(req))
}

// StartWebEgress records any page, in no room.
func (a egressAPI) StartWebEgress(ctx context.Context, req *livekit.WebEgressRequest) (*livekit.EgressInfo, error) {
	return a.start(ctx, webStart(req))
}

// StartParticipantEgress records one participant, whatever tracks there are.
func (a egressAPI) StartParticipantEgress(ctx context.Context, req *livekit.ParticipantEgressRequest) (*livekit.EgressInfo, error) {
	return a.start(ctx, participantStart(req))
}

// StartTrackCompositeEgress records up to one audio and one video track together.
func (a egressAPI) StartTrackCompositeEgress(ctx context.Context, req *livekit.TrackCompositeEgressRequest) (*livekit.EgressInfo, error) {
	return a.start(ctx, trackCompositeStart(req))
}

// StartTrackEgress records one track as it is, without transcoding.
func (a egressAPI) StartTrackEgress(ctx context.Context, req *livekit.TrackEgressRequest) (*livekit.EgressInfo, error) {
	return a.start(ctx, trackStart(req))
}

// ListEgress ignores the page token, as self-hosted servers do, and an ID overrides the other filters. The order is arbitrary.
func (a egressAPI) ListEgress(ctx context.Context, req *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	if err := allow(ctx, recording); err != nil {
		return nil, err
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &livekit.ListEgressResponse{}
	add := func(e *egress) {
		if e.visible() && (!req.Active || !e.over()) {
			resp.Items = append(resp.Items, e.Info.EgressInfo)
		}
	}
	switch {
	case req.EgressId != "":
		e := s.egresses[req.EgressId]
		if e == nil || !e.visible() {
			return nil, errNoEgress
		}
		resp.Items = append(resp.Items, e.Info.EgressInfo)
	case req.RoomName != "":
		for _, e := range s.byRoom[req.RoomName] {
			add(e)
		}
		// Arbitrary, but the same for the same list: a client's behaviour must not change from run to run because of
		// the order.
		slices.Reverse(resp.Items)
	default:
		for _, e := range s.egresses {
			add(e)
		}
	}
	return resp, nil
}

// StopEgress asks the worker that records; a caller without an answer waits for 3 s.
func (a egressAPI) StopEgress(ctx context.Context, req *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	if err := allow(ctx, recording); err != nil {
		return nil, err
	}
	info, err := a.s.stop(req.EgressId)
	if err != nil {
		_ = a.s.pause(ctx, a.s.timings.StopFails)
		return nil, err
	}
	return info, nil
}

// stop ends an egress that is recording, and otherwise says why it cannot.
func (s *Server) stop(id string) (*livekit.EgressInfo, error) {
	s.mu.Lock()
	defer s.unlock()
	e, now := s.egresses[id], time.Now()
	switch {
	case e == nil || !e.visible():
		return nil, errNoEgress
	case e.over():
		return nil, twirp.NewError(twirp.FailedPrecondition, fmt.Sprintf("egress with status %s cannot be stopped", e.Info.Status))
	case e.Info.Status == livekit.EgressStatus_EGRESS_STARTING:
		return s.stopEarly(e, now), nil
	}
	defer s.save(e)
	if !e.Dead {
		s.end(e, now, livekit.EndReasonAPI)
	}
	switch {
	case e.Dead:
		return nil, errTimedOut
	case e.Lost:
		return nil, errNoEgress
	}
	return e.stopReply(), nil
}

// stopReply returns StopEgress's answer. A browser's worker knows the length of its file before it has reported it to the store
// (rc-stop).
func (e *egress) stopReply() *livekit.EgressInfo {
	if e.Kind == sourceMedia {
		return e.Info.EgressInfo
	}
	reply := proto.CloneOf(e.Info.EgressInfo)
	for _, f := range reply.FileResults {
		f.EndedAt, f.Duration = e.Stopped.UnixNano(), e.Stopped.UnixNano()-f.StartedAt
	}
	setLegacyResult(reply)
	return reply
}

// stopEarly stops an egress that has not begun: the reply says ABORTED before LiveKit's store does
// (empty-rc).
func (s *Server) stopEarly(e *egress, now time.Time) *livekit.EgressInfo {
	before := e.Info
	e.change(now, func(info *livekit.EgressInfo) {
		e.abandon(info, now, livekit.EndReasonAPI)
		info.SetAborted(livekit.MsgStoppedBeforeStarted)
		info.EndedAt, info.UpdatedAt = now.UnixNano(), now.UnixNano()
	})
	reply := e.Info.EgressInfo
	e.Info = before
	e.drop(stepActive, stepMissed)
	s.agenda.add(e, step{At: now.Add(s.timings.AbortConfirms), Kind: stepEnding, Reason: livekit.EndReasonAPI})
	s.save(e)
	return reply
}

// UpdateLayout changes the layout that the browser shows, through the egress's own participant.
func (a egressAPI) UpdateLayout(ctx context.Context, req *livekit.UpdateLayoutRequest) (*livekit.EgressInfo, error) {
	if err := allow(ctx, recording); err != nil {
		return nil, err
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.egresses[req.EgressId]
	if e == nil || !e.visible() {
		return nil, errNoEgress
	}
	if r := s.rooms[e.Info.RoomName]; r == nil || r.participant(e.id()) == nil {
		return nil, errNoParticipant
	}
	return e.Info.EgressInfo, nil
}

// UpdateStream asks the worker that records to add and remove stream outputs; a caller without an answer waits for 3 s. The
// worker of an egress without streams answers, too.
func (a egressAPI) UpdateStream(ctx context.Context, req *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	if err := allow(ctx, recording); err != nil {
		return nil, err
	}
	info, answered, err := a.s.updateStream(req)
	if !answered {
		_ = a.s.pause(ctx, a.s.timings.StopFails)
	}
	return info, err
}

// updateStream also reports whether a worker answered. What LiveKit's store says counts only if the worker did not agree.
func (s *Server) updateStream(req *livekit.UpdateStreamRequest) (info *livekit.EgressInfo, answered bool, err error) {
	s.mu.Lock()
	defer s.unlock()
	e, now := s.egresses[req.EgressId], time.Now()
	lives := e != nil && e.Listed && !e.Dead && !e.over()
	switch {
	case lives && len(e.Info.StreamResults) > 0:
		e.change(now, func(info *livekit.EgressInfo) { updateStreams(info, req, now) })
		s.save(e)
		return e.Info.EgressInfo, true, nil
	case e == nil || !e.visible():
		return nil, lives, errNoEgress
	case e.Info.Status >= livekit.EgressStatus_EGRESS_ENDING:
		return nil, lives, twirp.NewError(twirp.FailedPrecondition, fmt.Sprintf("egress with status %s cannot be updated", e.Info.Status))
	case lives:
		return nil, true, errNoStreams
	}
	return nil, false, errNoResponse
}

// updateStreams changes the results; only redacted URLs are ever shown.
func updateStreams(info *livekit.EgressInfo, req *livekit.UpdateStreamRequest, now time.Time) {
	for _, url := range req.RemoveOutputUrls {
		shown, _ := utils.RedactStreamKey(url)
		for _, st := range info.StreamResults {
			if st.Url == shown && st.Status == livekit.StreamInfo_ACTIVE {
				st.Status, st.EndedAt, st.Duration = livekit.StreamInfo_FINISHED, now.UnixNano(), now.UnixNano()-st.StartedAt
			}
		}
	}
	for _, url := range req.AddOutputUrls {
		shown, _ := utils.RedactStreamKey(url)
		info.StreamResults = append(info.StreamResults, &livekit.StreamInfo{Url: shown, StartedAt: now.UnixNano(), Status: livekit.StreamInfo_ACTIVE})
	}
	setLegacyResult(info)
}
