package fakelivekit

import (
	"reflect"
	"time"
)

// Timings are the durations in a life. The zero value of a field means its default, which was recorded from livekit-server
// 1.13 unless the field's comment names another source; a negative value means no delay at all.
type Timings struct {
	// StartClaim is how long a start looks for a worker; a client that gives up before leaves nothing behind. Defaults to 0.5 s (start-client-timeout).
	StartClaim time.Duration
	// StartReply is the time between the claim and the reply. Defaults to 50 ms (tc-stop, and all others).
	StartReply time.Duration
	// StartSlow is the delay after which a slow start is listed and answered. Defaults to 23.1 s
	// (fakeworker-two-runs-one-id).
	StartSlow time.Duration
	// NoWorker is how long a start looks for a worker when there is none. Defaults to 23.1 s (start-noworker).
	NoWorker time.Duration
	// JoinMedia is when a worker's participant joins, from the start call on, if no browser is involved. Defaults to 0.59 s (tc-stop).
	JoinMedia time.Duration
	// JoinTemplate is the same with a browser. Defaults to 3 s (empty-rc; 16 s when cold).
	JoinTemplate time.Duration
	// ActiveMedia is when participant, track and track composite egress become active, from the start call on. Defaults to 2.2 s (tc-stop).
	ActiveMedia time.Duration
	// ActiveTemplate is the same for a room composite. Defaults to 5 s (4–6 s; 20 s when cold, rc-stop).
	ActiveTemplate time.Duration
	// ActiveWeb is the same for web egress. Defaults to 4 s (3.4 s in web-stop).
	ActiveWeb time.Duration
	// SourceMissing is how long a worker waits for a track or participant that is not there. Defaults to 30 s (empty-tc).
	SourceMissing time.Duration
	// SourceClosed is the time between a source's end and ENDING. Defaults to 10 ms (participant-leave; up to 0.25 s in tc-leave).
	SourceClosed time.Duration
	// Ending is the time between ENDING and the end. Defaults to 0.12 s (tc-stop).
	Ending time.Duration
	// EndingDeleted is the same if the room was deleted. Defaults to 20 ms (tc-deleteroom).
	EndingDeleted time.Duration
	// AbortConfirms is the time between a stop's ABORTED reply and egress_ended. Defaults to 0.2 s (empty-rc).
	AbortConfirms time.Duration
	// StopFails is how long StopEgress looks for an egress that does not answer, and GetParticipant for a room. Defaults to 3 s (tc-stop, tc-kill9-worker).
	StopFails time.Duration
	// DeleteRoom is how long DeleteRoom takes to answer. Defaults to 0.1 s (tc-deleteroom).
	DeleteRoom time.Duration
	// EmptyTimeout is how long a room waits for somebody to join. Defaults to 300 s, LiveKit's own default.
	EmptyTimeout time.Duration
	// DepartureTimeout is how long a room lasts after its last participant left. Defaults to 20 s (auto-room-egress).
	DepartureTimeout time.Duration
	// MidRecording is when, after ACTIVE, mid-recording faults occur. Defaults to 5 s (tc-kill-handler).
	MidRecording time.Duration
	// ParticipantTimeout is how long the server keeps the participant of a worker that died. Defaults to 20 s (tc-kill9-observe).
	ParticipantTimeout time.Duration
	// RerunGap is the time between the two runs of one egress. Defaults to 2 s (not recorded).
	RerunGap time.Duration
	// Remember is how long an ended egress stays listed. Defaults to 24 h (from LiveKit's source).
	Remember time.Duration
	// ReplyHang is the delay of a hanging reply. Defaults to 12 s: the SDKs give up after 10.
	ReplyHang time.Duration
	// WebhookLate is the delay of a late webhook, and how long one that is out of order waits for its successor. Defaults to 20 s (not recorded).
	WebhookLate time.Duration
	// WebhookRetryMin is the notifier's first wait between attempts; it doubles each time. Defaults to 1 s (wh-500-end-20).
	WebhookRetryMin time.Duration
	// WebhookRetryMax is the notifier's longest wait between attempts. Defaults to 30 s, go-retryablehttp's own default.
	WebhookRetryMax time.Duration
	// WebhookTimeout is how long one attempt may take. Defaults to 10 s (protocol 1.54; before it there was none).
	WebhookTimeout time.Duration
	// WebhookMaxAge is the age at which a queued event is dropped without an attempt. Defaults to 30 s
	// (wh-down-end-35).
	WebhookMaxAge time.Duration
}

// DefaultTimings returns the recorded figures.
func DefaultTimings() Timings {
	const ms, s = time.Millisecond, time.Second
	return Timings{
		StartClaim: 500 * ms, StartReply: 50 * ms, StartSlow: 23100 * ms, NoWorker: 23100 * ms,
		JoinMedia: 590 * ms, JoinTemplate: 3 * s,
		ActiveMedia: 2200 * ms, ActiveTemplate: 5 * s, ActiveWeb: 4 * s,
		SourceMissing: 30 * s, SourceClosed: 10 * ms, Ending: 120 * ms, EndingDeleted: 20 * ms, AbortConfirms: 200 * ms,
		StopFails: 3 * s, DeleteRoom: 100 * ms, EmptyTimeout: 300 * s, DepartureTimeout: 20 * s,
		MidRecording: 5 * s, ParticipantTimeout: 20 * s, RerunGap: 2 * s, Remember: 24 * time.Hour,
		ReplyHang: 12 * s, WebhookLate: 20 * s,
		WebhookRetryMin: 1 * s, WebhookRetryMax: 30 * s, WebhookTimeout: 10 * s, WebhookMaxAge: 30 * s,
	}
}

// Scaled returns the timings with every duration multiplied by factor, including those of the webhooks. Defaults are filled
// in first, so that Timings{}.Scaled(0.1) is a tenth of what was recorded.
func (t Timings) Scaled(factor float64) Timings {
	t = t.withDefaults()
	fields := reflect.ValueOf(&t).Elem()
	for _, field := range fields.Fields() {
		field.SetInt(int64(float64(field.Int()) * factor))
	}
	return t
}

func (t Timings) withDefaults() Timings {
	fields, defaults := reflect.ValueOf(&t).Elem(), reflect.ValueOf(DefaultTimings())
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			fields.Field(i).Set(defaults.Field(i))
		}
	}
	return t
}
