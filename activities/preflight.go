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

// MetricPreflight counts tries of a destination before a start, by outcome.
const MetricPreflight = "reelkeeper_preflight_total"

const (
	// preflightBudget is how long a start waits for its storage at most: the caller has
	// 9 s, of which LiveKit takes 2 to 6.
	preflightBudget = time.Second
	// attemptTimeout bounds a try that a start no longer waits for.
	attemptTimeout = 20 * time.Second
	// goodFor is how long a destination that was good is not tried again.
	goodFor = 10 * time.Minute
	// doubtFor is how long one that nobody could tell of is not tried again, so that not
	// each start of an outage waits for it. A refusal is forgotten at once: its cause may
	// be mended.
	doubtFor = 30 * time.Second
	// cachedMost is how many destinations are remembered at most.
	cachedMost = 1000
	// triedMost is how many destinations of one start are tried. LiveKit takes one file, one
	// set of segments and some of images.
	triedMost = 8
)

// StoreProber tries destinations. The error is nil for egress.ProbeGood and
// egress.ProbeUnchecked. For egress.ProbeRefused it is an *egress.Error of reason Invalid
// whose Field is at fault.
type StoreProber interface {
	Probe(ctx context.Context, d egress.Destination, name string) (egress.Probed, error)
}

// PreflightConfig says which starts are preceded by a try of their storage. The zero
// value tries nothing.
type PreflightConfig struct {
	Prober StoreProber // default: nothing is tried
	Off    bool        // only those that ask for it
	Always bool        // all; default: those to a destination that was not tried lately
}

// Preflight tries the storage of a start, so that a wrong bucket is found before the
// recording and not after it. It is safe for concurrent use.
type Preflight struct {
	cfg     PreflightConfig
	key     []byte // of the digests by which destinations are remembered
	flights singleflight.Group
	mu      sync.Mutex
	seen    map[string]tried
}

// tried is what a try found, and when.
type tried struct {
	found egress.Probed
	err   error
	at    time.Time // of egress.ProbeSlow: when the start that waited in vain began to
}

// NewPreflight makes a Preflight that has tried nothing yet.
func NewPreflight(cfg PreflightConfig) *Preflight {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return &Preflight{cfg: cfg, key: key, seen: map[string]tried{}}
}

// target is one destination of a start, and what became of its try.
type target struct {
	egress.Destination
	digest string
	tried
}

// try tries the destinations of a request, once each, within the budget and half of what
// is left until by, where that is not zero: LiveKit is to be asked before then. What has not answered by then
// goes on, for the starts that follow.
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

// targets are a request's first destinations, those that are the same only once.
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

// digest tells destinations apart, by their credentials too, without keeping them.
func (p *Preflight) digest(d egress.Destination) string {
	h := hmac.New(sha256.New, p.key)
	for _, m := range []proto.Message{d.Upload.S3, d.Upload.GCP, d.Upload.Azure, d.Upload.AliOSS} {
		b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m) // what was parsed can be written
		_, _ = fmt.Fprintf(h, "%d:%s", len(b), b)
	}
	_, _ = h.Write([]byte(d.ProbePath("")))
	return string(h.Sum(nil))
}

// await is what a try found, or slow once the budget is over: then only what is there
// already counts.
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

// attempt tries a destination, for all that wait for it.
func (p *Preflight) attempt(ctx context.Context, t target) tried {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	found, err := p.cfg.Prober.Probe(ctx, t.Destination, strings.ToLower(rand.Text()))
	v := tried{found, withoutCause(err), time.Now()}
	p.remember(t.digest, v)
	return v
}

// withoutCause is an error with our words alone: the answer of a store behind it may be long,
// and is remembered with it.
func withoutCause(err error) error {
	e, ok := errors.AsType[*egress.Error](err)
	if !ok {
		return err
	}
	return &egress.Error{Reason: e.Reason, Code: e.Code, Message: e.Message, Field: e.Field}
}

// lately is what a destination was found to be, while that still counts.
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

// remember keeps what a destination was found to be, unless something was found later: a try may
// end when nobody waits for it any more, and before they say that it is slow.
func (p *Preflight) remember(digest string, v tried) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[digest].at.After(v.at) {
		return
	}
	if len(p.seen) >= cachedMost {
		maps.DeleteFunc(p.seen, func(_ string, v tried) bool { return !v.counts() })
	}
	for some := range p.seen { // all may count still: a directory of its own for each recording is one each
		if len(p.seen) < cachedMost {
			break
		}
		delete(p.seen, some)
	}
	p.seen[digest] = v
}

// refused is the first definite no, nil where there is none. One of a profile's storage
// names the profile: the caller knows no other.
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
