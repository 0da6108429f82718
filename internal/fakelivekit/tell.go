package fakelivekit

import (
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
)

// announce sends an egress event, unless one of the egress's faults prevents or changes that.
func (s *Server) announce(e *egress, name string, at time.Time) *delivery {
	e.Events++
	event := &livekit.WebhookEvent{
		Event:      name,
		Room:       &livekit.Room{Sid: e.Info.RoomId, Name: e.Info.RoomName},
		EgressInfo: e.Info.EgressInfo,
		Id:         guid.New("EV_"), CreatedAt: at.Unix(),
	}
	strikes := func(f Fault) bool { return e.has(f) || s.dice.strikes(f, e.Ordinal, e.Events) }
	lost := s.silent || e.Lost || !e.Listed || strikes(WebhookLost)
	s.courier.count(name, lost)
	if lost {
		s.chron.webhook(noteWebhook{ID: event.Id, Event: name, EgressID: e.id(), Outcome: "suppressed"})
		return nil
	}
	s.chron.webhook(noteWebhook{ID: event.Id, Event: name, EgressID: e.id(), Outcome: "made"}) // a kill may keep its outcome out of the log
	l := letter{event: event, extras: e.webhooks(), key: e.id(), hang: strikes(WebhookHang)}
	d := s.courier.expect(l)
	var delay time.Duration
	if strikes(WebhookLate) {
		delay = s.timings.WebhookLate
	}
	swap := strikes(WebhookOutOfOrder)
	s.send(func() { s.courier.enqueue(l, delay, swap) })
	if strikes(WebhookRepeated) {
		again := l
		again.event = renamed(event)
		s.chron.webhook(noteWebhook{ID: again.event.Id, Event: name, EgressID: e.id(), Outcome: "made"})
		s.send(func() { s.courier.enqueue(l, delay, false) })
		s.send(func() { s.courier.enqueue(again, delay, false) })
	}
	if delay > 0 || swap || l.hang {
		return nil
	}
	return d
}

// tell sends an event of a room, its participants or tracks, to the project's endpoints.
func (s *Server) tell(r *room, event *livekit.WebhookEvent, at time.Time) {
	r.Events++
	event.Id, event.CreatedAt = guid.New("EV_"), at.Unix()
	lost := s.silent || slices.Contains(r.Script.Faults, RoomWebhookLost) || s.dice.strikes(RoomWebhookLost, r.subject(), r.Events)
	s.courier.count(event.Event, lost)
	if !lost {
		s.send(func() { s.courier.post(letter{event: event}) })
	}
}

// send sends an event at the end of the change that it reports. By then the change is in the state file: a kill must not
// undo something that was already reported.
func (s *Server) send(f func()) { s.outbox = append(s.outbox, f) }

// unlock ends a change of the server's state, and sends its events, in order.
func (s *Server) unlock() {
	s.flush()
	s.mu.Unlock()
}

// flush sends the collected events; the mutex is held, so that events keep the order of the
// changes.
func (s *Server) flush() {
	for _, f := range s.outbox {
		f()
	}
	s.outbox = s.outbox[:0]
}
