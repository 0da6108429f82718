package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/reallivekit"
)

// scenario is one life of an egress: where it is, its fate, and the calls.
type scenario struct {
	dir  string // of the captures; without captures, its name
	in   who    // the room; none for a web egress
	fate reallivekit.Fate
	play func(p *play)
	// alone says that it needs its own real server.
	alone, noWorker bool
	asksRoom        bool            // GetParticipant asks the room itself
	uncaught        bool            // there are no captures of it
	refuses         twirp.ErrorCode // how the fake refuses a start
}

// room is the name of the captured room.
func (sc scenario) room(t *testing.T) string {
	t.Helper()
	if sc.uncaught {
		return "r-" + sc.dir
	}
	r := recording{t, sc.dir}
	for _, name := range r.files("01-project-room_started.json") {
		room, _ := r.json(name).(map[string]any)["room"].(map[string]any)
		return fmt.Sprint(room["name"])
	}
	return ""
}

func stopOnceActive(file string) func(*play) {
	return func(p *play) {
		id := p.begin(file)
		p.active(id)
		p.stop("api-StopEgress.json", id)
		p.finally(id, 1)
	}
}

func leaveOnceActive(file string) func(*play) {
	return func(p *play) {
		id := p.begin(file)
		p.active(id)
		p.leave(p.asking.t, p.room)
		p.finally(id, 1)
	}
}

func deleteOnceActive(file string) func(*play) {
	return func(p *play) {
		id := p.begin(file)
		p.active(id)
		p.deleteRoom()
		p.finally(id, 1)
	}
}

func untilTheEnd(file string) func(*play) {
	return func(p *play) { p.finally(p.begin(file), 1) }
}

// abort ends an egress that has not begun to record, by a call or by the end of its room.
func abort(file string, end func(p *play, id string)) func(*play) {
	return func(p *play) {
		id := p.begin(file)
		p.recorder("participant_joined")
		end(p, id)
		p.finally(id, 1)
	}
}

func byCall(p *play, id string) { p.stop("api-StopEgress.json", id) }

// byRoom gives the recorder a moment: it considers itself connected a little later than the server
// does, and if the room is gone by then, the failure is another one.
func byRoom(p *play, _ string) {
	<-time.After(8 * time.Second)
	p.deleteRoom()
}

// finally waits for the end and then lists the egress.
func (p *play) finally(id string, ends int) {
	p.asking.t.Helper()
	p.ended(id, ends)
	p.list("list", &livekit.ListEgressRequest{EgressId: id})
}

// like returns a room composite of the scenario's room.
func (p *play) like() *livekit.EgressInfo {
	return &livekit.EgressInfo{Request: &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{
		RoomName: p.room, FileOutputs: files("out/{room_name}-{time}", nil),
		Webhooks: []*livekit.WebhookConfig{{Url: "https://consumer.example.com/hook?token=t", SigningKey: liveKey}},
	}}}
}

var scenarios = []scenario{
	{dir: "tc-stop", in: alice, fate: reallivekit.Lingering, play: func(p *play) {
		id := p.begin("api-StartTrackCompositeEgress.json")
		p.active(id)
		p.stop("api-StopEgress.json", id)
		p.stop("api-StopEgress-again.json", id)
		p.finally(id, 1)
		p.stop("api-StopEgress-ended.err.txt", id)
		p.stop("api-StopEgress-unknown.err.txt", "EG_unknown")
	}},
	{dir: "rc-stop", in: alice, play: stopOnceActive("api-StartRoomCompositeEgress.json")},
	{dir: "web-stop", play: stopOnceActive("api-StartWebEgress.json")},
	{dir: "wh-request", in: alice, play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "wh-request-unknownkey", in: alice, play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "wh-request-otherkey", in: alice, play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "wh-request-emptykey", in: alice, play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "bad-path-perm", in: alice, fate: reallivekit.Unstored, play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "s3-403", in: alice, fate: reallivekit.Unstored, play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "tc-leave", in: alice, play: leaveOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "participant-leave", in: alice, play: leaveOnceActive("api-StartParticipantEgress.json")},
	{dir: "v2-template", in: alice, play: leaveOnceActive("api-StartEgress.json")},
	{dir: "tc-deleteroom", in: alice, play: deleteOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "rc-audio-deleteroom", in: aliceAudio, play: deleteOnceActive("api-StartRoomCompositeEgress.json")},
	{dir: "tc-kill-handler", in: alice, fate: reallivekit.Killed, play: untilTheEnd("api-StartTrackCompositeEgress.json")},
	{dir: "empty-tc", in: nobody, play: untilTheEnd("api-Start.json")},
	{dir: "empty-participant", in: nobody, play: untilTheEnd("api-Start.json")},
	{dir: "empty-rc", in: nobody, play: abort("api-Start.json", byCall)},
	{dir: "empty-rc-audio", in: nobody, play: abort("api-Start.json", byCall)},
	{dir: "empty-rc-deleteroom", in: nobody, play: abort("api-Start.json", byRoom)},
	{dir: "tc-kill9-observe", in: alice, fate: dies, alone: true, play: func(p *play) {
		id := p.begin("api-StartTrackCompositeEgress.json")
		p.active(id)
		p.killWorker(p.asking.t, p.room)
		p.recorder("participant_left")
		p.stop("api-StopEgress-dead.err.txt", id)
		p.deleteRoom()
		p.list("list", &livekit.ListEgressRequest{EgressId: id})
	}},
	{dir: "start-noroom", play: func(p *play) {
		out := files("x.mp4", nil)
		ask(&p.asking, "api-RC-noroom.err.txt", p.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: "nowhere", FileOutputs: out})
		ask(&p.asking, "api-P-noroom.err.txt", p.egress.StartParticipantEgress, &livekit.ParticipantEgressRequest{RoomName: "nowhere", Identity: "a", FileOutputs: out})
		ask(&p.asking, "api-RC-nooutput.err.txt", p.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: "nowhere"})
	}},
	{dir: "start-invalid", in: nobody, play: func(p *play) {
		ask(&p.asking, "api-RC-nooutput.err.txt", p.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: p.room})
	}},
	{dir: "start-noworker", in: alice, fate: absent, alone: true, noWorker: true, refuses: twirp.Unavailable, play: func(p *play) {
		ask(&p.asking, "api-StartTC-noworker.err.txt", p.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: p.room, FileOutputs: files("x.mp4", nil)})
	}},
	{dir: "refused", in: nobody, fate: reallivekit.Refuse, uncaught: true, refuses: twirp.ResourceExhausted, play: func(p *play) {
		ask(&p.asking, "start", p.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: p.room, FileOutputs: files("x.mp4", nil)})
	}},
	{dir: "slow", in: alice, fate: reallivekit.Slow, uncaught: true, play: func(p *play) {
		id := p.started("start", p.like())
		p.active(id)
		p.stop("stop", id)
		p.finally(id, 1)
	}},
	{dir: "limited", in: alice, fate: reallivekit.Limited, uncaught: true, play: func(p *play) { p.finally(p.started("start", p.like()), 1) }},
	{dir: "twice", in: alice, fate: reallivekit.Twice, uncaught: true, play: func(p *play) {
		id := p.started("start", p.like())
		p.ended(id, 1)
		p.hooks().reached(p.asking.t, 1, "the second run", func(h hook) bool { return p.mine(h) && h.EgressInfo.GetRetryCount() == 1 })
		p.stop("stop the second run", id)
		p.finally(id, 2)
	}},
	{dir: "asked", in: alice, uncaught: true, play: func(p *play) {
		id := p.started("start", p.like())
		p.active(id)
		p.question("ask its worker", id)
		p.list("list it", &livekit.ListEgressRequest{EgressId: id})
		p.stop("stop", id)
		p.finally(id, 1)
		p.question("ask the worker of one that has ended", id)
		p.question("ask for an unknown ID", "EG_unknown")
	}},
	{dir: "asked-dead", in: alice, fate: dies, alone: true, uncaught: true, play: func(p *play) {
		id := p.started("start", p.like())
		p.active(id)
		p.killWorker(p.asking.t, p.room)
		p.recorder("participant_left")
		p.question("ask its worker", id)
		p.deleteRoom()
		p.list("list", &livekit.ListEgressRequest{EgressId: id})
	}},
	{dir: "room-asked", in: alice, alone: true, noWorker: true, asksRoom: true, uncaught: true, play: func(p *play) {
		nobody := &livekit.RoomParticipantIdentity{Room: p.room, Identity: "EG_unknown"}
		ask(&p.asking, "who is not in the room", p.rooms.GetParticipant, nobody)
		p.deleteRoom()
		ask(&p.asking, "who is not in a room that is gone", p.rooms.GetParticipant, nobody)
		ask(&p.asking, "list the room that is gone", p.rooms.ListRooms, &livekit.ListRoomsRequest{Names: []string{p.room}})
	}},
	{dir: "listing", in: alice, uncaught: true, play: func(p *play) {
		first, second := p.started("start", p.like()), p.started("start another", p.like())
		p.active(first)
		p.active(second)
		p.stop("stop one", second)
		p.ended(second, 1)
		p.list("list one", &livekit.ListEgressRequest{EgressId: first})
		p.list("list those of the room", &livekit.ListEgressRequest{RoomName: p.room})
		p.list("list the active ones of the room", &livekit.ListEgressRequest{RoomName: p.room, Active: true})
		p.list("list one that is not active, as active", &livekit.ListEgressRequest{EgressId: second, Active: true})
		p.list("list those of an unknown room", &livekit.ListEgressRequest{RoomName: "nowhere"})
		p.list("list an unknown ID", &livekit.ListEgressRequest{EgressId: "EG_unknown"})
		ask(&p.asking, "who is in the room", p.rooms.GetParticipant, &livekit.RoomParticipantIdentity{Room: p.room, Identity: first})
		p.left(second)
		ask(&p.asking, "who has left the room", p.rooms.GetParticipant, &livekit.RoomParticipantIdentity{Room: p.room, Identity: second})
		p.stop("stop the other", first)
		p.finally(first, 1)
	}},
}

// Every difference between the captures from a real server with the real egress service, the real
// server with our worker double, and our double of both, is in a table with its reason. An entry
// that is no difference is an error, too.
func TestTheRealLiveKitAndItsDoubleSayTheSame(t *testing.T) { //nolint:tparallel // what all saw is counted when all have ended
	t.Parallel()
	shared := newRealSide(t, nil)
	seen := make(chan []sawn, len(scenarios))
	t.Run("scenarios", func(t *testing.T) {
		for _, sc := range scenarios {
			t.Run(sc.dir, func(t *testing.T) {
				t.Parallel()
				seen <- sc.compared(t, shared)
			})
		}
	})
	if len(seen) < len(scenarios) {
		return // some failed, or were not selected
	}
	close(seen)
	needed := map[*sameness]map[int]bool{captures: {}, doubles: {}}
	for list := range seen {
		for _, s := range list {
			maps.Copy(needed[s.table], s.seen)
		}
	}
	for table, rows := range needed {
		for n, d := range table.differences {
			require.True(t, rows[n], "%s: %s: the table allows a difference that is none (%s)", d.step, d.path, d.because)
		}
	}
}

// sawn records which differences of a table were seen.
type sawn struct {
	table *sameness
	seen  map[int]bool
}

// compared plays a scenario on both sides, and compares them with each other and with the captures.
func (sc scenario) compared(t *testing.T, shared side) []sawn {
	t.Helper()
	onReal := shared
	if sc.alone {
		onReal = newRealSide(t, func(o *reallivekit.Options) { o.NoWorker, o.AsksRoom = sc.noWorker, sc.asksRoom })
	}
	onFake := newFakeSide(t, func(c *fakelivekit.Config) {
		c.RefuseWith, c.AsksRoom = []twirp.ErrorCode{cmp.Or(sc.refuses, twirp.Unavailable)}, sc.asksRoom
		if sc.fate == reallivekit.Lingering {
			c.Timings.Ending = lingers
		}
	})
	captured := report{}
	if !sc.uncaught {
		captured = recording{t, sc.dir}.captured()
	}
	played, fake := doubles.report(t,
		func(t *testing.T) report { return sc.played(t, onReal, captured) },
		func(t *testing.T) report { return sc.played(t, onFake, captured) })
	result := []sawn{{doubles, doubles.hold(t, played, fake)}}
	if !sc.uncaught {
		result = append(result, sawn{captures, captures.hold(t, captured.without(played), asRecorded(played, captured))})
	}
	return result
}

func (sc scenario) played(t *testing.T, on side, captured report) report {
	t.Helper()
	p := newPlay(t, on, sc)
	sc.play(p)
	return p.notes(captured)
}

// sameness is the ways in which two sides may differ.
type sameness struct {
	sides
	differences []allowed
}

// hold fails the test for each difference that is not in the table, and returns which of the table were
// seen.
func (s *sameness) hold(t *testing.T, mine, theirs report) map[int]bool {
	t.Helper()
	mine, theirs = aligned(mine, theirs)
	unexpected, seen := s.compare(mine, theirs, s.differences)
	slices.Sort(unexpected)
	for _, d := range unexpected {
		t.Error(d)
	}
	return seen
}
