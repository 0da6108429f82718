package fakelivekit

import (
	"net/http"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
)

// list is what LiveKit does when its internal start call has returned: only now is the egress stored and announced.
func (s *Server) list(e *egress, at time.Time) {
	e.Listed = true
	if e.over() { // the start was so slow that its room is gone by now: LiveKit only ever hears of the end
		s.announce(e, webhook.EventEgressEnded, at)
	} else {
		e.started = s.announce(e, webhook.EventEgressStarted, at)
	}
	if e.told != nil {
		close(e.told)
	}
}

// activate begins the recording: once in a life, or twice.
func (s *Server) activate(e *egress, at time.Time) {
	e.Runs++
	e.Recorded = true
	e.change(at, func(info *livekit.EgressInfo) {
		info.Status = livekit.EgressStatus_EGRESS_ACTIVE
		s.beginFiles(e, info, at)
	})
	s.announce(e, webhook.EventEgressUpdated, at)
	if e.midway() != "" && e.Runs == 1 {
		s.later(e, at.Add(s.timings.MidRecording), stepStruck)
	}
}

// midway returns the fault, if any, that occurs in the middle of this egress's recording.
func (e *egress) midway() Fault {
	for _, f := range []Fault{Forgotten, Zombie, Failed, LimitReached, Rerun, RecorderUnlisted} {
		if e.has(f) {
			return f
		}
	}
	return ""
}

// strike makes the fault in the middle of a recording happen.
func (s *Server) strike(e *egress, at time.Time) {
	e.drop(stepStruck)
	switch e.midway() {
	case Forgotten:
		e.Lost = true // its worker continues to record, but nobody hears of it any more
	case Zombie:
		e.Dead = true
		s.leaveSegments(e, at)
		e.clear()
		s.later(e, at.Add(s.timings.ParticipantTimeout), stepGone)
	case Failed:
		s.leaveSegments(e, at)
		s.kill(e, at)
		s.later(e, at.Add(s.timings.ParticipantTimeout), stepGone)
	case LimitReached:
		s.limit(e, at)
	case Rerun:
		s.kill(e, at)
		s.leaveRecorder(e, at, livekit.DisconnectReason_CLIENT_INITIATED)
		s.later(e, at.Add(s.timings.RerunGap), stepRerun)
	case RecorderUnlisted:
		s.unlistRecorder(e)
	}
	s.log.Debug("fault struck", "egressID", e.id(), "fault", e.midway())
}

// kill ends a recording as when its handler process is killed: the service reports what it knew at the start.
func (s *Server) kill(e *egress, at time.Time) {
	e.change(at, func(info *livekit.EgressInfo) {
		info.StartedAt, info.Result = e.First.StartedAt, e.First.Result
		info.FileResults, info.StreamResults = e.First.FileResults, e.First.StreamResults
		info.SegmentResults, info.ImageResults = e.First.SegmentResults, e.First.ImageResults
		info.Details = ""
	})
	s.conclude(e, at, livekit.EgressStatus_EGRESS_FAILED, http.StatusInternalServerError, "signal: killed")
}

// limit ends a recording at its limit. Its media is good.
func (s *Server) limit(e *egress, at time.Time) {
	e.change(at, func(info *livekit.EgressInfo) {
		info.SetEndReason(livekit.EndReasonLimitReached)
		closeFiles(info, at, true)
	})
	s.storeMedia(e)
	s.conclude(e, at, livekit.EgressStatus_EGRESS_LIMIT_REACHED, http.StatusRequestEntityTooLarge, livekit.MsgLimitReached)
	s.leaveRecorder(e, at, livekit.DisconnectReason_CLIENT_INITIATED)
}

// rerun begins the second run of an egress whose first one failed.
func (s *Server) rerun(e *egress, at time.Time) {
	e.change(at, func(info *livekit.EgressInfo) {
		info.RetryCount++
		info.Error, info.ErrorCode, info.Details, info.EndedAt = "", 0, "", 0
		info.StartedAt = at.UnixNano()
	})
	e.Ended = time.Time{}
	e.drop(stepExpire)
	s.joinRecorder(e, at)
	s.activate(e, at)
}

// end begins the end of an egress that was stopped or whose source is gone.
func (s *Server) end(e *egress, at time.Time, reason string) {
	// A mid-recording fault occurs at the end of the recording at the latest; only a second run needs the room to
	// continue.
	if e.awaits(stepStruck) && e.midway() != Rerun {
		s.strike(e, at)
	}
	switch {
	case e.over():
		e.drop(stepRerun)
	case e.Dead, e.Info.Status == livekit.EgressStatus_EGRESS_ENDING:
	case e.Info.Status == livekit.EgressStatus_EGRESS_STARTING:
		s.abort(e, at, reason)
	default:
		e.clear()
		e.Stopped = at
		e.change(at, func(info *livekit.EgressInfo) {
			info.Status = livekit.EgressStatus_EGRESS_ENDING
			info.SetEndReason(reason)
			countParts(info, at)
		})
		s.announce(e, webhook.EventEgressUpdated, at)
		s.later(e, at.Add(s.endingTakes(e)), stepEnded)
	}
}

// followsRoom reports whether an egress records the room as such, and so continues when the people have
// left.
func (e *egress) followsRoom() bool {
	return e.Kind == sourceTemplate || e.Info.GetRoomComposite() != nil || e.Info.GetEgress().GetTemplate() != nil
}

// endingTakes returns how long the end of this egress takes: less if the room is gone with all its
// tracks.
func (s *Server) endingTakes(e *egress) time.Duration {
	if _, live := s.rooms[e.Info.RoomName]; !live && e.Kind != sourceWeb {
		return s.timings.EndingDeleted
	}
	return s.timings.Ending
}

// finish ends a recording whose file has been written and stored, or could not be.
func (s *Server) finish(e *egress, at time.Time) {
	failure := ""
	if e.has(UploadFailed) {
		failure = uploadFailure(e.Info.EgressInfo)
	}
	status, code := livekit.EgressStatus_EGRESS_COMPLETE, int32(0)
	if failure != "" {
		status, code = livekit.EgressStatus_EGRESS_FAILED, http.StatusBadRequest
	}
	e.change(at, func(info *livekit.EgressInfo) { closeFiles(info, e.Stopped, failure == "") })
	if failure == "" {
		s.storeMedia(e)
	}
	s.conclude(e, at, status, code, failure)
	s.leaveRecorder(e, at, livekit.DisconnectReason_CLIENT_INITIATED)
}

// abort ends an egress that never began to record.
func (s *Server) abort(e *egress, at time.Time, reason string) {
	e.change(at, func(info *livekit.EgressInfo) { e.abandon(info, at, reason) })
	s.conclude(e, at, livekit.EgressStatus_EGRESS_ABORTED, http.StatusPreconditionFailed, livekit.MsgStartNotReceived)
	s.leaveRecorder(e, at, livekit.DisconnectReason_CLIENT_INITIATED)
}

// abandon records a file that was never made; if a browser was running, its times are those of the end
// (empty-rc).
func (e *egress) abandon(info *livekit.EgressInfo, at time.Time, reason string) {
	info.SetEndReason(reason)
	if e.Kind == sourceMedia {
		return
	}
	for _, f := range info.FileResults {
		f.StartedAt, f.EndedAt = at.UnixNano(), at.UnixNano()
	}
	setLegacyResult(info)
}

// fail ends an egress with an error from its worker.
func (s *Server) fail(e *egress, at time.Time, code int32, message, reason string) {
	e.change(at, func(info *livekit.EgressInfo) { info.SetEndReason(reason) })
	s.leaveRecorder(e, at, livekit.DisconnectReason_CLIENT_INITIATED)
	s.conclude(e, at, livekit.EgressStatus_EGRESS_FAILED, code, message)
}

// conclude completes every end: the final status and egress_ended.
func (s *Server) conclude(e *egress, at time.Time, status livekit.EgressStatus, code int32, message string) {
	e.clear()
	e.Ended = at
	e.change(at, func(info *livekit.EgressInfo) {
		info.Status, info.ErrorCode, info.Error = status, code, message
		info.EndedAt = at.UnixNano()
	})
	s.announce(e, webhook.EventEgressEnded, at)
	s.later(e, at.Add(s.timings.Remember), stepExpire)
	s.log.Debug("egress ended", "egressID", e.id(), "room", e.Info.RoomName, "status", status)
}
