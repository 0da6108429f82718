package fakelivekit

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

// Fault names one thing that goes wrong, always or at a rate.
type Fault string

// All faults. Faults says what each of them teaches.
const (
	WebhookLost       Fault = "webhook-lost"
	WebhookRepeated   Fault = "webhook-repeated"
	WebhookLate       Fault = "webhook-late"
	WebhookOutOfOrder Fault = "webhook-out-of-order"
	WebhookHang       Fault = "webhook-hang"
	RoomWebhookLost   Fault = "room-webhook-lost"
	ReplyLost         Fault = "reply-lost"
	ReplyHang         Fault = "reply-hang"
	Reply5xx          Fault = "reply-5xx"
	StartRefused      Fault = "start-refused"
	StartSlow         Fault = "start-slow"
	RateLimited       Fault = "rate-limited"
	APIDown           Fault = "api-down"
	Failed            Fault = "failed"
	UploadFailed      Fault = "upload-failed"
	Aborted           Fault = "aborted"
	LimitReached      Fault = "limit-reached"
	Zombie            Fault = "zombie"
	RecorderUnlisted  Fault = "recorder-unlisted"
	Rerun             Fault = "rerun"
	Forgotten         Fault = "forgotten"
	NoEcho            Fault = "no-echo"
	MediaMissing      Fault = "media-missing"
	MediaEmpty        Fault = "media-empty"
)

// FaultDoc describes a fault.
type FaultDoc struct {
	Name Fault
	// PerEvent says that the fault is decided for each webhook event, not once per egress or call.
	PerEvent bool
	// Teaches is one line for a person: what happens, and what a client must therefore not rely on.
	Teaches string
}

// Faults lists every fault, in the order of the documentation.
func Faults() []FaultDoc { return slices.Clone(faultDocs) }

var faultDocs = []FaultDoc{
	{WebhookLost, true, "An egress event is never sent to anybody: LiveKit keeps its queue in memory and gives up after 15 s. Unless LiveKit is asked, the end of a recording goes unnoticed."},
	{WebhookRepeated, true, "An egress event is sent again with the same ID, and once more with a new ID for the same state: receivers must be idempotent, by ID and by content."},
	{WebhookLate, true, "An egress event, and what queues behind it, comes seconds late: a timer may have acted already."},
	{WebhookOutOfOrder, true, "An egress event comes after its successor: a status must never go back."},
	{WebhookHang, true, "The endpoint takes an egress event and never answers: the events queued behind it grow too old, and LiveKit drops them without a single attempt."},
	{RoomWebhookLost, true, "A room, participant or track event is never sent: hints may go missing, too."},
	{ReplyLost, false, "A start is accepted and the connection is cut before the reply: an error from a start does not mean that nothing records."},
	{ReplyHang, false, "A start is accepted and its reply comes after the client's timeout: sending it again makes a twin."},
	{Reply5xx, false, "A start is accepted and a proxy answers with 500 or 503: not even a clear server error means that nothing records."},
	{StartRefused, false, "A start is refused because there is no worker or no quota: nothing records, and sending it again later is right."},
	{StartSlow, false, "A start takes 24 s on the server and is neither listed nor announced until then: not listed does not mean not started."},
	{RateLimited, false, "A call is answered with 429: a project has only 1,000 calls a minute, so polls must be spread out."},
	{APIDown, false, "A call is cut or answered with 503 before anything happens: a poll that fails says nothing about the egress."},
	{Failed, false, "A recording's handler is killed in mid-recording: FAILED at once with code 500, and nothing to keep."},
	{UploadFailed, false, "A bad path or key shows only at the end, as FAILED with code 400, and the media is gone."},
	{Aborted, false, "The start signal never comes: the egress stays STARTING until somebody stops it or the room closes, then ABORTED with code 412."},
	{LimitReached, false, "The recording reaches a limit: LIMIT_REACHED with code 413 and good media, an end like any other."},
	{Zombie, false, "The worker dies: the egress stays ACTIVE for ever and sends no webhook, its participant vanishes after 20 s, and a stop times out. Only all of this together shows that it is lost."},
	{RecorderUnlisted, false, "LiveKit's store loses the egress's participant: the egress records on, but its room does not show it. That a recorder is absent does not mean that it is dead; its worker answers a call."},
	{Rerun, false, "One egress ID runs twice: FAILED while the room is live, then the participant is back and a second egress_ended follows with retry_count 1."},
	{Forgotten, false, "LiveKit's store is flushed: the egress goes on recording, but is no longer found, and no webhook comes."},
	{NoEcho, false, "An old server drops the request's webhooks: no per-request webhook comes and no token is echoed. A start can't be found again."},
	{MediaMissing, false, "COMPLETE with the size and place of each file, but none of them is in the store: LiveKit's word is no proof."},
	{MediaEmpty, false, "COMPLETE with the size and place of each file, but every file is empty: that a file exists is no proof either."},
}

// FaultTable returns all faults in Markdown, for the docs.
func FaultTable() string {
	var b strings.Builder
	b.WriteString("| fault | decided for each | what happens, and what it teaches |\n|---|---|---|\n")
	for _, d := range faultDocs {
		each := "egress"
		switch {
		case d.PerEvent:
			each = "event"
		case !slices.Contains(perEgress, d.Name):
			each = "call"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, each, d.Teaches)
	}
	return b.String()
}

// known reports whether a fault exists.
func known(f Fault) bool {
	return slices.ContainsFunc(faultDocs, func(d FaultDoc) bool { return d.Name == f })
}

// dice decides faults from the seed and their subject, never from the order of calls: two runs with the same starts have
// the same faults, however their requests interleave.
type dice struct {
	seed  uint64
	mu    sync.RWMutex
	rates map[Fault]float64
}

// newDice copies the rates, since they change at run time.
func newDice(seed uint64, rates map[Fault]float64) *dice {
	return &dice{seed: seed, rates: maps.Clone(rates)}
}

func (d *dice) set(f Fault, rate float64) error {
	if err := checkRate(f, rate); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rates == nil {
		d.rates = map[Fault]float64{}
	}
	d.rates[f] = rate
	return nil
}

// strikes decides one fault for one subject, for example an egress and one of its events.
func (d *dice) strikes(f Fault, subject ...uint64) bool {
	d.mu.RLock()
	rate := d.rates[f]
	d.mu.RUnlock()
	return rate > 0 && float64(d.draw(f, subject...))/math.MaxUint64 < rate
}

// draw returns a number that is the same for the same seed, fault and subject.
func (d *dice) draw(f Fault, subject ...uint64) uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, append([]uint64{d.seed}, subject...))
	h.Write([]byte(f))
	// FNV mixes its last bytes poorly into the high bits, which decide: finish as splitmix64 does.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// checkRate rejects an unknown fault or an invalid rate.
func checkRate(f Fault, rate float64) error {
	if !known(f) {
		return fmt.Errorf("unknown fault %q", f)
	}
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("fault %s: rate %v is not between 0 and 1", f, rate)
	}
	return nil
}
