package egress

import (
	"cmp"
	"path"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Expectation says which rooms must be recorded.
type Expectation struct {
	Rooms []string // patterns of room names, as path.Match takes them
	After Duration // how long a room may live without a recording
	// Start is the path of a recording that is begun where one lacks, with LiveKit's own
	// placeholders, such as {room_name}-{time}.mp4. Empty: none is begun.
	Start string
}

// Validate refuses a pattern that cannot be read.
func (e Expectation) Validate() error {
	for _, p := range e.Rooms {
		if _, err := path.Match(p, ""); err != nil {
			return Invalidf("REELKEEPER_EXPECT", "%q is no pattern: want * for any letters, ? for one, [a-z] for some", p)
		}
	}
	if e.Start != "" && len(e.Rooms) == 0 {
		return Invalidf("REELKEEPER_EXPECT_START", "is set, and REELKEEPER_EXPECT is not")
	}
	return nil
}

// Unrecorded is a room that is expected to be recorded, and is not.
type Unrecorded struct {
	Room  *livekit.Room
	Begin bool // a recording may be begun: none of ours that may record it is under way
}

// Unrecorded finds the rooms that have lived for too long with people in them and
// without an active egress, by name. An egress of an earlier room of the same name
// records nothing of this one, nor does one that does not begin though somebody publishes;
// it keeps another one from being begun, since it may have waited for that.
func (e Expectation) Unrecorded(at time.Time, rooms []*livekit.Room, listed []Listed, ours []Ours) []Unrecorded {
	under, lost, bound := map[string][]string{}, map[string]bool{}, map[string]Ours{}
	for _, o := range ours {
		if !o.Over {
			under[o.Room] = append(under[o.Room], o.EgressID)
		}
		lost[o.EgressID] = lost[o.EgressID] || o.Over && o.Status == Lost
		if !o.Closed {
			bound[o.RequestID] = o
		}
	}
	recorded, waits, byID := map[string]bool{}, map[string]bool{}, map[string]Listed{}
	for _, l := range listed {
		byID[l.ID] = l
		// LiveKit lists an egress whose worker died for good, also where another one has
		// taken its place.
		b := bound[l.RequestID]
		if replaced := b.EgressID != "" && b.EgressID != l.ID && b.Room == Keyword(l.Room) && l.Status == livekit.EgressStatus_EGRESS_ACTIVE; !Ended(l.Status) && !lost[l.ID] && !replaced {
			here := roomKey(l.Room, l.RoomID)
			recorded[here], waits[here] = recorded[here] || !l.neverBegan(at), true
		}
	}
	var list []Unrecorded
	for _, r := range rooms {
		since, here, anywhere := time.Unix(r.GetCreationTime(), 0), roomKey(r.GetName(), r.GetSid()), roomKey(r.GetName(), "")
		switch {
		case !e.matches(r.GetName()), r.GetNumParticipants() == 0, at.Sub(since) < e.After.D():
		case recorded[here], recorded[anywhere], r.GetNumPublishers() == 0 && (waits[here] || waits[anywhere]):
		default:
			begun := waits[here] || waits[anywhere] || slices.ContainsFunc(under[Keyword(r.GetName())], func(id string) bool {
				l, ok := byID[id]
				return !ok || l.RoomID == "" || l.RoomID == r.GetSid()
			})
			list = append(list, Unrecorded{Room: r, Begin: e.Start != "" && !begun})
		}
	}
	slices.SortFunc(list, func(a, b Unrecorded) int { return cmp.Compare(a.Room.GetName(), b.Room.GetName()) })
	return list
}

func (e Expectation) matches(room string) bool {
	return slices.ContainsFunc(e.Rooms, func(p string) bool {
		ok, err := path.Match(p, room)
		return ok && err == nil
	})
}

func roomKey(name, sid string) string { return sid + "/" + name }

// Request is the recording to begin for a room that lacks one, and its key: one for each
// room that ever lived.
func (e Expectation) Request(r *livekit.Room) (key string, _ Request) {
	return "expect-" + r.GetSid(), &livekit.RoomCompositeEgressRequest{
		RoomName: r.GetName(), FileOutputs: []*livekit.EncodedFileOutput{{Filepath: e.Start}},
	}
}
