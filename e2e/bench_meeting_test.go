package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// people is the number of people in a meeting of BenchmarkWebhookOfMeetings, each with a camera and
// a microphone.
const people = 10

// BenchmarkWebhookOfMeetings posts everything that LiveKit sends for recorded meetings, to a
// project's endpoint and to that of the request, at 500 per second: of a meeting's 72 posts, six
// are news to its workflow and four repeat these. Each recording reaches its verdict and is
// announced meanwhile, on the same cores.
func BenchmarkWebhookOfMeetings(b *testing.B) {
	const rate, meetings = 500, 70
	s := newStage(b, everythingOn)
	s.startWorker()
	s.pace(s.meetings(s.running(8)), time.Second/100)
	pid := serverPID(server.Address)
	for b.Loop() {
		b.StopTimer()
		recorded := s.running(meetings)
		posts := s.meetings(recorded)
		b.StartTimer()
		before := cpuNow(pid)
		s.figures.addTimes("answer", s.pace(posts, time.Second/rate))
		for _, r := range recorded {
			v, err := s.client.Wait(s.ctx, workflowOf(r))
			require.NoError(b, err)
			require.Equal(b, egress.FromWebhook, v.EndedBy)
		}
		used := cpuNow(pid).since(before)
		s.figures.add("cpu-ms", milliseconds(used.own)/float64(len(posts)))
		s.figures.add("server-cpu-ms", milliseconds(used.server)/float64(len(posts)))
	}
	s.figures.report(b)
}

// meetings returns the posts of meetings that begin one after another, of which a fifth are in
// progress at any time.
func (s *stage) meetings(recorded []recordings.Started) []*http.Request {
	type due struct {
		at   float64
		post *http.Request
	}
	var all []due
	for i, r := range recorded {
		posts := s.meeting(r)
		for k, post := range posts {
			all = append(all, due{float64(i)/float64(len(recorded)) + float64(k)/float64(len(posts))/5, post})
		}
	}
	slices.SortStableFunc(all, func(x, y due) int { return cmp.Compare(x.at, y.at) })
	posts := make([]*http.Request, len(all))
	for i, d := range all {
		posts[i] = d.post
	}
	return posts
}

// meeting returns LiveKit's posts for one meeting: people join and publish, the recorder joins, and
// all leave.
func (s *stage) meeting(r recordings.Started) (posts []*http.Request) {
	info := r.Info.Proto()
	room := &livekit.Room{Sid: info.GetRoomId(), Name: info.GetRoomName(), CreationTime: time.Now().Unix()}
	said := func(event string, who *livekit.ParticipantInfo, track *livekit.TrackInfo) {
		body, err := protojson.Marshal(&livekit.WebhookEvent{
			Event: event, Id: guid.New("EV_"), CreatedAt: time.Now().Unix(), Room: room, Participant: who, Track: track,
		})
		require.NoError(s.b, err)
		posts = append(posts, s.signed(s.door.URL+egress.WebhookPath, body))
	}
	told := func(of int) {
		body := webhookBody(s.b, r, news[of].event, news[of].status)
		posts = append(posts, s.signed(s.path(r.RequestID), body), s.signed(s.door.URL+egress.WebhookPath, body))
	}
	person := func(i int) *livekit.ParticipantInfo {
		return &livekit.ParticipantInfo{Sid: guid.New("PA_"), Identity: "person-" + strconv.Itoa(i), Name: fmt.Sprintf("Person %d", i)}
	}
	tracks := []*livekit.TrackInfo{{Sid: guid.New("TR_"), Type: livekit.TrackType_VIDEO}, {Sid: guid.New("TR_"), Type: livekit.TrackType_AUDIO}}
	recorder := &livekit.ParticipantInfo{Sid: guid.New("PA_"), Identity: info.GetEgressId(), Kind: livekit.ParticipantInfo_EGRESS}

	said(webhook.EventRoomStarted, nil, nil)
	told(0)
	said(webhook.EventParticipantJoined, recorder, nil)
	told(1)
	for i := range people {
		said(webhook.EventParticipantJoined, person(i), nil)
		for _, t := range tracks {
			said(webhook.EventTrackPublished, person(i), t)
		}
	}
	for i := range people {
		for _, t := range tracks {
			said(webhook.EventTrackUnpublished, person(i), t)
		}
		said(webhook.EventParticipantLeft, person(i), nil)
	}
	said(webhook.EventParticipantLeft, recorder, nil)
	said(webhook.EventRoomFinished, nil, nil)
	told(2)
	told(3)
	return posts
}
