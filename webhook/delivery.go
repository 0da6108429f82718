package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// delivery is one verified event on its way to a workflow.
type delivery struct {
	sent     *livekit.WebhookEvent // as LiveKit sent it: only for routing, since it may hold credentials
	event    egress.Event          // redacted: the only form that leaves this package
	id       string                // by which Temporal recognizes a repeat
	token    egress.Token          // from the URL
	hasToken bool
	below    bool   // the URL continues below WebhookPath, so a token was intended
	workflow string // that took the event, or has closed
	err      error  // from Temporal
}

// longestID is the longest event ID that Temporal is given, in bytes: LiveKit's have 15, and
// Temporal takes no request ID over 1,000.
const longestID = 255

func (d *delivery) parse(path string, body []byte) error {
	d.token, d.hasToken = egress.ParseToken(path)
	_, rest, _ := strings.Cut(path, egress.WebhookPath)
	d.below = strings.Trim(rest, "/") != ""

	sent := &livekit.WebhookEvent{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, sent); err != nil {
		return err
	}
	event, err := egress.ParseEvent(body)
	if err != nil {
		return err
	}
	d.sent, d.event, d.id = sent, event, sent.GetId()
	if d.id == "" || len(d.id) > longestID {
		// Hash the redacted event, whose spacing and order never change.
		sum := sha256.Sum256(event.Raw())
		d.id = "body-" + hex.EncodeToString(sum[:16])
	}
	return nil
}

// isEgress also holds for egress events that a newer LiveKit adds.
func (d *delivery) isEgress() bool { return strings.HasPrefix(d.sent.GetEvent(), "egress_") }

// room returns the name of the room, which participant and egress events carry too.
func (d *delivery) room() string {
	if name := d.sent.GetRoom().GetName(); name != "" {
		return name
	}
	return d.sent.GetEgressInfo().GetRoomName()
}

// egressID returns the egress that the event is about: a recorder's identity in its room is its
// egress ID.
func (d *delivery) egressID() string {
	if id := d.sent.GetParticipant().GetIdentity(); strings.HasPrefix(id, egress.EgressIDPrefix) {
		return id
	}
	return d.sent.GetEgressInfo().GetEgressId()
}
