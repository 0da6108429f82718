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

// unsure is how long after a start past Temporal its caller may still ask again: LiveKit's own
// answer takes 10 s at most, and callers wait between their attempts.
const unsure = time.Minute

// remembered is how long the key of a start past Temporal is kept. A caller that repeats the key
// must get the same egress, until a workflow adopts it: at its next webhook, or in a round within
// some minutes of Temporal's return.
const remembered = time.Hour

// sweepEvery is how often what is no longer remembered is dropped. Each time, all keys are looked at
// while starts wait, and an hour of a busy outage leaves very many.
const sweepEvery = time.Minute

// slowStart is how long an egress that LiveKit starts may be missing from its list, with a margin.
const slowStart = egress.Unlisted + 6*time.Second

// bypass remembers, by key, the starts that this door has lately sent past Temporal, or of which
// Temporal has not said what became.
type bypass struct {
	since  time.Time // when this door began
	mu     sync.Mutex
	outage time.Time // when a start that no workflow knows of last failed open
	keys   map[string]detour
	swept  time.Time // when keys were last swept
}

// detour is a start past Temporal, or one that Temporal may have lost.
type detour struct {
	at     time.Time
	digest string // from digestOf, or the digest of a forwarded call; of what was lost, empty
	result result
}

// result is what became of a start at LiveKit, as far as this door knows.
type result int

const (
	notAsked result = iota // by this door
	awaited
	unclear // nobody waits for the answer, or it does not say whether the egress was started
	refused
	begun
)

// noteOutage records that a start is about to go past Temporal, whether or not it reaches LiveKit.
func (b *bypass) noteOutage() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outage = time.Now()
}

// ask sends LiveKit the start of a key, and records that it was sent and what LiveKit answered.
func (b *bypass) ask(key, digest string, ask func() error) {
	d := detour{time.Now(), digest, awaited}
	b.note(key, d)
	d.result = unclear // if we panic, there is no answer
	defer func() { b.note(key, d) }()
	d.result = resultOf(ask())
}

func resultOf(err error) result {
	switch e := asEgress(err); {
	case err == nil:
		return begun
	case e == nil || e.Reason == egress.Ambiguous:
		return unclear
	default:
		return refused
	}
}

func (b *bypass) note(key string, d detour) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(key, d)
}

// noteDoubt records that a workflow took the start of a key, and that we have not heard what became
// of it. If Temporal loses the workflow, LiveKit may have the egress all the same.
func (b *bypass) noteDoubt(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.keys[key].known() {
		b.put(key, detour{at: time.Now()})
	}
}

func (b *bypass) put(key string, d detour) {
	if b.keys == nil {
		b.keys = map[string]detour{}
	}
	if time.Since(b.swept) >= sweepEvery {
		maps.DeleteFunc(b.keys, func(_ string, d detour) bool { return d.result != awaited && !d.known() })
		b.swept = time.Now()
	}
	b.keys[key] = d
}

// of returns what is remembered of a key's last start, or zero if nothing is.
func (b *bypass) of(key string) detour {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[key]
}

// known reports whether there was such a start and it is still remembered.
func (d detour) known() bool { return time.Since(d.at) < remembered }

// unlisted reports whether LiveKit may have started the egress without listing it yet.
func (d detour) unlisted() bool { return d.result == unclear && time.Since(d.at) < slowStart }

// conflicts reports whether LiveKit was asked for something else under this key. The workflow that
// adopts the egress cannot tell.
func (d detour) conflicts(digest string) bool {
	return d.known() && d.result != notAsked && d.result != refused && d.digest != digest
}

// mayHave reports whether LiveKit may already have this start without any workflow knowing of it:
// this door has sent it, or lately any other start, past Temporal, and its caller may ask again;
// Temporal may have lost it; or an earlier door may have sent it before it died. That last reason
// alone starts no search for a web egress, for which LiveKit would list everything.
func (b *bypass) mayHave(s egress.StartOptions) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[s.RequestID].known() || time.Since(b.outage) < unsure || b.young() && egress.Summarize(s.Request).Room != ""
}

// young reports whether callers may still ask again for a start that an earlier door has sent.
func (b *bypass) young() bool { return time.Since(b.since) < unsure }

// digestOf returns a digest of what a start asks for.
func digestOf(s egress.StartOptions) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.Request)
	if err != nil { // cannot happen: the request was read from the wire
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(b, "\x00%s\x00%s\x00%s", egress.KindOf(s.Request), s.Storage, s.Pipeline))
	return string(sum[:])
}
