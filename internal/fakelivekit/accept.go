package fakelivekit

import (
	"context"
	"slices"
	"time"

	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
)

// startedLead is how long a start reply waits for egress_started to reach the endpoint, which it did before every recorded
// reply. It is the longest lead that was recorded, and is not scaled: the network is no faster in a fast test.
const startedLead = 270 * time.Millisecond

// perEgress are the faults that are decided once per egress.
var perEgress = []Fault{
	ReplyLost, ReplyHang, Reply5xx, StartSlow,
	Failed, UploadFailed, Aborted, LimitReached, Zombie, RecorderUnlisted, Rerun, Forgotten, NoEcho, MediaMissing, MediaEmpty,
}

// begin handles a start call from its arrival to its reply.
func (s *Server) begin(ctx context.Context, st start) (*livekit.EgressInfo, error) {
	ordinal, forced, err := s.admit(st)
	if err != nil {
		return nil, err
	}
	if err := s.refuse(ctx, ordinal, forced); err != nil {
		return nil, err
	}
	// A client that gives up before a worker claims the start leaves nothing behind (start-client-timeout).
	if err := s.pause(ctx, s.timings.StartClaim); err != nil {
		return nil, twirp.NewError(twirp.Canceled, "request canceled")
	}
	if err := outputsOf(st.echo).refused(); err != nil {
		return nil, err
	}
	if err := s.hold.wait(ctx, s.closing); err != nil {
		return nil, twirp.NewError(twirp.Canceled, "request canceled")
	}
	e, err := s.claim(st, ordinal, forced)
	if err != nil {
		return nil, err
	}
	return s.reply(ctx, e)
}

// admit checks what livekit-server checks at once: that the room exists.
func (s *Server) admit(st start) (ordinal uint64, forced []Fault, err error) {
	s.mu.Lock()
	defer s.unlock()
	if st.kind != sourceWeb {
		r := s.rooms[st.room]
		if r == nil && s.cfg.AnyRoom && st.room != "" {
			r = newRoom(st.room, time.Now(), RoomScript{})
			r.Anyone = true
			s.open(r, time.Now())
		}
		if r == nil {
			return 0, nil, errNoRoom
		}
		forced = r.Script.Faults
	}
	s.starts++
	s.chron.start(st)
	return s.starts, forced, nil
}

// claim is the moment from which a worker records, whatever happens to the call.
func (s *Server) claim(st start, ordinal uint64, forced []Fault) (*egress, error) {
	s.mu.Lock()
	defer s.unlock()
	now := time.Now()
	info := st.echo
	info.EgressId = guid.New(guid.EgressPrefix)
	info.RoomName = st.room
	if st.kind == sourceWeb {
		info.RoomName = ""
	}
	info.StartedAt, info.UpdatedAt = now.UnixNano(), now.UnixNano()
	e := &egress{
		Ordinal: ordinal, Kind: st.kind, Host: st.host, Info: egressInfo{info}, Accepted: now,
		Faults: s.decide(ordinal, forced), request: st.request, told: make(chan struct{}),
	}
	if e.has(NoEcho) {
		dropWebhooks(info)
	}
	active := st.kind == sourceWeb
	if st.kind != sourceWeb {
		r := s.rooms[st.room]
		if r == nil { // it was deleted meanwhile
			return nil, errNoRoom
		}
		info.RoomId = r.Info.Sid
		e.Missing = r.lacks(st.identity, st.tracks)
		active = r.occupied() && e.Missing == ""
	}
	nameFiles(info, now)
	e.First = e.Info
	s.accepted = append(s.accepted, e)
	s.egresses[e.id()] = e
	s.byRoom[info.RoomName] = append(s.byRoom[info.RoomName], e)
	s.outline(e, active && !e.has(Aborted))
	s.save(e)
	s.log.Debug("egress accepted", "egressID", e.id(), "room", info.RoomName, "faults", e.Faults)
	return e, nil
}

// decide returns the faults of one egress: those that its room forces, and those drawn by its
// number.
func (s *Server) decide(ordinal uint64, forced []Fault) []Fault {
	var faults []Fault
	for _, doc := range faultDocs {
		f := doc.Name
		if slices.Contains(forced, f) || slices.Contains(perEgress, f) && s.dice.strikes(f, ordinal) {
			faults = append(faults, f)
		}
	}
	return faults
}

// outline plans the life of an egress as far as it is known at the start.
func (s *Server) outline(e *egress, active bool) {
	t := s.timings
	listed := e.Accepted
	if e.has(StartSlow) {
		listed = e.Accepted.Add(t.StartSlow) // and its worker is late, too
	}
	s.later(e, listed, stepListed)
	called := listed.Add(-max(t.StartClaim, 0)) // on a machine that is never busy
	join, begin := t.JoinMedia, t.ActiveMedia
	switch e.Kind {
	case sourceTemplate:
		join, begin = t.JoinTemplate, t.ActiveTemplate
	case sourceWeb:
		begin = t.ActiveWeb
	}
	if e.Kind != sourceWeb {
		s.later(e, called.Add(join), stepJoined)
	}
	switch {
	case e.Missing != "":
		s.later(e, called.Add(t.SourceMissing), stepMissed)
	case active:
		s.later(e, called.Add(begin), stepActive)
	}
}

// reply waits for what precedes the reply, and returns what livekit-server knows then.
func (s *Server) reply(ctx context.Context, e *egress) (*livekit.EgressInfo, error) {
	select {
	case <-e.told:
	case <-s.closing:
		return nil, twirp.NewError(twirp.Canceled, "server is closed")
	}
	s.mu.Lock()
	started := e.started
	s.mu.Unlock()
	if started != nil {
		lead := time.NewTimer(startedLead)
		defer lead.Stop()
		select {
		case <-started.done:
		case <-lead.C:
		case <-s.closing:
		}
	}
	_ = s.pause(ctx, s.timings.StartReply) // a client that has gone no longer changes anything
	spoil(ctx, e)
	return e.First.EgressInfo, nil
}
