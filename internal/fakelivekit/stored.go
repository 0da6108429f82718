package fakelivekit

import (
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/livekit/protocol/livekit"
)

// egressInfo, roomInfo and participantInfo are LiveKit's messages as stored in the state file: in
// protojson.
type (
	egressInfo      struct{ *livekit.EgressInfo }
	roomInfo        struct{ *livekit.Room }
	participantInfo struct{ *livekit.ParticipantInfo }
)

var (
	_ json.Marshaler   = egressInfo{}
	_ json.Unmarshaler = (*egressInfo)(nil)
)

// MarshalJSON writes protojson.
func (m egressInfo) MarshalJSON() ([]byte, error) { return protojson.Marshal(m.EgressInfo) }

// UnmarshalJSON reads protojson.
func (m *egressInfo) UnmarshalJSON(b []byte) error {
	m.EgressInfo = &livekit.EgressInfo{}
	return protojson.Unmarshal(b, m.EgressInfo)
}

// MarshalJSON writes protojson.
func (m roomInfo) MarshalJSON() ([]byte, error) { return protojson.Marshal(m.Room) }

// UnmarshalJSON reads protojson.
func (m *roomInfo) UnmarshalJSON(b []byte) error {
	m.Room = &livekit.Room{}
	return protojson.Unmarshal(b, m.Room)
}

// MarshalJSON writes protojson.
func (m participantInfo) MarshalJSON() ([]byte, error) { return protojson.Marshal(m.ParticipantInfo) }

// UnmarshalJSON reads protojson.
func (m *participantInfo) UnmarshalJSON(b []byte) error {
	m.ParticipantInfo = &livekit.ParticipantInfo{}
	return protojson.Unmarshal(b, m.ParticipantInfo)
}
