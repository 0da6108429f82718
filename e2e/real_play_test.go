package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/internal/reallivekit"
)

// These are fates to the fake, but processes with the real server.
const (
	dies   reallivekit.Fate = "dies"   // the worker is killed
	absent reallivekit.Fate = "absent" // there is no worker
)

// play plays a scenario on one side and records all results, under the names of the recorded files if there are any.
type play struct {
	asking
	side
	recording
	room  string
	known []string // egress IDs, in start order
}

func newPlay(t *testing.T, on side, sc scenario) *play {
	t.Helper()
	room := sc.room(t)
	client := signed(t, liveKey, liveSecret, &auth.VideoGrant{RoomRecord: true, RoomCreate: true, RoomList: true, RoomAdmin: true, Room: room})
	p := &play{
		asking: asking{t: t, clients: clients{
			egress: livekit.NewEgressProtobufClient(on.url(), client), rooms: livekit.NewRoomServiceProtobufClient(on.url(), client),
		}},
		side: on, recording: recording{t, sc.dir}, room: room,
	}
	if sc.in != "" {
		on.open(t, p.room, sc.in, sc.fate)
		n := map[who]int{alice: 4, aliceAudio: 3, nobody: 1}[sc.in]
		on.hooks().reached(t, n, "the room's beginning", p.mine)
	}
	return p
}

// begin repeats the call that led to a recorded reply.
func (p *play) begin(file string) string {
	p.asking.t.Helper()
	recorded := &livekit.EgressInfo{}
	require.NoError(p.asking.t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(p.text(file), recorded))
	return p.started(file, recorded)
}

// started starts what the echo in an EgressInfo shows, with this side's tracks and endpoint.
func (p *play) started(name string, like *livekit.EgressInfo) string {
	p.asking.t.Helper()
	e := p.egress
	var info *livekit.EgressInfo
	switch r := proto.CloneOf(like).Request.(type) {
	case *livekit.EgressInfo_RoomComposite:
		info = ask(&p.asking, name, e.StartRoomCompositeEgress, r.RoomComposite)
	case *livekit.EgressInfo_Web:
		info = ask(&p.asking, name, e.StartWebEgress, r.Web)
	case *livekit.EgressInfo_Participant:
		info = ask(&p.asking, name, e.StartParticipantEgress, r.Participant)
	case *livekit.EgressInfo_TrackComposite:
		c := r.TrackComposite
		c.AudioTrackId, c.VideoTrackId = p.track(c.AudioTrackId), p.track(c.VideoTrackId)
		p.redirect(c.Webhooks)
		unredact(c.FileOutputs)
		info = ask(&p.asking, name, e.StartTrackCompositeEgress, c)
	case *livekit.EgressInfo_Egress:
		p.redirect(r.Egress.Webhooks)
		info = ask(&p.asking, name, e.StartEgress, r.Egress)
	default:
		require.Failf(p.asking.t, "no request", "in %v", like)
	}
	require.NotEmpty(p.asking.t, info.GetEgressId(), "%v", p.report[len(p.report)-1])
	p.known = append(p.known, info.EgressId)
	return info.EgressId
}

// track returns this side's track of alice that stands for a recorded one. Tracks that never existed
// stay so.
func (p *play) track(id string) string {
	p.asking.t.Helper()
	if strings.HasSuffix(id, "nope") || id == "" {
		return id
	}
	people, err := p.rooms.ListParticipants(p.asking.t.Context(), &livekit.ListParticipantsRequest{Room: p.room})
	require.NoError(p.asking.t, err)
	for _, t := range people.Participants[0].Tracks {
		if t.Sid[:4] == id[:4] {
			return t.Sid
		}
	}
	require.Failf(p.asking.t, "no such track", "like %s in %v", id, people)
	return ""
}

// unredact puts secrets where LiveKit's echo has none.
func unredact(files []*livekit.EncodedFileOutput) {
	for _, f := range files {
		if s3 := f.GetS3(); s3 != nil {
			s3.AccessKey, s3.Secret = "AKIAEXAMPLE", "s3cr3t"
		}
	}
}

func (p *play) redirect(list []*livekit.WebhookConfig) {
	for _, h := range list {
		h.Url = strings.Replace(h.Url, "http://host", p.hooks().URL, 1)
	}
}

func (p *play) stop(name, id string) {
	p.asking.t.Helper()
	ask(&p.asking, name, p.egress.StopEgress, &livekit.StopEgressRequest{EgressId: id})
}

// question asks the egress's worker for an update that changes nothing.
func (p *play) question(name, id string) {
	p.asking.t.Helper()
	ask(&p.asking, name, p.egress.UpdateStream, &livekit.UpdateStreamRequest{EgressId: id})
}

func (p *play) list(name string, r *livekit.ListEgressRequest) {
	p.asking.t.Helper()
	ask(&p.asking, name, p.egress.ListEgress, r)
}

func (p *play) deleteRoom() {
	p.asking.t.Helper()
	_, err := p.rooms.DeleteRoom(p.asking.t.Context(), &livekit.DeleteRoomRequest{Room: p.room})
	require.NoError(p.asking.t, err)
}

func (p *play) active(id string) {
	p.asking.t.Helper()
	p.hooks().reached(p.asking.t, 1, "ACTIVE", func(h hook) bool { return h.EgressInfo.GetEgressId() == id && isActive(h.EgressInfo.Status) })
}

func (p *play) ended(id string, times int) {
	p.asking.t.Helper()
	p.hooks().reached(p.asking.t, times, "the end", func(h hook) bool {
		return h.EgressInfo.GetEgressId() == id && h.Event == "egress_ended" && h.path == "/project"
	})
}

// recorder waits for an event of the egress's own participant.
func (p *play) recorder(event string) {
	p.asking.t.Helper()
	p.hooks().reached(p.asking.t, 1, event, func(h hook) bool {
		return p.mine(h) && h.Event == event && h.Participant.GetKind() == livekit.ParticipantInfo_EGRESS
	})
}

// left waits until somebody has left the room, which may be later than the end.
func (p *play) left(identity string) {
	p.asking.t.Helper()
	require.Eventually(p.asking.t, func() bool {
		_, err := p.rooms.GetParticipant(p.asking.t.Context(), &livekit.RoomParticipantIdentity{Room: p.room, Identity: identity})
		return err != nil
	}, limit, 20*time.Millisecond, identity)
}

// mine reports whether a webhook belongs to this scenario.
func (p *play) mine(h hook) bool {
	return slices.Contains(p.known, h.EgressInfo.GetEgressId()) || p.room != "" && h.room() == p.room
}

// notes adds all webhooks to the report: the egress events of each endpoint in order, and the room events, whose order
// varies between people, by name.
func (p *play) notes(want report) report {
	p.asking.t.Helper()
	for _, endpoint := range []string{"project", "request"} {
		of := func(h hook) bool {
			return p.mine(h) && (h.path == "/project") == (endpoint == "project") && h.ofEgress()
		}
		n := want.count(endpoint + " egress ")
		got := p.hooks().reached(p.asking.t, n, endpoint+"'s egress events", of)
		slices.SortStableFunc(got, func(a, b hook) int {
			return cmp.Compare(slices.Index(p.known, a.EgressInfo.EgressId), slices.Index(p.known, b.EgressInfo.EgressId))
		})
		for i, h := range got {
			p.note(fmt.Sprintf("%s egress %d", endpoint, i+1), h.event(p.asking.t))
		}
	}
	first, _ := p.hooks().all(func(h hook) bool { return p.mine(h) && h.ofEgress() && h.path == "/project" })
	if len(first) > 0 {
		p.note("headers", first[0].headers)
	}
	for _, s := range want {
		name, ok := strings.CutPrefix(s.Name, p.dir+": room ")
		if !ok {
			continue
		}
		found := p.hooks().reached(p.asking.t, 1, name, func(h hook) bool { return p.mine(h) && roomEvent(h.WebhookEvent) == name })
		p.note("room "+name, found[0].event(p.asking.t))
	}
	for i := range p.report {
		p.report[i] = normal(p.report[i])
		p.report[i].Name = p.dir + ": " + p.report[i].Name
	}
	return p.report
}

func (p *play) note(name string, answer any) {
	p.report = append(p.report, step{Name: name, OK: true, Answer: answer})
}

// normal removes the address of this side's endpoint from an answer.
func normal(s step) step {
	b, _ := json.Marshal(s) // cannot fail: it was JSON
	var out step
	_ = json.Unmarshal(hosts.ReplaceAll(b, []byte("http://host")), &out)
	momentary(out.Answer)
	return out
}

// momentary removes what depends on the moment: the server counts the people of a room, and checks whether it is recorded, every five seconds; a
// participant's version counts the updates so far; a participant may have published before its joining is reported; and a track's number in its
// connection comes from the negotiation. A departure may first be noticed by the participant's own message, or by its connection.
func momentary(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"numParticipants", "numPublishers", "activeRecording", "mid", "tracks", "isPublisher", "disconnectReason"} {
			delete(v, key)
		}
		if _, isNumber := v["version"].(float64); isNumber {
			delete(v, "version")
		}
		for _, below := range v {
			momentary(below)
		}
	case []any:
		for _, below := range v {
			momentary(below)
		}
	}
}

// roomEvent names a room event by its subject.
func roomEvent(e *livekit.WebhookEvent) string {
	switch {
	case e.Track != nil:
		return e.Event + " " + e.Track.Name
	case e.Participant.GetKind() == livekit.ParticipantInfo_EGRESS:
		return e.Event + " egress"
	case e.Participant != nil:
		return e.Event + " " + e.Participant.Identity
	}
	return e.Event
}
