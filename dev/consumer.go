package main

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/egress"
)

// consumer stands for whatever handled `egress_ended` before Reelkeeper: it receives announcements
// with LiveKit's own receiver, and counts them.
type consumer struct {
	server   *http.Server
	listener net.Listener
	keys     auth.KeyProvider

	mu    sync.Mutex
	ended map[string]int // announcements by egress ID
}

func newConsumer() (*consumer, error) {
	l, err := net.Listen("tcp", loopback(0))
	if err != nil {
		return nil, fmt.Errorf("consumer: %w", err)
	}
	c := &consumer{listener: l, keys: auth.NewSimpleKeyProvider(devKey, devSecret), ended: map[string]int{}}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = c.server.Serve(l) }() // returns after close
	return c, nil
}

// ServeHTTP receives one announcement.
func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.ReceiveWebhookEvent(r, c.keys)
	if err != nil || e.GetEvent() != egress.EventEnded {
		http.Error(w, "not an egress_ended of LiveKit's", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[e.GetEgressInfo().GetEgressId()]++
}

func (c *consumer) count(egressID string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended[egressID]
}

func (c *consumer) url() string { return "http://" + c.listener.Addr().String() + "/livekit" }

func (c *consumer) close() { _ = c.server.Close() }
