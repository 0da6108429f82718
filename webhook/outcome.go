package webhook

import (
	"log/slog"
	"net/http"
)

// Reason says what became of a request. It is the metric's label and the log's value.
type Reason string

// The closed list of reasons.
const (
	Accepted       Reason = "accepted"        // its token named the workflow, which now has the event
	LookedUp       Reason = "looked_up"       // it carried no token of ours, and its egress ID led to the workflow
	WrongMAC       Reason = "wrong_mac"       // its URL's MAC is not ours, but the workflow was found without it
	Hinted         Reason = "hinted"          // a room or a participant is gone, and the workflows have been told
	Ignored        Reason = "ignored"         // it concerns no egress of ours
	Probe          Reason = "probe"           // our own doctor checks whether webhooks get through
	Adopted        Reason = "adopted"         // it was started while Temporal was down, and now has a workflow
	Late           Reason = "late"            // its workflow has closed
	Unknown        Reason = "unknown"         // an egress without a workflow: the reconciler adopts it
	NoEgressID     Reason = "no_egress_id"    // an automatic egress that never started
	NotPost        Reason = "not_post"        // not a webhook
	Unsigned       Reason = "unsigned"        // no Authorization header
	BadToken       Reason = "bad_token"       // Authorization holds no JWT
	UnknownKey     Reason = "unknown_key"     // signed under a key name that we don't have
	BadSignature   Reason = "bad_signature"   // not signed with our secret for the key
	Expired        Reason = "expired"         // signed too long ago, or a clock is wrong
	NotYetValid    Reason = "not_yet_valid"   // signed in the future: a clock is wrong
	NoWebhook      Reason = "no_webhook"      // signed with our key, but for no body: a participant's token
	WrongHash      Reason = "wrong_hash"      // the body is not the one that was signed
	TooLarge       Reason = "too_large"       // the body is over the cap, so it can't be verified
	CutBody        Reason = "cut_body"        // the body ended early
	SlowBody       Reason = "slow_body"       // the body took longer than the timeout
	Unreadable     Reason = "unreadable"      // signed, but not a webhook event, and never will be
	TemporalFailed Reason = "temporal_failed" // Temporal is down or refused
	TemporalSlow   Reason = "temporal_slow"   // Temporal took longer than the timeout
)

// Outcome is a reason and the answer to it.
//
// LiveKit retries only after 429 and 5xx. So whatever may be a real event that we cannot take now
// is answered with 503, including what we cannot verify: a rotated key or a wrong clock would
// otherwise lose events unseen. There is never a Retry-After: a long one makes LiveKit drop the
// event. 4xx is for what no retry can fix.
type Outcome struct {
	Reason Reason
	Status int        // HTTP status
	Level  slog.Level // of its log line; for those that anybody can cause, of one in 10 s

	group group // in the figures
}

// Outcomes lists the possible outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		{Accepted, http.StatusOK, slog.LevelDebug, accepted},
		{LookedUp, http.StatusOK, slog.LevelDebug, accepted},
		{WrongMAC, http.StatusOK, slog.LevelWarn, accepted},
		{Hinted, http.StatusOK, slog.LevelDebug, accepted},
		{Ignored, http.StatusOK, slog.LevelDebug, accepted},
		{Probe, http.StatusOK, slog.LevelDebug, nobody},
		{Adopted, http.StatusOK, slog.LevelWarn, accepted},
		{Late, http.StatusOK, slog.LevelInfo, accepted},
		{Unknown, http.StatusOK, slog.LevelWarn, accepted},
		{NoEgressID, http.StatusOK, slog.LevelWarn, accepted},
		{NotPost, http.StatusMethodNotAllowed, slog.LevelInfo, nobody},
		{Unsigned, http.StatusUnauthorized, slog.LevelWarn, refused},
		{BadToken, http.StatusServiceUnavailable, slog.LevelWarn, refused},
		{UnknownKey, http.StatusServiceUnavailable, slog.LevelWarn, refused},
		{BadSignature, http.StatusServiceUnavailable, slog.LevelWarn, refused},
		{Expired, http.StatusServiceUnavailable, slog.LevelWarn, refused},
		{NotYetValid, http.StatusServiceUnavailable, slog.LevelWarn, refused},
		{NoWebhook, http.StatusServiceUnavailable, slog.LevelWarn, nobody},
		{WrongHash, http.StatusServiceUnavailable, slog.LevelWarn, refused},
		{TooLarge, http.StatusServiceUnavailable, slog.LevelWarn, unavailable},
		{CutBody, http.StatusServiceUnavailable, slog.LevelWarn, unavailable},
		{SlowBody, http.StatusServiceUnavailable, slog.LevelWarn, unavailable},
		{Unreadable, http.StatusBadRequest, slog.LevelError, refused},
		{TemporalFailed, http.StatusServiceUnavailable, slog.LevelError, unavailable},
		{TemporalSlow, http.StatusServiceUnavailable, slog.LevelError, unavailable},
	}
}

// strangers returns the reasons that anybody can cause, since they need no signature of a webhook. The
// last takes a participant's token.
func strangers() []Reason {
	return []Reason{NotPost, Unsigned, BadToken, UnknownKey, BadSignature, NoWebhook}
}
