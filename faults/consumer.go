package main

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

// announcePath is the consumer's path in the settings. Each request that names a webhook has
// another one.
const announcePath = "/announced"

// consumer takes announcements as a former consumer of LiveKit's own webhooks does. It logs what
// arrives, and misbehaves as the scenario says.
type consumer struct {
	spec   consumerSpec
	log    *record
	keys   auth.KeyProvider
	away   atomic.Bool
	server *http.Server

	mu     sync.Mutex // guards random
	random *rand.Rand
}

func newConsumer(spec consumerSpec, log *record, seed uint64, addr string) (*consumer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &consumer{spec: spec, log: log, keys: auth.NewSimpleKeyProvider(apiKey, apiSecret), random: newRandom(seed, theConsumer)}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = c.server.Serve(l) }() // returns after close
	return c, nil
}

// ServeHTTP takes one request.
func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.away.Load() {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, err = webhook.Receive(&http.Request{Header: r.Header, Body: io.NopCloser(bytes.NewReader(body))}, c.keys)
	answer, cut := c.answer()
	entry := check.Request{Path: r.URL.Path, Header: r.Header.Clone(), Body: string(body), Verified: err == nil, Answer: answer, At: time.Now()}
	entry.Header.Del("Authorization") // it has been verified, and is of no further use
	if err := c.log.add(entry); err != nil {
		panic(http.ErrAbortHandler)
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer)
}

// answer returns the consumer's next answer, and whether it gets lost.
func (c *consumer) answer() (status int, cut bool) {
	c.mu.Lock()
	slow, fails, cuts := c.random.Float64() < c.spec.Slow, c.random.Float64() < c.spec.Error, c.random.Float64() < c.spec.Cut
	c.mu.Unlock()
	if slow {
		sleep(context.Background(), 2*time.Second)
	}
	if fails {
		return http.StatusInternalServerError, false
	}
	return http.StatusOK, cuts
}

// comeAndGo takes the consumer away now and then, until the context ends.
func (c *consumer) comeAndGo(ctx context.Context, seed uint64) {
	defer c.away.Store(false)
	random := newRandom(seed, theConsumer+" away")
	for c.spec.Away.Every > 0 && sleep(ctx, c.spec.Away.next(random)) {
		c.away.Store(true)
		sleep(ctx, c.spec.Away.down(random))
		c.away.Store(false)
	}
}

func (c *consumer) close() { _ = c.server.Close() }

// next draws how long a state lasts: Every is the mean, with a cap so that even a short run sees a
// change.
func (o outage) next(random *rand.Rand) time.Duration {
	return time.Duration((0.25 + 1.5*random.Float64()) * float64(o.Every))
}

// down draws how long something is away.
func (o outage) down(random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(int64(o.Down) + 1))
}
