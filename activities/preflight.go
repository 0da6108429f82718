package activities

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// MetricPreflight counts probes of a destination before a start, by outcome.
const MetricPreflight = "reelkeeper_preflight_total"

const (
	// preflightBudget is the longest that a start waits for its storage: the caller has 9 s, of
	// which LiveKit takes 2 to 6.
	preflightBudget = time.Second
	// attemptTimeout bounds a probe that a start no longer waits for.
	attemptTimeout = 20 * time.Second
	// goodFor is how long a good destination is not probed again.
	goodFor = 10 * time.Minute
	// doubtFor is how long a destination with an inconclusive result is not probed again, so that
	// not each start during an outage waits for it. A refusal is forgotten at once: its cause may
	// be fixed.
	doubtFor = 30 * time.Second
	// cachedMost is the most destinations that are remembered.
	cachedMost = 1000
	// triedMost is the most destinations of one start that are probed. LiveKit takes one file, one
	// set of segments and several sets of images.
	triedMost = 8
)

// StoreProber probes destinations. The error is nil for egress.ProbeGood and
// egress.ProbeUnchecked. For egress.ProbeRefused it is an *egress.Error of reason Invalid whose
// Field is at fault.
type StoreProber interface {
	Probe(ctx context.Context, d egress.Destination, name string) (egress.Probed, error)
}

// PreflightConfig says which starts probe their storage first. The zero value probes nothing.
type PreflightConfig struct {
	Prober StoreProber // default: nothing is probed
	Off    bool        // only starts that ask for it
	Always bool        // all starts; default: those to a destination that was not probed recently
}

// Preflight probes the storage of a start, so that a wrong bucket is found before the recording
// and not after it. It is safe for concurrent use.
type Preflight struct {
	cfg     PreflightConfig
	key     []byte // for the digests by which destinations are remembered
	flights singleflight.Group
	mu      sync.Mutex
	seen    map[string]tried
}

// tried is the result of a probe, and its time.
type tried struct {
	found egress.Probed
	err   error
	at    time.Time // for egress.ProbeSlow: when the start that waited in vain began to
}

// NewPreflight returns a Preflight that has probed nothing yet.
func NewPreflight(cfg PreflightConfig) *Preflight {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return &Preflight{cfg: cfg, key: key, seen: map[string]tried{}}
}

// target is one destination of a start, and the result of its probe.
type target struct {
	egress.Destination
	digest string
	tried
}

// try probes the destinations of a request, once each, within the budget and, if by is not zero,
// half of the time left until then: LiveKit is to be asked before by. Probes that have not
// answered in time continue, for the benefit of later starts.
func (p *Preflight) try(ctx context.Context, r egress.Request, asked bool, by time.Time) []target {
	budget := preflightBudget
	if !by.IsZero() {
		budget = min(budget, time.Until(by)/2)
	}
	if p.cfg.Prober == nil || p.cfg.Off && !asked || budget <= 0 {
		return nil
	}
	targets, began := p.targets(r), time.Now()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget)
	defer cancel()
	flights := make([]<-chan singleflight.Result, len(targets))
	for i, t := range targets {
		if known, ok := p.lately(t.digest); ok && !asked && !p.cfg.Always {
			targets[i].tried = known
			continue
		}
		flights[i] = p.flights.DoChan(t.digest, func() (any, error) { return p.attempt(ctx, t), nil })
	}
	for i, flight := range flights {
		if flight != nil {
			targets[i].tried = p.await(within, flight, targets[i], began)
		}
	}
	return targets
}

// targets returns a request's first destinations without duplicates.
func (p *Preflight) targets(r egress.Request) []target {
	var list []target
	there := map[string]bool{}
	for _, d := range egress.Destinations(r) {
		if d.Upload.Store() == egress.StoreLocal {
			continue // LiveKit's own
		}
		if len(list) == triedMost {
			break
		}
		digest := p.digest(d)
		if !there[digest] {
			list = append(list, target{Destination: d, digest: digest})
		}
		there[digest] = true
	}
	return list
}

// digest tells destinations apart, by their credentials too, without storing them.
func (p *Preflight) digest(d egress.Destination) string {
	h := hmac.New(sha256.New, p.key)
	for _, m := range []proto.Message{d.Upload.S3, d.Upload.GCP, d.Upload.Azure, d.Upload.AliOSS} {
		b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m) // what was parsed can be written
		_, _ = fmt.Fprintf(h, "%d:%s", len(b), b)
	}
	_, _ = h.Write([]byte(d.ProbePath("")))
	return string(h.Sum(nil))
}

// await returns the result of a probe, or slow once the budget is spent; then only a result that
// is already there counts.
func (p *Preflight) await(budget context.Context, flight <-chan singleflight.Result, t target, began time.Time) tried {
	select {
	case r := <-flight:
		return r.Val.(tried)
	case <-budget.Done():
	}
	select {
	case r := <-flight:
		return r.Val.(tried)
	default:
	}
	slow := tried{egress.ProbeSlow, fmt.Errorf("%s: the store has not answered in time", t.Field), began}
	p.remember(t.digest, slow)
	return slow
}

// attempt probes a destination, on behalf of all that wait for it.
func (p *Preflight) attempt(ctx context.Context, t target) tried {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	found, err := p.cfg.Prober.Probe(ctx, t.Destination, strings.ToLower(rand.Text()))
	v := tried{found, withoutCause(err), time.Now()}
	p.remember(t.digest, v)
	return v
}

// withoutCause returns an error with our words alone: the store's answer behind it may be long,
// and would be remembered with it.
func withoutCause(err error) error {
	e, ok := errors.AsType[*egress.Error](err)
	if !ok {
		return err
	}
	return &egress.Error{Reason: e.Reason, Code: e.Code, Message: e.Message, Field: e.Field}
}

// lately returns the remembered result for a destination, while it still counts.
func (p *Preflight) lately(digest string) (tried, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.seen[digest]
	if !ok || !v.counts() {
		return tried{}, false
	}
	if v.found == egress.ProbeGood {
		v.found = egress.ProbeKnown
	}
	return v, true
}

func (v tried) counts() bool {
	keep := map[egress.Probed]time.Duration{
		egress.ProbeGood: goodFor, egress.ProbeUndeleted: goodFor, egress.ProbeUnchecked: goodFor,
		egress.ProbeUnreachable: doubtFor, egress.ProbeSlow: doubtFor,
	}
	return time.Since(v.at) < keep[v.found]
}

// remember stores a destination's result unless there is a later one: a probe may end when nobody
// waits for it any more, and before the waiting start calls it slow.
func (p *Preflight) remember(digest string, v tried) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[digest].at.After(v.at) {
		return
	}
	if len(p.seen) >= cachedMost {
		maps.DeleteFunc(p.seen, func(_ string, v tried) bool { return !v.counts() })
	}
	for some := range p.seen { // all may still count: a directory per recording makes each a destination of its own
		if len(p.seen) < cachedMost {
			break
		}
		delete(p.seen, some)
	}
	p.seen[digest] = v
}

// refused returns the first definite refusal, or nil. One by a profile's storage names the
// profile, since the caller knows no other name.
func refused(targets []target, r egress.Request, profile string) error {
	own := map[string]bool{} // the request's own, before a profile was filled in
	for _, d := range egress.Destinations(r) {
		own[d.Field] = true
	}
	for _, t := range targets {
		e, ok := errors.AsType[*egress.Error](t.err)
		switch {
		case t.found != egress.ProbeRefused:
		case ok && !own[t.Field]:
			return t.OfProfile(profile, e)
		default:
			return t.err
		}
	}
	return nil
}
