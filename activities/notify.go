package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// wrongHookDelay is the wait before retrying a hook that rejected the request itself, as Slack
// does (`no_service`, `invalid_token`) once its URL is revoked: that takes a person to fix.
const wrongHookDelay = 15 * time.Minute

// slackText escapes what Slack and compatible services would read as markup: a room's name must
// not notify a whole channel. Slack wants <!channel> for that; for others, @channel will do.
var slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u200b")

const (
	// mostSent is how long a message may be, in bytes: Discord takes 2,000 characters of it.
	mostSent = 2000
	// mostOfRoom is how much of a room's name is left in a message that is too long, in bytes.
	mostOfRoom = 100
)

// message returns the text of a notice as it is sent. If that is too long, the room's name is cut,
// and then what was found.
func message(n egress.Notice) string {
	text := slackText.Replace(n.Text())
	if len(text) <= mostSent {
		return text
	}
	if len(n.Room) > mostOfRoom {
		n.Room = egress.Clip(n.Room, mostOfRoom) + more
		text = slackText.Replace(n.Text())
	}
	if over := len(text) - mostSent; over > 0 {
		n.Because = without(n.Because, over+len(more)) + more
		text = slackText.Replace(n.Text())
	}
	return text
}

// more shows that a text is cut.
const more = "…"

// without returns a text without its end, which takes at least n bytes of a message.
func without(text string, n int) string {
	for n > 0 && text != "" {
		_, size := utf8.DecodeLastRuneInString(text)
		end := len(text) - size
		n -= len(slackText.Replace(text[end:]))
		text = text[:end]
	}
	return text
}

// Notify posts a notice to the notification hook in the settings, as `{"text": …}`. Any answer but
// 2xx is a failure, and every failure is retried, after egress.RetryConsumer. The hook's host has
// no more requests at a time than a consumer's. Its URL is this worker's own setting and may hold a
// token: no argument and no error shows it. Running it twice is harmless: people read the same line
// again.
func (d *Delivery) Notify(ctx context.Context, n egress.Notice) error {
	if d.cfg.NotifyURL == "" { // another worker may have it
		return retryIn(&egress.Error{Reason: egress.ConsumerFailed, Field: "REELKEEPER_NOTIFY_URL", Message: "is not set for this worker"}, wrongHookDelay)
	}
	body, err := json.Marshal(map[string]string{"text": message(n)})
	if err != nil {
		return toTemporal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cfg.NotifyURL, bytes.NewReader(body))
	if err != nil {
		return toTemporal(&egress.Error{Reason: egress.Internal, Field: "REELKEEPER_NOTIFY_URL", Message: "is not a URL"})
	}
	req.Header.Set("Content-Type", "application/json")
	release, place := d.hosts.acquire(ctx, strings.ToLower(req.URL.Host))
	if place != admitted {
		return heldBack(ctx, place, "the notification hook's host")
	}
	answered, asked, err := postNotice(d.own, req)
	release(answered)
	return retryIn(err, egress.RetryConsumer(int(activity.GetInfo(ctx).Attempt), asked, spread(ctx)))
}

// postNotice sends a request to the hook, and reports whether it got an answer and what wait that
// asks for. A 4xx that is not temporary means that the URL is wrong.
func postNotice(client *http.Client, req *http.Request) (answered bool, asked time.Duration, err error) {
	res, err := client.Do(req)
	if err != nil {
		return false, 0, unreached("the notification hook", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be reused
	switch code := res.StatusCode; {
	case code/100 == 2:
		return true, 0, nil
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		asked = retryAfter(res.Header.Get("Retry-After"), time.Now())
	case code == http.StatusRequestTimeout:
	case code/100 == 4:
		asked = wrongHookDelay
	}
	return true, asked, &egress.Error{Reason: egress.ConsumerFailed, Message: "the notification hook answered " + spelled(res.StatusCode)}
}
