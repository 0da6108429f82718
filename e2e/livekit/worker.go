package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"
)

// launch is how long a handler process takes to start, while egress_started is being sent.
const launch = 50 * time.Millisecond

// fate is the fate of an egress other than a good recording.
type fate string

const (
	// refuse answers the start with resource_exhausted.
	refuse fate = "refuse"
	// slow accepts the start only after a while.
	slow fate = "slow"
	// killed loses the handler in mid-recording, which its service reports.
	killed fate = "killed"
	// unstored finds at the end that the file can't be stored.
	unstored fate = "unstored"
	// limited stops at LiveKit's own limit.
	limited fate = "limited"
	// hung reports and does nothing more, and stays in the room.
	hung fate = "hung"
	// twice loses its handler in mid-recording, and continues under the same ID.
	twice fate = "twice"
	// lingering takes its time from a stop to its end.
	lingering fate = "lingering"
)

// plan is a fate and when it occurs: after ACTIVE, or, for a slow start, after the call, or, for a lingering end, after the
// stop.
type plan struct {
	Fate  fate `json:"fate"`
	After int  `json:"after_ms"`
}

func (p plan) after() time.Duration { return time.Duration(p.After) * time.Millisecond }

// recorded is what a worker really did, whatever it reported.
type recorded struct {
	EgressID string `json:"egress_id"`
	Room     string `json:"room"`
	File     string `json:"file"`
	Runs     int    `json:"runs"`
}

// worker accepts starts as the egress service does.
type worker struct {
	account
	bus psrpc.MessageBus
	io  rpc.IOInfoClient

	mu       sync.Mutex
	plans    map[string]plan
	recorded []*recorded
}

func newWorker(a account, redisAddr string) (*worker, error) {
	bus := psrpc.NewRedisMessageBus(redis.NewClient(&redis.Options{Addr: redisAddr}))
	io, err := rpc.NewIOInfoClient(bus)
	if err != nil {
		return nil, err
	}
	w := &worker{account: a, bus: bus, io: io, plans: map[string]plan{}}
	s, err := rpc.NewEgressInternalServer(w, bus)
	if err != nil {
		return nil, err
	}
	if err := s.RegisterStartEgressTopic(""); err != nil {
		return nil, err
	}
	return w, s.RegisterListActiveEgressTopic("")
}

// control is how a test decides what is recorded from now on: PUT a plan for a room, or "-" for a page without a room. GET
// returns what was recorded.
func (w *worker) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /plans/{room}", func(rw http.ResponseWriter, r *http.Request) {
		var p plan
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.plans[r.PathValue("room")] = p
	})
	mux.HandleFunc("GET /recorded", func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = json.NewEncoder(rw).Encode(w.recorded)
	})
	return mux
}

// planned returns the plan for a room, or "-" for a page without a room.
func (w *worker) planned(room string) plan {
	w.mu.Lock()
	defer w.mu.Unlock()
	if room == "" {
		room = "-"
	}
	return w.plans[room]
}

// records counts one more run.
func (w *worker) records(info *livekit.EgressInfo, file string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.recorded {
		if r.EgressID == info.EgressId {
			r.Runs++
			return
		}
	}
	w.recorded = append(w.recorded, &recorded{EgressID: info.EgressId, Room: info.RoomName, File: file, Runs: 1})
}

// StartEgress claims a start. If a start is repeated while it is slow, both are run, as with the real worker.
func (w *worker) StartEgress(ctx context.Context, req *rpc.StartEgressRequest) (*livekit.EgressInfo, error) {
	o, err := newOrder(req)
	if err != nil {
		return nil, err
	}
	r := &run{worker: w, order: o, plan: w.planned(o.info.RoomName), stops: make(chan chan *livekit.EgressInfo), asked: make(chan struct{}), news: make(chan *livekit.EgressInfo, 20)}
	switch r.Fate {
	case refuse:
		return nil, psrpc.NewErrorf(psrpc.ResourceExhausted, "not enough CPU")
	case slow:
		<-time.After(r.after())
	}
	first := proto.CloneOf(o.info)
	if _, err := w.io.CreateEgress(ctx, first); err != nil {
		return nil, fmt.Errorf("create egress: %w", err)
	}
	<-time.After(launch)
	go r.tell()
	go r.live(first)
	return first, nil
}

// StartEgressAffinity reports that this worker has room for one more.
func (w *worker) StartEgressAffinity(context.Context, *rpc.StartEgressRequest) float32 { return 1 }

// ListActiveEgress is called by tools.
func (w *worker) ListActiveEgress(context.Context, *rpc.ListActiveEgressRequest) (*rpc.ListActiveEgressResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	resp := &rpc.ListActiveEgressResponse{}
	for _, r := range w.recorded {
		resp.EgressIds = append(resp.EgressIds, r.EgressID)
	}
	return resp, nil
}
