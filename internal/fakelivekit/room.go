package fakelivekit

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
)

// RoomScript says what happens in a room.
type RoomScript struct {
	// Call is how long people stay. Zero means until the room is deleted.
	Call time.Duration
	// Empty rooms are never joined by anyone.
	Empty bool
	// People are the identities that join at once. Defaults to alice.
	People []string
	// AudioOnly people publish no video.
	AudioOnly bool
	// Faults affect every egress of the room, whatever their rates.
	Faults []Fault
}

// validate says what is not possible.
func (r RoomScript) validate() error {
	if r.Call < 0 {
		return fmt.Errorf("call %v is negative", r.Call)
	}
	for _, f := range r.Faults {
		if !known(f) {
			return fmt.Errorf("unknown fault %q", f)
		}
	}
	return nil
}

// parseScript reads a script from a room's metadata, as in {"fake":{"call":"8s","empty":true,"faults":["reply-lost"]}}.
// Metadata that is not JSON, or lacks "fake", belongs to somebody else and means the default.
func parseScript(metadata string) (RoomScript, error) {
	var m struct {
		Fake *struct {
			Call      string   `json:"call"`
			Empty     bool     `json:"empty"`
			People    []string `json:"people"`
			AudioOnly bool     `json:"audio_only"`
			Faults    []Fault  `json:"faults"`
		} `json:"fake"`
	}
	if err := json.Unmarshal([]byte(metadata), &m); err != nil || m.Fake == nil {
		return RoomScript{}, nil //nolint:nilerr // metadata that is not JSON belongs to somebody else
	}
	script := RoomScript{Empty: m.Fake.Empty, People: m.Fake.People, AudioOnly: m.Fake.AudioOnly, Faults: m.Fake.Faults}
	if m.Fake.Call != "" {
		var err error
		if script.Call, err = time.ParseDuration(m.Fake.Call); err != nil {
			return RoomScript{}, fmt.Errorf("metadata fake.call: %w", err)
		}
	}
	if err := script.validate(); err != nil {
		return RoomScript{}, fmt.Errorf("metadata fake: %w", err)
	}
	return script, nil
}

// room is a live room.
type room struct {
	plan
	Info     roomInfo
	Script   RoomScript
	Anyone   bool // whoever is asked for is in the room: Config.AnyRoom
	People   map[string]participantInfo
	Events   uint64
	Finished bool `json:",omitempty"`

	// recorders are the egresses' own participants. The state file stores them with their egresses, so that a room
	// with thousands of them is not rewritten for each.
	recorders map[string]participantInfo
}

func (r *room) planned() *plan { return &r.plan }
func (r *room) name() string   { return r.Info.Name }

// newRoom returns a room with livekit-server's defaults.
func newRoom(name string, at time.Time, script RoomScript) *room {
	return &room{
		Info: roomInfo{&livekit.Room{
			Sid: guid.New(guid.RoomPrefix), Name: name,
			EmptyTimeout: 300, DepartureTimeout: 20,
			CreationTime: at.Unix(), CreationTimeMs: at.UnixMilli(),
			TurnPassword: guid.New("") + guid.New("") + guid.New("") + guid.New(""), EnabledCodecs: codecs(),
		}},
		Script:    script,
		People:    map[string]participantInfo{},
		recorders: map[string]participantInfo{},
	}
}

// codecs returns those that livekit-server enables by default.
func codecs() []*livekit.Codec {
	var list []*livekit.Codec
	for _, mime := range []string{"audio/PCMU", "audio/PCMA", "audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9", "video/AV1", "video/H265", "video/rtx"} {
		list = append(list, &livekit.Codec{Mime: mime})
	}
	return list
}

// snapshot returns the room as LiveKit shows it now, including turnPassword.
func (r *room) snapshot() *livekit.Room {
	info := proto.CloneOf(r.Info.Room)
	info.ActiveRecording = len(r.recorders) > 0
	info.NumParticipants = uint32(len(r.People)) // egress participants are hidden
	for _, p := range r.People {
		if len(p.Tracks) > 0 {
			info.NumPublishers++
		}
	}
	return info
}

// participant returns a participant, hidden or not.
func (r *room) participant(identity string) *livekit.ParticipantInfo {
	if p, ok := r.People[identity]; ok {
		return p.ParticipantInfo
	}
	return r.recorders[identity].ParticipantInfo
}

// subject identifies a room to the dice: by its name, whatever the order in which rooms were
// opened.
func (r *room) subject() uint64 {
	h := fnv.New64a()
	h.Write([]byte(r.name()))
	return h.Sum64()
}

// lacks names the participant or track that an egress asks for but the room does not have, in LiveKit's words.
func (r *room) lacks(identity string, tracks []string) string {
	if r.Anyone {
		return ""
	}
	if _, ok := r.People[identity]; identity != "" && !ok {
		return "participant " + identity
	}
	published := map[string]bool{}
	for _, p := range r.People {
		for _, t := range p.Tracks {
			published[t.Sid] = true
		}
	}
	for _, id := range tracks {
		if id != "" && !published[id] {
			return "track " + id
		}
	}
	return ""
}

// occupied reports whether anyone is there to be recorded.
func (r *room) occupied() bool { return r.Anyone || len(r.People) > 0 }
