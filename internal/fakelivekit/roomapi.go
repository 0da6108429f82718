package fakelivekit

import (
	"context"
	"slices"
	"time"

	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
)

// roomAPI is the part of livekit.RoomService that matters to egress.
type roomAPI struct {
	livekit.RoomService // nil: routed keeps callers from the methods that are left out
	s                   *Server
}

// routed answers unimplemented for the methods that are left out.
func (roomAPI) routed(ctx context.Context) (context.Context, error) {
	served := []string{"CreateRoom", "ListRooms", "DeleteRoom", "ListParticipants", "GetParticipant"}
	if method, _ := twirp.MethodName(ctx); !slices.Contains(served, method) {
		return ctx, twirp.NewError(twirp.Unimplemented, method+" is not implemented by the fake")
	}
	return ctx, nil
}

// CreateRoom opens a room, or returns the live one. Its metadata may hold a script; see RoomScript. Its
// own empty and departure timeouts are shown, but the fake uses Timings.
func (a roomAPI) CreateRoom(ctx context.Context, req *livekit.CreateRoomRequest) (*livekit.Room, error) {
	if err := allow(ctx, creating); err != nil {
		return nil, err
	}
	if req.Name == "" {
		return nil, errNoName
	}
	script, err := parseScript(req.Metadata)
	if err != nil {
		return nil, twirp.NewError(twirp.InvalidArgument, err.Error())
	}
	reply, created := a.s.openOnce(req, script)
	if created && req.Egress != nil {
		a.s.autoStart(ctx, req.Name, req.Egress)
	}
	return reply, nil
}

// openOnce opens a room unless one of that name exists.
func (s *Server) openOnce(req *livekit.CreateRoomRequest, script RoomScript) (reply *livekit.Room, created bool) {
	s.mu.Lock()
	defer s.unlock()
	if r, ok := s.rooms[req.Name]; ok {
		return r.snapshot(), false
	}
	now := time.Now()
	r := newRoom(req.Name, now, script)
	r.Info.Metadata, r.Info.MaxParticipants = req.Metadata, req.MaxParticipants
	if req.EmptyTimeout > 0 {
		r.Info.EmptyTimeout = req.EmptyTimeout
	}
	if req.DepartureTimeout > 0 {
		r.Info.DepartureTimeout = req.DepartureTimeout
	}
	reply = r.snapshot() // as created: nobody has joined yet
	s.open(r, now)
	return reply, true
}

// ListRooms lists all live rooms, or those with the given names.
func (a roomAPI) ListRooms(ctx context.Context, req *livekit.ListRoomsRequest) (*livekit.ListRoomsResponse, error) {
	if err := allow(ctx, listing); err != nil {
		return nil, err
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &livekit.ListRoomsResponse{}
	if len(req.Names) == 0 {
		for _, r := range s.rooms {
			resp.Rooms = append(resp.Rooms, r.snapshot())
		}
	}
	for _, name := range req.Names {
		if r, ok := s.rooms[name]; ok {
			resp.Rooms = append(resp.Rooms, r.snapshot())
		}
	}
	return resp, nil
}

// DeleteRoom closes a room at once, and answers when it is gone.
func (a roomAPI) DeleteRoom(ctx context.Context, req *livekit.DeleteRoomRequest) (*livekit.DeleteRoomResponse, error) {
	if err := allow(ctx, creating); err != nil {
		return nil, err
	}
	s := a.s
	if err := s.deleteRoom(req.Room); err != nil {
		return nil, err
	}
	_ = s.pause(ctx, s.timings.DeleteRoom)
	return &livekit.DeleteRoomResponse{}, nil
}

// deleteRoom closes a live room.
func (s *Server) deleteRoom(name string) error {
	s.mu.Lock()
	defer s.unlock()
	r, ok := s.rooms[name]
	if !ok {
		return errNoRoom
	}
	s.close(r, time.Now(), livekit.DisconnectReason_ROOM_DELETED)
	return nil
}

// ListParticipants lists everybody in a room, including hidden participants; an unknown room is empty, not
// an error.
func (a roomAPI) ListParticipants(ctx context.Context, req *livekit.ListParticipantsRequest) (*livekit.ListParticipantsResponse, error) {
	if err := allow(ctx, administering(req.Room)); err != nil {
		return nil, err
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &livekit.ListParticipantsResponse{}
	if r, ok := s.rooms[req.Room]; ok {
		for _, p := range r.People {
			resp.Participants = append(resp.Participants, p.ParticipantInfo)
		}
		for _, p := range r.recorders {
			resp.Participants = append(resp.Participants, p.ParticipantInfo)
		}
	}
	return resp, nil
}

// GetParticipant returns one participant. With an egress ID as the identity, it shows whether a worker is alive.
func (a roomAPI) GetParticipant(ctx context.Context, req *livekit.RoomParticipantIdentity) (*livekit.ParticipantInfo, error) {
	if err := allow(ctx, administering(req.Room)); err != nil {
		return nil, err
	}
	p, roomLives := a.s.participant(req)
	switch {
	case p != nil:
		return p, nil
	case a.s.cfg.AsksRoom && !roomLives:
		_ = a.s.pause(ctx, a.s.timings.StopFails)
		return nil, errNoResponse
	}
	return nil, errNoParticipant
}

// participant finds somebody in a room, nil if that is not possible.
func (s *Server) participant(req *livekit.RoomParticipantIdentity) (p *livekit.ParticipantInfo, roomLives bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rooms[req.Room]
	if ok {
		p = r.participant(req.Identity)
	}
	return p, ok
}
