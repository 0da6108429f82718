package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/sender"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// BenchmarkWebhook posts signed webhooks to the door, for many running workflows, until each is
// answered 200: then its signal is durable. The worker handles the signals meanwhile, on the same
// cores.
func BenchmarkWebhook(b *testing.B) {
	const running = 300
	for _, bb := range []struct {
		name    string
		posts   int
		rate    int // per second; 0: as fast as 16 senders can
		senders int
	}{
		{"rate=10", 300, 10, 0},
		{"rate=100", 1000, 100, 0},
		{"full-speed", 2000, 0, 16},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := newStage(b, everythingOn)
			s.startWorker()
			egresses := s.running(running)
			s.flood(s.sign(egresses, 200), 8)
			pid := serverPID(server.Address)
			for b.Loop() {
				b.StopTimer()
				posts := s.sign(egresses, bb.posts)
				b.StartTimer()
				before, began := cpuNow(pid), time.Now()
				var took []time.Duration
				if bb.rate > 0 {
					took = s.pace(posts, time.Second/time.Duration(bb.rate))
				} else {
					took = s.flood(posts, bb.senders)
				}
				s.figures.add("requests/s", float64(len(posts))/time.Since(began).Seconds())
				s.figures.addTimes("answer", took)
				used := cpuNow(pid).since(before)
				s.figures.add("cpu-ms", milliseconds(used.own)/float64(len(posts)))
				s.figures.add("server-cpu-ms", milliseconds(used.server)/float64(len(posts)))
			}
			s.figures.report(b)
		})
	}
}

// BenchmarkWebhookAtTheDoor is BenchmarkWebhook with a Temporal that accepts each signal at once:
// what remains is the door's own cost, at rates that Temporal and a worker cannot serve on the same
// two cores.
func BenchmarkWebhookAtTheDoor(b *testing.B) {
	const rate, posts = 500, 5000
	at, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	temporal := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(temporal, takesAll{})
	go func() { _ = temporal.Serve(at) }()
	b.Cleanup(temporal.Stop)
	s := newStage(b, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["TEMPORAL_ADDRESS"] = at.Addr().String()
	})
	info, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", RoomName: "room", Status: livekit.EgressStatus_EGRESS_ACTIVE})
	require.NoError(b, err)
	egresses := []recordings.Started{{RequestID: "bench", Info: info}}
	s.flood(s.sign(egresses, 500), 16)
	for b.Loop() {
		b.StopTimer()
		signed := s.sign(egresses, posts)
		b.StartTimer()
		before := cpuNow(0)
		s.figures.addTimes("answer", s.pace(signed, time.Second/rate))
		s.figures.add("cpu-ms", milliseconds(cpuNow(0).since(before).own)/posts)
	}
	s.figures.report(b)
}

// takesAll is a Temporal that accepts every signal at once.
type takesAll struct {
	workflowservice.UnimplementedWorkflowServiceServer
}

// GetSystemInfo reports nothing.
func (takesAll) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

// SignalWorkflowExecution accepts a signal.
func (takesAll) SignalWorkflowExecution(context.Context, *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	return &workflowservice.SignalWorkflowExecutionResponse{}, nil
}

// running starts egresses that keep running.
func (s *stage) running(n int) []recordings.Started {
	list := make([]recordings.Started, n)
	var g errgroup.Group
	g.SetLimit(8)
	for i := range n {
		g.Go(func() (err error) {
			list[i], err = s.start("", i)
			return err
		})
	}
	require.NoError(s.b, g.Wait())
	return list
}

// sign makes posts as LiveKit would, for all egresses in turn. Signing is the sender's work and is
// done before the clock starts.
func (s *stage) sign(egresses []recordings.Started, n int) []*http.Request {
	posts := make([]*http.Request, n)
	for i := range posts {
		e := egresses[i%len(egresses)]
		body := webhookBody(s.b, e, egress.EventUpdated, livekit.EgressStatus_EGRESS_ACTIVE)
		posts[i] = s.signed(s.path(e.RequestID), body)
	}
	return posts
}

// webhookBody returns an event about an egress under a new ID, with LiveKit's fields.
func webhookBody(b *testing.B, e recordings.Started, event string, status livekit.EgressStatus) []byte {
	b.Helper()
	info := proto.CloneOf(e.Info.Proto())
	info.Status, info.UpdatedAt = status, time.Now().UnixNano()
	body, err := protojson.Marshal(&livekit.WebhookEvent{
		Event: event, Id: guid.New("EV_"), CreatedAt: time.Now().Unix(), EgressInfo: info,
		Room: &livekit.Room{Sid: info.GetRoomId(), Name: info.GetRoomName()},
	})
	require.NoError(b, err)
	return body
}

func (s *stage) signed(url string, body []byte) *http.Request {
	r, err := sender.Request(s.ctx, url, apiKey, apiSecret, body)
	require.NoError(s.b, err)
	return r
}

// pace sends one post per interval, whether the earlier ones are answered or not, and measures each
// from when it was due.
func (s *stage) pace(posts []*http.Request, every time.Duration) []time.Duration {
	took := make([]time.Duration, len(posts))
	var g errgroup.Group
	began := time.Now()
	for i, r := range posts {
		due := began.Add(time.Duration(i) * every)
		<-time.After(time.Until(due))
		g.Go(func() error {
			err := s.post(r)
			took[i] = time.Since(due)
			return err
		})
	}
	require.NoError(s.b, g.Wait())
	return took
}

// flood makes a number of senders post as fast as they are answered.
func (s *stage) flood(posts []*http.Request, senders int) []time.Duration {
	took := make([]time.Duration, len(posts))
	var g errgroup.Group
	g.SetLimit(senders)
	for i, r := range posts {
		g.Go(func() error {
			began := time.Now()
			err := s.post(r)
			took[i] = time.Since(began)
			return err
		})
	}
	require.NoError(s.b, g.Wait())
	return took
}

// post requires 200.
func (s *stage) post(r *http.Request) error {
	res, err := s.sender.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}
