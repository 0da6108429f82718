package fakelivekit_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// play plays a recorded scenario on the fake: the same calls, in the same order.
type play struct {
	*fake
	recording
	room string
}

// Both embedded fields have Errorf and the like; use the test's own.
func (p play) t() *testing.T { return p.recording.T }

// start repeats the call that led to a recorded reply, and compares the replies.
func (p play) start(file string) string {
	p.t().Helper()
	want := p.info(file)
	got, err := p.send(want)
	require.NoError(p.t(), err, file)
	same(p.t(), file, protoText(p.t(), got), p.read(file))
	return got.EgressId
}

// send starts what the echo in a recorded reply shows, with the fake's own tracks and our endpoint for webhooks.
func (p play) send(recorded *livekit.EgressInfo) (*livekit.EgressInfo, error) {
	ctx := p.t().Context()
	switch r := proto.CloneOf(recorded).Request.(type) {
	case *livekit.EgressInfo_RoomComposite:
		return p.egress.StartRoomCompositeEgress(ctx, r.RoomComposite)
	case *livekit.EgressInfo_Web:
		return p.egress.StartWebEgress(ctx, r.Web)
	case *livekit.EgressInfo_Participant:
		return p.egress.StartParticipantEgress(ctx, r.Participant)
	case *livekit.EgressInfo_TrackComposite:
		r.TrackComposite.AudioTrackId = p.track(r.TrackComposite.AudioTrackId)
		r.TrackComposite.VideoTrackId = p.track(r.TrackComposite.VideoTrackId)
		p.redirect(r.TrackComposite.Webhooks)
		unredact(r.TrackComposite.FileOutputs)
		return p.egress.StartTrackCompositeEgress(ctx, r.TrackComposite)
	case *livekit.EgressInfo_Egress:
		p.redirect(r.Egress.Webhooks)
		return p.unified(r.Egress)
	}
	p.t().Fatalf("no request in %v", recorded)
	return nil, nil
}

// unified calls StartEgress, which the SDK's client does not have.
func (p play) unified(req *livekit.StartEgressRequest) (*livekit.EgressInfo, error) {
	client := livekit.NewEgressProtobufClient(p.URL(), http.DefaultClient)
	token := tokenFor(p.t(), apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true})
	ctx, err := twirp.WithHTTPRequestHeaders(p.t().Context(), http.Header{"Authorization": {"Bearer " + token}})
	require.NoError(p.t(), err)
	return client.StartEgress(ctx, req)
}

// track returns the track of the fake's alice that stands for a recorded one. Tracks that never existed
// stay so.
func (p play) track(id string) string {
	p.t().Helper()
	if strings.HasSuffix(id, "nope") {
		return id
	}
	resp, err := p.rooms.ListParticipants(p.t().Context(), &livekit.ListParticipantsRequest{Room: p.room})
	require.NoError(p.t(), err)
	for _, t := range resp.Participants[0].Tracks {
		if t.Sid[:5] == id[:5] {
			return t.Sid
		}
	}
	p.t().Fatalf("no track like %s in %v", id, resp)
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

func (p play) redirect(hooks []*livekit.WebhookConfig) {
	for _, h := range hooks {
		h.Url = hosts.ReplaceAllString(h.Url, p.endpoint.URL)
	}
}

// stop stops an egress and compares the reply.
func (p play) stop(id, file string) {
	p.t().Helper()
	got, err := p.egress.StopEgress(p.t().Context(), &livekit.StopEgressRequest{EgressId: id})
	require.NoError(p.t(), err, file)
	same(p.t(), file, protoText(p.t(), got), p.read(file))
}

// stopFails stops an egress, and compares the error.
func (p play) stopFails(id, file string) {
	p.t().Helper()
	_, err := p.egress.StopEgress(p.t().Context(), &livekit.StopEgressRequest{EgressId: id})
	p.fails(err, file)
}

func (p play) fails(err error, file string) {
	p.t().Helper()
	require.EqualError(p.t(), err, strings.TrimSpace(string(p.read(file))), file)
}

func (p play) deleteRoom() {
	p.t().Helper()
	require.NoError(p.t(), errorOf(p.rooms.DeleteRoom(p.t().Context(), &livekit.DeleteRoomRequest{Room: p.room})))
}

// compare compares all webhooks of both queues and endpoints, and the final list, with the recording.
func (p play) compare(id string) {
	p.t().Helper()
	for _, endpoint := range []string{"project", "request"} {
		p.compareQueue(endpoint, true)
		p.compareQueue(endpoint, false)
	}
	for _, file := range p.files("list-final-*") {
		same(p.t(), "list", protoText(p.t(), p.listed(id)), p.read(file))
	}
}

// compareQueue compares one queue in order. A capture stopped some seconds after the end, so further room events may
// follow.
func (p play) compareQueue(endpoint string, egress bool) {
	p.t().Helper()
	want := p.bodies(endpoint, egress)
	tracks := len(p.files("*-track_*")) > 0
	mine := func(r received) bool {
		return strings.HasPrefix(r.path, "/project") == (endpoint == "project") &&
			strings.HasPrefix(r.Event, "egress_") == egress && (tracks || !strings.HasPrefix(r.Event, "track_"))
	}
	got := p.await(len(want), mine)
	if egress {
		require.Len(p.t(), names(got), len(want), endpoint)
	}
	for i := range want {
		same(p.t(), endpoint+" webhook", got[i].body, want[i])
	}
}

// scenario is a recorded scenario and how to play it.
type scenario struct {
	dir    string
	script fakelivekit.RoomScript
	change func(*fakelivekit.Config)
	play   func(p play) (egressID string)
}

func TestTheFakeBehavesAsWasRecorded(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		t.Run(sc.dir, func(t *testing.T) {
			t.Parallel()
			rec := recording{t, sc.dir}
			p := play{fake: start(t, sc.change), recording: rec, room: roomOf(rec)}
			if p.room != "" {
				p.fake.room(p.room, sc.script)
			}
			if id := sc.play(p); id != "" {
				p.compare(id)
			}
		})
	}
}

// roomOf returns the name of the recorded room; a web egress has none.
func roomOf(r recording) string {
	for _, name := range r.files("01-project-room_started.json") {
		var body struct{ Room struct{ Name string } }
		unmarshal(r.T, r.read(name), &body)
		return body.Room.Name
	}
	return ""
}

var scenarios = []scenario{
	{dir: "tc-stop", change: slowly, play: func(p play) string {
		id := p.start("api-StartTrackCompositeEgress.json")
		p.active(id)
		p.stop(id, "api-StopEgress.json")
		p.stop(id, "api-StopEgress-again.json")
		p.ended(id)
		p.stopFails(id, "api-StopEgress-ended.err.txt")
		p.stopFails("EG_unknown", "api-StopEgress-unknown.err.txt")
		return id
	}},
	{dir: "rc-stop", play: stopOnceActive("api-StartRoomCompositeEgress.json")},
	{dir: "web-stop", play: stopOnceActive("api-StartWebEgress.json")},
	{dir: "v2-media", play: stopOnceActive("api-StartEgress.json")},
	{dir: "wh-request", play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "wh-request-unknownkey", play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "wh-request-otherkey", play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "wh-request-emptykey", play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "tc-leave", play: endOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "empty-rc-audio", script: fakelivekit.RoomScript{Empty: true}, play: func(p play) string {
		id := p.start("api-Start.json")
		p.await(1, isRecorder("participant_joined"))
		p.stop(id, "api-StopEgress.json")
		p.ended(id)
		return id
	}},
	{dir: "bad-path-perm", script: always(fakelivekit.UploadFailed), play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "s3-403", script: always(fakelivekit.UploadFailed), play: stopOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "participant-leave", play: endOnceActive("api-StartParticipantEgress.json")},
	{dir: "v2-template", play: endOnceActive("api-StartEgress.json")},
	{dir: "tc-kill-handler", script: always(fakelivekit.Failed), play: startAndWait("api-StartTrackCompositeEgress.json")},
	{dir: "empty-tc", script: fakelivekit.RoomScript{Empty: true}, play: startAndWait("api-Start.json")},
	{dir: "empty-participant", script: fakelivekit.RoomScript{Empty: true}, play: startAndWait("api-Start.json")},
	{dir: "tc-deleteroom", play: deleteOnceActive("api-StartTrackCompositeEgress.json")},
	{dir: "rc-audio-deleteroom", script: fakelivekit.RoomScript{AudioOnly: true}, play: deleteOnceActive("api-StartRoomCompositeEgress.json")},
	{dir: "empty-rc", script: fakelivekit.RoomScript{Empty: true}, play: func(p play) string {
		id := p.start("api-Start.json")
		p.await(1, isRecorder("participant_joined"))
		p.stop(id, "api-StopEgress.json")
		p.ended(id)
		return id
	}},
	{dir: "empty-rc-deleteroom", script: fakelivekit.RoomScript{Empty: true}, play: func(p play) string {
		id := p.start("api-Start.json")
		p.await(1, isRecorder("participant_joined"))
		p.deleteRoom()
		p.ended(id)
		return id
	}},
	{dir: "tc-kill9-observe", script: always(fakelivekit.Zombie), play: func(p play) string {
		id := p.start("api-StartTrackCompositeEgress.json")
		p.await(1, isRecorder("participant_left"))
		p.stopFails(id, "api-StopEgress-dead.err.txt")
		p.deleteRoom()
		p.await(1, named("room_finished", ""))
		return id
	}},
	{dir: "start-noroom", play: func(p play) string {
		_, err := p.egress.StartRoomCompositeEgress(p.t().Context(), composite("nowhere"))
		p.fails(err, "api-RC-noroom.err.txt")
		_, err = p.egress.StartParticipantEgress(p.t().Context(), person("nowhere"))
		p.fails(err, "api-P-noroom.err.txt")
		_, err = p.egress.StartRoomCompositeEgress(p.t().Context(), &livekit.RoomCompositeEgressRequest{RoomName: "nowhere"})
		p.fails(err, "api-RC-nooutput.err.txt")
		return ""
	}},
	{dir: "start-invalid", play: func(p play) string {
		_, err := p.egress.StartRoomCompositeEgress(p.t().Context(), &livekit.RoomCompositeEgressRequest{RoomName: p.room})
		p.fails(err, "api-RC-nooutput.err.txt")
		return ""
	}},
	{dir: "start-noworker", script: always(fakelivekit.StartRefused), change: withoutWorkers, play: func(p play) string {
		_, err := p.egress.StartParticipantEgress(p.t().Context(), person(p.room))
		p.fails(err, "api-StartTC-noworker.err.txt")
		return ""
	}},
}

func always(faults ...fakelivekit.Fault) fakelivekit.RoomScript {
	return fakelivekit.RoomScript{Faults: faults}
}

// slowly leaves time to stop something twice.
func slowly(cfg *fakelivekit.Config) { cfg.Timings.Ending = time.Second }

func withoutWorkers(cfg *fakelivekit.Config) { cfg.RefuseWith = []twirp.ErrorCode{twirp.Unavailable} }

func stopOnceActive(file string) func(play) string {
	return func(p play) string {
		id := p.start(file)
		p.active(id)
		p.stop(id, "api-StopEgress.json")
		p.ended(id)
		return id
	}
}

func endOnceActive(file string) func(play) string {
	return func(p play) string {
		id := p.start(file)
		p.active(id)
		p.endCall(p.room)
		p.ended(id)
		return id
	}
}

func deleteOnceActive(file string) func(play) string {
	return func(p play) string {
		id := p.start(file)
		p.active(id)
		p.deleteRoom()
		p.ended(id)
		return id
	}
}

func startAndWait(file string) func(play) string {
	return func(p play) string {
		id := p.start(file)
		p.ended(id)
		return id
	}
}

func isRecorder(event string) func(received) bool {
	return func(r received) bool {
		return r.Event == event && r.Participant.Kind == livekit.ParticipantInfo_EGRESS
	}
}
