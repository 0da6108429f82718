package gateway

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// unsure is how long after a start went past Temporal who asks with a key may be asking
// again: LiveKit's own answer takes 10 s at most, and callers wait between their attempts.
const unsure = time.Minute

// remembered is how long a key is known with which a start went past Temporal. Its egress is
// adopted by a round, within some minutes of Temporal's return, or by its next webhook: who
// asks with the key before that is to have the same egress.
const remembered = time.Hour

// slowStart is how long LiveKit may not list what it starts: 24 s, as measured, and some
// more.
const slowStart = 30 * time.Second

// askedKeys are the keys with which a door has lately asked LiveKit past Temporal. With
// which ones the door before it did that died, it does not know.
type askedKeys struct {
	since time.Time // when this door began
	mu    sync.Mutex
	keys  map[string]asked
}

// asked is what became of a start past Temporal.
type asked struct {
	at      time.Time
	what    string // askedFor; empty: it is not known, or LiveKit has refused it
	open    bool   // LiveKit's answer is awaited
	unclear bool   // nobody waits any more, or it did not say whether it was started
}

func (a *askedKeys) note(key, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		a.keys = map[string]asked{}
	}
	maps.DeleteFunc(a.keys, func(_ string, k asked) bool { return !k.open && time.Since(k.at) >= remembered })
	a.keys[key] = asked{at: time.Now(), what: what, open: true}
}

// answered notes what LiveKit has answered, or that it never will.
func (a *askedKeys) answered(key string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, e := a.keys[key], asEgress(err)
	if k.open, k.unclear = false, err != nil && (e == nil || e.Reason == egress.Ambiguous); err != nil && !k.unclear {
		k.what = ""
	}
	a.keys[key] = k
}

func (a *askedKeys) of(key string) asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keys[key]
}

// unanswered reports whether LiveKit's answer is awaited.
func (a *askedKeys) unanswered(key string) bool { return a.of(key).open }

// unlisted reports whether LiveKit may have started it and not list it yet.
func (a *askedKeys) unlisted(key string) bool {
	k := a.of(key)
	return k.unclear && time.Since(k.at) < slowStart
}

// known reports whether LiveKit was asked with a key past Temporal, as far as we remember.
func (a *askedKeys) known(key string) bool { return time.Since(a.of(key).at) < remembered }

// others reports whether LiveKit was asked with the key of a start past Temporal for something
// else, of which the workflow that adopts it knows nothing.
func (a *askedKeys) others(s egress.StartOptions) bool {
	k := a.of(s.ID)
	return k.what != "" && a.known(s.ID) && k.what != askedFor(s)
}

// askedFor is a digest of what a start asks for.
func askedFor(s egress.StartOptions) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.Request)
	if err != nil { // it has been read from the wire
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(b, "\x00%s\x00%s\x00%s", egress.KindOf(s.Request), s.Storage, s.Pipeline))
	return string(sum[:])
}

// young reports whether what a door before this one asked may still matter.
func (a *askedKeys) young() bool { return time.Since(a.since) < unsure }
