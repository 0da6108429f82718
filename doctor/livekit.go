package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// LiveKit's protocol package accepts a token from a minute before it was signed: if our clock is
// off by more, LiveKit's webhooks or our calls are refused.
const (
	clockWarn = 30 * time.Second
	clockFail = time.Minute
)

// A room and an egress that do not exist. LiveKit knows that it does not know the egress; anything
// else that answers in its place does not.
const (
	noRoom   = "reelkeeper-doctor"
	noEgress = egress.EgressIDPrefix + noRoom
)

// liveKit asks what our own process asks: for egresses, which needs the grant roomRecord, and for
// rooms, which needs roomList.
func (d *Doctor) liveKit(ctx context.Context) Finding {
	if d.cfg.LiveKit == nil {
		return d.notChecked("LIVEKIT_URL")
	}
	// So that no front door answers in LiveKit's place. It refuses only Twirp's own headers.
	ctx, _ = twirp.WithHTTPRequestHeaders(ctx, http.Header{egress.HeaderDoor: {"1"}})
	began := time.Now()
	if _, err := d.cfg.LiveKit.Get(ctx, noEgress); err != nil && egress.ReasonOf(err) != egress.NotFound {
		return d.liveKitRefuses("egresses", err)
	}
	if _, err := d.cfg.LiveKit.Room(ctx, noRoom, ""); err != nil {
		return d.liveKitRefuses("rooms", err)
	}
	return ok(fmt.Sprintf("LiveKit lists egresses and rooms for the key %s, both within %s", d.cfg.APIKey, brief(time.Since(began))))
}

func (d *Doctor) liveKitRefuses(what string, err error) Finding {
	found := fmt.Sprintf("LiveKit does not list %s: %s", what, err)
	if te, ok := errors.AsType[twirp.Error](err); ok && te.Meta("status_code") == strconv.Itoa(http.StatusLoopDetected) {
		return failed("LIVEKIT_URL leads to the front door", "set LIVEKIT_URL to LiveKit's own address, for the worker and the starter alike")
	}
	switch egress.ReasonOf(err) {
	case egress.Denied:
		return failed(found, "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a key of this project; the clock check says whether a clock is wrong instead")
	case egress.RateLimited:
		return warn(found, "something uses up the project's requests; lower REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE if it is us")
	case egress.Unreachable:
		return failed(found, "see whether LIVEKIT_URL is right, and whether this machine may connect to it")
	default:
		return failed(found, "see whether LIVEKIT_URL is LiveKit's and not something in front of it, and whether LiveKit is well")
	}
}

// clock compares LiveKit's clock with ours, by the Date header of an answer. That is in whole
// seconds, so half a second is added, and half of the round trip.
func (d *Doctor) clock(ctx context.Context) Finding {
	if d.cfg.LiveKitURL == "" {
		return d.notChecked("LIVEKIT_URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.cfg.LiveKitURL, http.NoBody)
	if err != nil {
		return failed("LIVEKIT_URL is not a URL", "set LIVEKIT_URL")
	}
	client := d.client()
	defer client.CloseIdleConnections()
	began := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return behind(LiveKitAPI, "LiveKit does not answer: "+plainly(err))
	}
	defer res.Body.Close()
	took := time.Since(began)
	_, _ = io.CopyN(io.Discard, res.Body, 1<<10) // only the header is needed
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return warn("not checked: LiveKit's answer has no Date", "compare the clocks by hand, and run NTP on both machines")
	}
	off := theirs.Add(time.Second / 2).Sub(began.Add(took / 2))
	found := fmt.Sprintf("LiveKit's clock and ours differ by %s", off.Abs().Round(time.Second))
	const fix = "run NTP on both machines: over a minute apart, webhooks or our calls are refused"
	switch {
	case off.Abs() > clockFail:
		return failed(found, fix)
	case off.Abs() > clockWarn:
		return warn(found, fix)
	}
	return ok(found)
}

// plainly returns why a request got no answer. It omits the URL that a client's own error would
// show, which may hold a password.
func plainly(err error) string {
	if u, isURL := errors.AsType[*url.Error](err); isURL {
		err = u.Err
	}
	return err.Error()
}

func brief(d time.Duration) string { return d.Round(time.Millisecond).String() }
