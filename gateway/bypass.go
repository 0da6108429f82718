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

// unsure is for how long after a start past Temporal its caller may ask again: LiveKit's own
// answer takes 10 s at most, and callers wait between their attempts.
const unsure = time.Minute

// remembered is for how long the key of a start past Temporal is known. Who asks with it is to
// have the same egress, until that is adopted: by its next webhook, or by a round within some
// minutes of Temporal's return.
const remembered = time.Hour

// slowStart is how long LiveKit may not list what it starts, and some more.
const slowStart = egress.Unlisted + 6*time.Second

// bypass remembers the starts that this door has lately sent past Temporal, by their keys.
type bypass struct {
	since  time.Time // when this door began
	mu     sync.Mutex
	outage time.Time // when a start last failed open that no workflow knows of
	keys   map[string]detour
}

// detour is a start past Temporal.
type detour struct {
	at     time.Time
	digest string // digestOf, or that of a forwarded call
	word   word
}

// word is what LiveKit has said to a start.
type word int

const (
	awaited word = iota + 1 // zero: it was not asked
	unclear                 // nobody waits for it, or it does not say whether it was started
	refused
	begun
)

// noteOutage notes that a start is about to go past Temporal, whether or not it gets to LiveKit.
func (b *bypass) noteOutage() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outage = time.Now()
}

// ask asks LiveKit with a key, and notes that it is asked, and what it has said.
func (b *bypass) ask(key, digest string, ask func() error) {
	d := detour{time.Now(), digest, awaited}
	b.note(key, d)
	d.word = unclear // where there will be no answer, since we panicked
	defer func() { b.note(key, d) }()
	d.word = wordOf(ask())
}

func wordOf(err error) word {
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
	if b.keys == nil {
		b.keys = map[string]detour{}
	}
	maps.DeleteFunc(b.keys, func(_ string, d detour) bool { return d.word != awaited && !d.known() })
	b.keys[key] = d
}

// of is the last start with a key that went past Temporal, zero where none has.
func (b *bypass) of(key string) detour {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[key]
}

// known reports whether there was one, as far as we remember.
func (d detour) known() bool { return time.Since(d.at) < remembered }

// unlisted reports whether LiveKit may have started it and not list it yet.
func (d detour) unlisted() bool { return d.word == unclear && time.Since(d.at) < slowStart }

// conflicts reports whether LiveKit was asked for something else, of which the workflow that
// adopts it knows nothing.
func (d detour) conflicts(digest string) bool {
	return d.known() && d.word != refused && d.digest != digest
}

// mayHave reports whether LiveKit may have a start already that no workflow knows of: this door has
// sent it past Temporal, or lately any other, whose caller may ask again; or a door that died before
// this one began may have. For that last reason alone no web egress is looked for: LiveKit would
// list everything.
func (b *bypass) mayHave(s egress.StartOptions) bool {
	known := b.of(s.ID).known()
	b.mu.Lock()
	defer b.mu.Unlock()
	return known || time.Since(b.outage) < unsure || b.young() && egress.Summarize(s.Request).Room != ""
}

// young reports whether callers may still ask again for what a door before this one has sent.
func (b *bypass) young() bool { return time.Since(b.since) < unsure }

// digestOf is a digest of what a start asks for.
func digestOf(s egress.StartOptions) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.Request)
	if err != nil { // it has been read from the wire
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(b, "\x00%s\x00%s\x00%s", egress.KindOf(s.Request), s.Storage, s.Pipeline))
	return string(sum[:])
}
