package fakelivekit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// journal is the state file: one JSON record per line, each the whole state of one egress or room; the last one of each
// counts. A record is appended in one write, which a kill -9 either completes or prevents; a torn last line, as after a full
// disk, is ignored. Every restart rewrites the file, first under another name. There is no fsync: it outlives the process,
// not the machine. It never contains request bodies, and so no credentials, only LiveKit's own redacted echo.
type journal struct {
	file *os.File
}

// record is one line of the journal.
type record struct {
	Starts uint64  `json:"starts,omitempty"`
	Room   *room   `json:"room,omitempty"`
	Egress *egress `json:"egress,omitempty"`
}

// restore reads the state file, performs what became due meanwhile, and opens the file for appending.
func (s *Server) restore() error {
	if s.cfg.StateFile == "" {
		return nil
	}
	if err := s.load(); err != nil {
		return fmt.Errorf("StateFile: %w", err)
	}
	s.silent = true
	s.catchUp(time.Now())
	s.silent = false
	if err := s.rewrite(); err != nil {
		return fmt.Errorf("StateFile: %w", err)
	}
	return nil
}

// load reads the state file, if there is one.
func (s *Server) load() error {
	data, err := os.ReadFile(s.cfg.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for n, text := range lines {
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			if n == len(lines)-1 {
				break
			}
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		s.recall(r)
	}
	s.rebuild()
	return nil
}

// recall adds one record; later records of the same subject replace it.
func (s *Server) recall(r record) {
	s.starts = max(s.starts, r.Starts)
	if r.Room != nil {
		s.rooms[r.Room.name()] = r.Room
		if r.Room.Finished {
			delete(s.rooms, r.Room.name())
		}
	}
	if r.Egress != nil {
		s.egresses[r.Egress.id()] = r.Egress
		s.starts = max(s.starts, r.Egress.Ordinal)
	}
}

// rebuild makes the indexes and the agenda from what was read.
func (s *Server) rebuild() {
	for _, r := range s.rooms {
		r.recorders = map[string]participantInfo{}
		s.agenda.restore(r)
	}
	for _, e := range s.egresses {
		s.accepted = append(s.accepted, e)
		if r := s.rooms[e.Info.RoomName]; r != nil && e.Joined != nil && r.Info.Sid == e.Info.RoomId {
			r.recorders[e.id()] = *e.Joined
		}
		s.byRoom[e.Info.RoomName] = append(s.byRoom[e.Info.RoomName], e)
		s.agenda.restore(e)
	}
	slices.SortFunc(s.accepted, func(a, b *egress) int { return a.Accepted.Compare(b.Accepted) })
}

// rewrite writes the file without superseded records, and leaves it open for appending.
func (s *Server) rewrite() error {
	next := s.cfg.StateFile + ".next"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.journal = &journal{file}
	w := bufio.NewWriter(file)
	out := json.NewEncoder(w)
	err = out.Encode(record{Starts: s.starts})
	for _, r := range s.rooms {
		err = errors.Join(err, out.Encode(record{Room: r}))
	}
	for _, e := range s.accepted {
		err = errors.Join(err, out.Encode(record{Egress: e}))
	}
	return errors.Join(err, w.Flush(), os.Rename(next, s.cfg.StateFile))
}

// save appends the current state of a subject, and updates the chronicle. The server's mutex is
// held.
func (s *Server) save(of subject) {
	if e, ok := of.(*egress); ok {
		s.chron.egress(e)
	}
	if s.journal == nil {
		return
	}
	var r record
	switch x := of.(type) {
	case *room:
		r.Room = x
	case *egress:
		r.Egress = x
	}
	text, err := json.Marshal(r)
	if err == nil {
		_, err = s.journal.file.Write(append(text, '\n'))
	}
	if err != nil {
		s.log.Error("state not saved", "error", err)
	}
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}
