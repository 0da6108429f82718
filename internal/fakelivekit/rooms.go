package fakelivekit

import (
	"errors"
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
)

// ErrRoomExists reports that a live room of that name exists.
var ErrRoomExists = errors.New("exists already")

// AddRoom opens a room with a script, as CreateRoom does with metadata. If a live room of that name exists, the error is
// ErrRoomExists.
func (s *Server) AddRoom(name string, script RoomScript) error {
	if name == "" {
		return fmt.Errorf("fakelivekit: room: %w", errNoName)
	}
	if err := script.validate(); err != nil {
		return fmt.Errorf("fakelivekit: room %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.unlock()
	if _, ok := s.rooms[name]; ok {
		return fmt.Errorf("fakelivekit: room %q: %w", name, ErrRoomExists)
	}
	s.open(newRoom(name, time.Now(), script), time.Now())
	return nil
}

// open begins a room's life; its people join at once.
func (s *Server) open(r *room, at time.Time) {
	s.rooms[r.name()] = r
	s.tell(r, &livekit.WebhookEvent{Event: webhook.EventRoomStarted, Room: r.snapshot()}, at)
	switch {
	case r.Script.Empty:
		s.agenda.add(r, step{At: at.Add(s.timings.EmptyTimeout), Kind: stepCloses})
	default:
		people := r.Script.People
		if len(people) == 0 {
			people = []string{"alice"}
		}
		for _, identity := range people {
			s.joinPerson(r, identity, at)
		}
	}
	if r.Script.Call > 0 && !r.Script.Empty {
		s.agenda.add(r, step{At: at.Add(r.Script.Call), Kind: stepCallEnds})
	}
	s.save(r)
	s.log.Debug("room started", "room", r.name(), "call", r.Script.Call)
}

// perform executes one step of the room's life.
func (r *room) perform(s *Server, st step) {
	switch st.Kind {
	case stepCallEnds:
		s.hangUp(r, st.At)
	case stepCloses:
		s.close(r, st.At, livekit.DisconnectReason_ROOM_CLOSED)
	}
	s.save(r)
}

// EndCall makes everybody leave a room, as at the end of its call.
func (s *Server) EndCall(room string) error {
	s.mu.Lock()
	defer s.unlock()
	r, ok := s.rooms[room]
	if !ok {
		return fmt.Errorf("fakelivekit: room %q: %w", room, errNoRoom)
	}
	r.drop(stepCallEnds)
	s.hangUp(r, time.Now())
	s.save(r)
	return nil
}

// hangUp makes everybody leave: recordings of tracks end with them, recordings of the room continue until it
// closes.
func (s *Server) hangUp(r *room, at time.Time) {
	s.leaveAll(r, r.People, at, livekit.DisconnectReason_CLIENT_INITIATED)
	for _, e := range s.recording(r) {
		if e.Missing == "" && !e.followsRoom() {
			s.agenda.add(e, step{At: at.Add(s.timings.SourceClosed), Kind: stepEnding, Reason: livekit.EndReasonSrcClosed})
			s.save(e)
		}
	}
	s.agenda.add(r, step{At: at.Add(s.timings.DepartureTimeout), Kind: stepCloses})
}

// close ends a room and all its recordings, in the order of tc-deleteroom.
func (s *Server) close(r *room, at time.Time, why livekit.DisconnectReason) {
	s.leaveAll(r, r.People, at, why)
	s.leaveAll(r, r.recorders, at, why)
	s.tell(r, &livekit.WebhookEvent{Event: webhook.EventRoomFinished, Room: r.snapshot()}, at)
	r.Finished = true
	r.drop(stepCallEnds, stepCloses)
	delete(s.rooms, r.name())
	for _, e := range s.recording(r) {
		s.end(e, at, livekit.EndReasonSrcClosed)
		s.save(e)
	}
	s.save(r)
	s.log.Debug("room finished", "room", r.name())
}

// recording returns the egresses of this room, not of an earlier one of its name, that have not
// ended.
func (s *Server) recording(r *room) []*egress {
	var live []*egress
	for _, e := range s.byRoom[r.name()] {
		if e.Info.RoomId == r.Info.Sid && (!e.over() || e.midway() == Rerun) {
			live = append(live, e)
		}
	}
	return live
}
