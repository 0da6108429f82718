package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/sender"
)

// letter is an event on its way to a recipient.
type letter struct {
	to     recipient
	name   string // of the consumer; empty for a webhook that a request named
	client *http.Client
	url    string // may hold a credential: no error shows it
	key    string // name of the API key that signs. Default: DeliveryConfig.SigningKey
	event  egress.Event
}

// deliver makes one attempt, and says when the next one is due. It returns Temporal's errors.
func (d *Delivery) deliver(ctx context.Context, l letter, env Envelope) error {
	attempt := int(activity.GetInfo(ctx).Attempt)
	if env.PutOff > 0 && attempt == 1 {
		return retryIn(&egress.Error{Reason: egress.HeldBack, Message: env.Because}, env.PutOff.D())
	}
	req, err := d.request(ctx, l, env.Headers)
	if err != nil {
		d.attempts.count(ctx, l.to, outcomeUnsendable)
		return toTemporal(err)
	}
	release, place := d.hosts.acquire(ctx, strings.ToLower(req.URL.Host))
	if place != admitted {
		d.attempts.count(ctx, l.to, outcomeNoPlace)
		return heldBack(ctx, place, "the consumer's host")
	}
	became, asked, err := post(l.client, req)
	release(became != outcomeUnreached)
	d.attempts.count(ctx, l.to, became)
	if err != nil {
		return retryIn(err, egress.RetryConsumer(attempt, asked, spread(ctx)))
	}
	d.age.taken(ctx, l.to, l.event)
	return nil
}

// heldBack sends an attempt that was not admitted to a host back to Temporal.
func heldBack(ctx context.Context, place admission, host string) error {
	attempt := int(activity.GetInfo(ctx).Attempt)
	wait := egress.RetryHeldBack(attempt, spread(ctx))
	if place == silent {
		wait = egress.RetryConsumer(attempt, 0, spread(ctx))
	}
	return retryIn(&egress.Error{Reason: egress.HeldBack, Message: "as many requests as may be are under way to " + host}, wait)
}

// spread returns a number that differs between attempts. The parts that differ come first, since
// egress.Spread mixes the end of its text least.
func spread(ctx context.Context) float64 {
	info := activity.GetInfo(ctx)
	return egress.Spread(fmt.Sprintf("%s/%d/%s/%s", info.WorkflowExecution.RunID, info.Attempt, info.ActivityID, info.ActivityType.Name))
}

// request returns LiveKit's webhook, signed now: a token is valid for minutes, and delivery of an
// announcement is tried for days.
func (d *Delivery) request(ctx context.Context, l letter, headers map[string]string) (*http.Request, error) {
	key := cmp.Or(l.key, d.cfg.SigningKey)
	secret, known := d.cfg.Keys[key]
	if !known {
		return nil, egress.Invalidf("webhooks.signing_key", "no key %q is among ours (LIVEKIT_KEYS)", key)
	}
	body := l.event.Raw()
	req, err := sender.Request(ctx, l.url, key, secret, body)
	if errors.Is(err, sender.ErrURL) {
		return nil, egress.Invalidf("webhooks.url", "%s", err)
	}
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		if req.Header.Get(name) == "" { // LiveKit's own take precedence
			req.Header.Set(name, value)
		}
	}
	if s, ok := d.standard[l.name]; ok {
		if err := s.sign(req.Header, l.event.Proto().GetId(), time.Now(), body); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// post sends a request and reports what became of it, and after what time the consumer asks to be
// retried.
func post(client *http.Client, req *http.Request) (became outcome, asked time.Duration, err error) {
	res, err := client.Do(req)
	if err != nil {
		return outcomeUnreached, 0, unreached("the consumer", err)
	}
	defer res.Body.Close()
	// The answer's text is the consumer's own business; reading some of it allows the connection to
	// be reused.
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)); err != nil {
		return outcomeUnreached, 0, &egress.Error{Reason: egress.ConsumerFailed, Message: "the consumer's answer broke off"}
	}
	switch {
	case res.Header.Get(egress.HeaderEndpoint) != "": // it takes this for no news, and nobody is told
		return outcomeRefused, 0, &egress.Error{Reason: egress.ConsumerFailed, Message: "the consumer's URL leads to Reelkeeper's own webhook endpoint"}
	case res.StatusCode/100 == 2:
		return outcomeTaken, 0, nil
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusServiceUnavailable:
		asked = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	return outcomeRefused, asked, &egress.Error{Reason: egress.ConsumerFailed, Message: "the consumer answered " + spelled(res.StatusCode)}
}

// spelled returns a status in our words: the text that came with it may be of any length.
func spelled(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// retryAfter parses seconds or a date. Anything else, or a date in the past, asks for nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

// unreached returns the error for a request that got no answer. It leaves out the URL, which the
// client's own error would show in full, and keeps the reason.
func unreached(who string, err error) error {
	if refused, ok := errors.AsType[*egress.Error](err); ok {
		return refused
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &egress.Error{Reason: egress.ConsumerFailed, Message: who + " could not be reached", Err: err}
}
