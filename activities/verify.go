package activities

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Bucket is one opened store. Its errors are *egress.Error.
type Bucket interface {
	Stat(ctx context.Context, path string) (egress.Object, error)
	List(ctx context.Context, prefix string, limit int) ([]egress.Object, error)
	Read(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	// Create never overwrites: an existing object is an error of reason Conflict.
	Create(ctx context.Context, path, contentType string, data []byte) error
	Close() error
}

// Player plays media as far as needed to judge it. *ffprobe.Prober is one.
type Player interface {
	// Length returns the playing time. Media that cannot be played is an *egress.Error of reason
	// Invalid; any other error says nothing about the media. If there was no time to play it, the
	// error is context.DeadlineExceeded, here and in Sound; if that takes too much memory, it is
	// syscall.ENOMEM.
	Length(ctx context.Context, size int64, read Reading) (egress.Duration, error)
	// Sound returns what can be heard in media of that length. An error says nothing about the
	// media.
	Sound(ctx context.Context, size int64, length egress.Duration, read Reading) (egress.Sound, error)
}

// Reading reads media from an offset on.
type Reading = func(ctx context.Context, offset int64) (io.ReadCloser, error)

// VerificationConfig configures Verify.
type VerificationConfig struct {
	Opener Opener
	// Profiles are the storage profiles. Default: none.
	Profiles egress.Profiles
	// Open opens what a destination names.
	Open func(context.Context, egress.Destination) (Bucket, error)
	// Player plays what is there. Default: none, and nothing is played or called silent.
	Player Player
}

// Verification holds the activity that looks for the media.
type Verification struct {
	cfg VerificationConfig

	mu     sync.Mutex
	looks  int            // under way
	behind map[string]int // of those, the ones for which nobody waits, by store
}

// mostLooks is the most looks at media under way at once in a process: a look at a day of short
// segments holds some 25 MB. Further ones are retried, as are looks for media that is not there
// yet. Looks for which nobody waits leave half of the slots to the others, since their store may
// hang; of their half, a store gets no more than it leaves free, so that other stores find a slot.
const mostLooks = 16

// NewVerification returns the activity.
func NewVerification(cfg VerificationConfig) *Verification {
	return &Verification{cfg: cfg, behind: map[string]int{}}
}

// VerifyRequest is the argument of Verify.
type VerifyRequest struct {
	RequestID string        `json:"request_id"`
	Input     egress.Input  `json:"input"`
	Part      int           `json:"part"` // whose paths count where LiveKit does not show the request
	Info      egress.Info   `json:"info"` // by which to look for the media
	Status    egress.Status `json:"status"`
	Storage   string        `json:"storage,omitempty"` // profile that the start filled in
	HeardAt   time.Time     `json:"heard_at"`          // when we learned of the end
	// For is how long, from the first attempt on, missing media is waited for.
	For egress.Duration `json:"for"`
	// Behind says that nobody waits any more: a store that cannot be reached is retried without
	// end.
	Behind bool `json:"behind,omitempty"`
}

// Verified is what Verify found.
type Verified struct {
	egress.MediaReport
	// Again says that the store could not be reached in time, and is to be asked again.
	Again bool `json:"again,omitempty"`
}

// Verify asks the store for the media of an ended egress: whether it is there, and as large and as
// long as LiveKit says. Temporal's retries look again for what is not there yet, or could not be
// played within one look, until the time is up; then the look counts that had the time to see most
// of the objects as they are. For an egress that failed or is lost, it looks for segments left
// behind, and makes a playlist of them. Running it twice is harmless: it writes nothing but that
// playlist, and never overwrites. It heartbeats what it keeps for the next attempt.
func (v *Verification) Verify(ctx context.Context, in VerifyRequest) (Verified, error) {
	kept := keptReport(ctx)
	stop := keepAlive(ctx, kept)
	defer stop()
	to, err := v.destinations(in)
	if err != nil {
		return Verified{}, toTemporal(err)
	}
	info, clock := activity.GetInfo(ctx), temporalsClock(ctx)
	wait := egress.RetryLook(int(info.Attempt), in.Behind, spread(ctx))
	until := info.ScheduledTime.Add(in.For.D())
	last := !clock().Add(wait).Before(until)
	look := ctx
	if !in.Behind {
		var cancel context.CancelFunc
		look, cancel = context.WithTimeout(ctx, max(until.Sub(clock()), shortestLook))
		defer cancel()
	}
	report, whole, err := v.inspect(look, in, to)
	switch {
	case err == nil && whole && !report.Media.Alarming():
		return Verified{MediaReport: report}, nil
	case err == nil && (whole || kept == nil || !kept.Of(report)):
		kept = &report
	}
	switch {
	case last && kept != nil && (err == nil || !kept.Media.Alarming()):
		return Verified{MediaReport: *kept}, nil
	case err != nil && last && !in.Behind:
		return Verified{MediaReport: egress.Unchecked(err.Error()), Again: true}, nil
	case in.Behind && egress.ReasonOf(err) == egress.HeldBack: // its own store may answer
		return Verified{}, retryIn(err, egress.RetryHeldBack(int(info.Attempt), spread(ctx)))
	case err != nil:
		return Verified{}, retryIn(err, wait)
	}
	stop()
	activity.RecordHeartbeat(ctx, kept)
	return Verified{}, retryIn(&egress.Error{Reason: egress.StillGoing, Message: kept.String()}, wait)
}

// keptReport returns what an earlier attempt saw of media that was incomplete, or that there was
// no time to play. A later attempt has less time and may not get to look; this report is then all
// that is known.
func keptReport(ctx context.Context) (kept *egress.MediaReport) {
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &kept) != nil {
		return nil // of another version
	}
	return kept
}

// inspect does one look, if a slot is free. whole says that there was time to play everything that
// is to be played.
func (v *Verification) inspect(ctx context.Context, in VerifyRequest, to []egress.Destination) (report egress.MediaReport, whole bool, err error) {
	leave, ok := v.enter(in, to)
	if !ok {
		return report, false, &egress.Error{Reason: egress.HeldBack, Message: "as many looks at media as may be are under way"}
	}
	defer leave()
	l := &looker{cfg: v.cfg, in: in}
	defer l.close()
	report, err = l.report(ctx, to)
	return report, !l.hurried, err
}

// enter takes a slot for a look; for one for which nobody waits, only if each of its stores leaves that
// many free.
func (v *Verification) enter(in VerifyRequest, to []egress.Destination) (leave func(), ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	free, stores := mostLooks-v.looks, map[string]bool{}
	if in.Behind {
		free -= mostLooks / 2
		for _, d := range to {
			stores[d.Upload.Name()] = true
		}
	}
	ok = free > 0
	for name := range stores {
		ok = ok && v.behind[name] < free
	}
	if ok {
		v.count(1, stores)
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.count(-1, stores)
	}, ok
}

func (v *Verification) count(n int, stores map[string]bool) {
	v.looks += n
	for name := range stores {
		if v.behind[name] += n; v.behind[name] == 0 {
			delete(v.behind, name)
		}
	}
}

// shortestLook is the least time that a look gets.
const shortestLook = 10 * time.Second

// destinations returns where the request writes. For an adopted egress, that is only what LiveKit
// reports.
func (v *Verification) destinations(in VerifyRequest) ([]egress.Destination, error) {
	if in.Input.Adopted {
		return in.Info.Destinations(), nil
	}
	r, err := v.cfg.Opener.OpenRequest(in.RequestID, in.Input)
	if err == nil {
		r, err = v.cfg.Profiles.Fill(r, in.Storage)
	}
	if err != nil {
		return nil, err
	}
	return in.Info.Written(egress.Destinations(egress.ForPart(r, in.Part))), nil
}

// looker looks at what one result names. It opens each bucket once.
type looker struct {
	cfg     VerificationConfig
	in      VerifyRequest
	open    map[string]Bucket // by the field of the destination
	hurried bool              // there was no time to play, or to listen to, what is there
}

func (l *looker) close() {
	for _, b := range l.open {
		_ = b.Close() // nothing is under way
	}
}

func (l *looker) bucket(ctx context.Context, d egress.Destination) (Bucket, error) {
	if b := l.open[d.Field]; b != nil {
		return b, nil
	}
	b, err := l.cfg.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	if l.open == nil {
		l.open = map[string]Bucket{}
	}
	l.open[d.Field] = b
	return b, nil
}

// report fails only if a store cannot be reached.
func (l *looker) report(ctx context.Context, to []egress.Destination) (egress.MediaReport, error) {
	if !l.in.Status.Good() {
		return l.salvage(ctx, to)
	}
	var report egress.MediaReport
	wanted, until := egress.Wants(l.in.Info, to), share(ctx, 2)
	for n, w := range wanted {
		found, err := l.see(ctx, wanted, n)
		if err != nil {
			return report, err
		}
		if n < mostPlayed {
			l.play(ctx, until, w, &found)
		}
		report.Add(w.Judge(found))
	}
	if len(wanted) == 0 {
		return egress.Unchecked("LiveKit names no file"), nil
	}
	return report, nil
}

// unseen classifies an error: a store that refuses is not asked again.
func unseen(err error) (why string, unreachable error) {
	e, ok := errors.AsType[*egress.Error](err)
	if !ok || retriable[e.Reason] {
		return "", err
	}
	return "could not be looked at: " + e.Error(), nil
}
