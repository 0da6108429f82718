package egress

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Expectation says which rooms must be recorded.
type Expectation struct {
	Rooms []string // patterns of room names, as path.Match takes them
	After Duration // how long a room may live without a recording
	// Start is the path of the recording that is started if one is missing, with LiveKit's own
	// placeholders, such as {room_name}-{time}.mp4. Empty: none is started.
	Start string
}

// Validate rejects a malformed pattern.
func (e Expectation) Validate() error {
	for _, p := range e.Rooms {
		if _, err := path.Match(p, ""); err != nil {
			return Invalidf("REELKEEPER_EXPECT", "%q is not a pattern: use * for any text, ? for one character, [a-z] for a range", p)
		}
	}
	if e.Start != "" && len(e.Rooms) == 0 {
		return Invalidf("REELKEEPER_EXPECT_START", "is set, but REELKEEPER_EXPECT is not")
	}
	return nil
}

// Unrecorded is a room that should be recorded and is not.
type Unrecorded struct {
	Room  *livekit.Room
	Begin bool // a recording may be started: none of ours that may be this room's is under way
}

// Unrecorded returns the rooms that have lived for too long with people in them and without an
// active egress, by name. Some egresses do not count: one of an earlier room with the same name,
// one that only streams, and one that does not begin though somebody publishes. The last still
// prevents a new recording, since it may have waited for a publisher.
func (e Expectation) Unrecorded(at time.Time, rooms []*livekit.Room, listed []Listed, ours []Ours) []Unrecorded {
	by := recordersOf(at, listed, ours)
	var list []Unrecorded
	for _, r := range rooms {
		due := e.matches(r.GetName()) && r.GetNumParticipants() > 0 && at.Sub(time.Unix(r.GetCreationTime(), 0)) >= e.After.D()
		if due && !by.record(r) {
			list = append(list, Unrecorded{Room: r, Begin: e.Start != "" && !by.mayRecord(r)})
		}
	}
	slices.SortFunc(list, func(a, b Unrecorded) int { return cmp.Compare(a.Room.GetName(), b.Room.GetName()) })
	return list
}

// recorders are the egresses that record rooms, or may come to do so.
type recorders struct {
	recorded map[string]bool     // by roomKey
	waits    map[string]bool     // by roomKey: one runs that may not have begun to record
	underWay map[string][]string // by room name as a search attribute holds it: the egress IDs of ours, empty until they have one
	roomIDs  map[string]string   // by egress ID, for those that LiveKit lists
}

func recordersOf(at time.Time, listed []Listed, ours []Ours) recorders {
	by := recorders{recorded: map[string]bool{}, waits: map[string]bool{}, underWay: map[string][]string{}, roomIDs: map[string]string{}}
	lost, bound, streams := map[string]bool{}, map[string]Ours{}, map[string]bool{}
	for _, l := range listed {
		streams[l.ID] = l.KeepsNothing
	}
	for _, o := range ours {
		if !o.Over && !streams[o.EgressID] {
			by.underWay[o.Room] = append(by.underWay[o.Room], o.EgressID)
		}
		lost[o.EgressID] = lost[o.EgressID] || o.Over && o.Status == Lost
		if !o.Closed() {
			bound[o.RequestID] = o
		}
	}
	for _, l := range listed {
		by.roomIDs[l.ID] = l.RoomID
		if !Ended(l.Status) && !l.KeepsNothing && !lost[l.ID] && !bound[l.RequestID].replaces(l) {
			here := roomKey(l.Room, l.RoomID)
			by.recorded[here], by.waits[here] = by.recorded[here] || !l.neverBegan(at), true
		}
	}
	return by
}

// replaces reports whether our egress has taken the place of a listed one: LiveKit lists an egress
// whose worker died as active forever.
func (o Ours) replaces(l Listed) bool {
	return o.EgressID != "" && o.EgressID != l.ID && o.Room == Keyword(l.Room) && l.Status == livekit.EgressStatus_EGRESS_ACTIVE
}

// record reports whether a room is recorded, or would be if there were anything to record.
func (by recorders) record(r *livekit.Room) bool {
	return by.any(by.recorded, r) || r.GetNumPublishers() == 0 && by.any(by.waits, r)
}

// mayRecord reports whether a running egress, or a start of ours, may be for this room.
func (by recorders) mayRecord(r *livekit.Room) bool {
	return by.any(by.waits, r) || slices.ContainsFunc(by.underWay[Keyword(r.GetName())], func(id string) bool {
		roomID := by.roomIDs[id]
		return roomID == "" || roomID == r.GetSid()
	})
}

// any looks a room up with and without its ID: LiveKit does not always give the ID.
func (by recorders) any(of map[string]bool, r *livekit.Room) bool {
	return of[roomKey(r.GetName(), r.GetSid())] || of[roomKey(r.GetName(), "")]
}

func (e Expectation) matches(room string) bool {
	return slices.ContainsFunc(e.Rooms, func(p string) bool {
		ok, err := path.Match(p, room)
		return ok && err == nil
	})
}

func roomKey(name, sid string) string { return sid + "/" + name }

// MaxExpected is how many recordings are started for one room, by its SID: one that keeps ending
// too early needs a person.
const MaxExpected = 10

// Request returns the nth recording to start for a room that lacks one, and its key. From the
// second on, its path has a suffix, so that it does not overwrite the one before or a part of
// that.
func (e Expectation) Request(r *livekit.Room, n int) (key string, _ Request) {
	key, file := "expect-"+r.GetSid(), e.Start
	if n > 1 {
		key += "-" + strconv.Itoa(n)
		file = suffixed(file, "-again"+strconv.Itoa(n))
	}
	return key, &livekit.RoomCompositeEgressRequest{
		RoomName: r.GetName(), FileOutputs: []*livekit.EncodedFileOutput{{Filepath: file}},
	}
}
