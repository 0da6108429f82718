package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
)

var lenient = protojson.UnmarshalOptions{DiscardUnknown: true}

// forward sends a start that only a newer LiveKit fully understands, as it came, with our webhook
// put first: a recording that silently lacks something is worse than one that is adopted later. r
// is the part that we can read.
func (h *Handler) forward(w http.ResponseWriter, hr *http.Request, c *call, r egress.Request, raw json.RawMessage) {
	ctx, cancel := c.lasting(hr.Context())
	defer cancel()
	c.room = egress.Summarize(r).Room
	_, unknown := egress.ParseRequest(egress.KindOf(r), raw)
	answer, err := h.forwardOnce(ctx, c, r, raw, unknown)
	if err != nil {
		c.cause = err
		h.refuse(w, c, toTwirp(goesOn(c.requestID, err)))
		return
	}
	if write(w, c, answer); c.cause == nil {
		c.cause = unknown // it may be a typo
	}
}

// forwardOther sends a call that neither starts nor stops an egress, and that only a newer LiveKit
// fully understands, as it came. Its answer shows no more than that of any other call.
func (h *Handler) forwardOther(w http.ResponseWriter, r *http.Request, c *call, raw json.RawMessage) {
	ctx, cancel := c.lasting(r.Context())
	defer cancel()
	answer, err := h.livekit.post(ctx, c.token, c.method, raw)
	if err != nil {
		c.cause = err
		h.refuse(w, c, toTwirp(err))
		return
	}
	if list, ok := c.request.(*livekit.ListEgressRequest); ok && answer.status == http.StatusOK {
		answer.body, c.cause = h.loseIn(ctx, list, answer.body)
	}
	if answer.status == http.StatusOK {
		answer.body = h.hideStored(h.hideWebhooks(answer.body))
	}
	write(w, c, answer)
}

// write passes LiveKit's answer on to the caller.
func write(w http.ResponseWriter, c *call, answer reply) {
	if c.outcome = Forwarded; answer.status != http.StatusOK {
		c.failed(answer.refusal())
	}
	w.Header().Set("Content-Type", answer.contentType)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // A caller that has gone needs no answer.
}

// forwardOnce forwards the start of a request ID once for all concurrent callers. unknown says
// which part of it we do not know.
func (h *Handler) forwardOnce(ctx context.Context, c *call, r egress.Request, raw json.RawMessage, unknown error) (reply, error) {
	if err := h.checkWebhooks(r); err != nil {
		return reply{}, err
	}
	if c.storage != "" {
		return reply{}, egress.Invalidf(HeaderStorage, "cannot be filled into a request with fields that this version does not know (%s); name the storage in the request", asEgress(unknown).Message)
	}
	digest := c.digest(raw)
	if h.bypass.of(c.requestID).conflicts(digest) {
		return reply{}, egress.IDTaken(c.requestID)
	}
	answer, err := once(&h.flights, c.requestID, digest, func() (reply, error) { return h.forwarded(ctx, c, r, raw) })
	if err != nil {
		return reply{}, err
	}
	c.egressID = answer.egressID()
	if said := answer.started(nil); answer.status < http.StatusInternalServerError && egress.ReasonOf(said) == egress.Ambiguous {
		return reply{}, said
	}
	return answer, nil
}

// digest covers everything in a start, since nobody here understands all of it.
func (c *call) digest(raw json.RawMessage) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var said any
	if dec.Decode(&said) == nil {
		raw = encode(said) // with fixed spacing and order
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", c.method, c.pipeline, raw))
	return string(sum[:])
}

// forwarded returns LiveKit's answer. Under a key that the caller chose, the egress may already be
// running; as far as a summary shows, it must be what the caller asks for now.
func (h *Handler) forwarded(ctx context.Context, c *call, r egress.Request, raw json.RawMessage) (answer reply, err error) {
	if c.key != "" {
		if h.bypass.of(c.requestID).unlisted() {
			return reply{}, unlistedYet()
		}
		m, err := h.find(ctx, egress.StartOptions{RequestID: c.requestID, Request: r})
		if err != nil {
			return reply{}, err
		}
		if m != nil && !isOf(r, m) {
			return reply{}, egress.IDTaken(c.requestID)
		}
		if m != nil {
			b, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(h.shown(m))
			return reply{http.StatusOK, "application/json", b}, err
		}
	}
	filled, err := h.stored(r, raw)
	if err != nil {
		return reply{}, err
	}
	body, err := insertWebhook(filled, h.webhook(c.requestID, c.pipeline))
	if err != nil {
		return reply{}, err
	}
	// Even without a key: if no answer comes, the caller is told to ask again with this request ID.
	h.bypass.ask(c.requestID, c.digest(raw), func() error {
		answer, err = h.livekit.post(ctx, c.token, c.method, body)
		return answer.started(err)
	})
	if err == nil && answer.status == http.StatusOK {
		answer.body = h.hideStored(h.hideWebhook(answer.body))
	}
	return answer, err
}

// isOf reports whether a listed egress belongs to a request: same kind, room, paths and layout, and
// the same participant, tracks or page.
func isOf(r egress.Request, m *livekit.EgressInfo) bool {
	echo, known := egress.RequestOf(m)
	if !known || subjectOf(r) != subjectOf(echo) {
		return false
	}
	return slices.ContainsFunc([]egress.Request{r, egress.ForPart(r, 1)}, func(r egress.Request) bool { // started past its workflow, or by it
		want, listed := egress.Summarize(r), egress.Summarize(echo)
		want.Webhooks, listed.Webhooks = nil, nil
		return reflect.DeepEqual(listed, want)
	})
}

// subject is what a request records, as far as its summary leaves that out.
type subject struct{ identity, track, audio, video, page string }

func subjectOf(r egress.Request) (s subject) {
	if r, ok := r.(interface{ GetIdentity() string }); ok {
		s.identity = r.GetIdentity()
	}
	if r, ok := r.(interface{ GetTrackId() string }); ok {
		s.track = r.GetTrackId()
	}
	if r, ok := r.(interface {
		GetAudioTrackId() string
		GetVideoTrackId() string
	}); ok {
		s.audio, s.video = r.GetAudioTrackId(), r.GetVideoTrackId()
	}
	if r, ok := r.(interface{ GetUrl() string }); ok {
		s.page = r.GetUrl()
	}
	return s
}

// started returns nil if the answer names the egress that was started, and otherwise an error with
// what the answer says of the start.
func (r reply) started(err error) error {
	switch {
	case err != nil:
		return err
	case r.status == http.StatusOK && r.egressID() == "", r.status >= http.StatusInternalServerError,
		r.status == http.StatusConflict, r.status == http.StatusRequestTimeout: // Twirp's already_exists, aborted, canceled and deadline_exceeded
		return &egress.Error{Reason: egress.Ambiguous, Message: "the answer names no egress"}
	case r.status != http.StatusOK:
		return &egress.Error{Reason: egress.Refused}
	}
	return nil
}

// egressID returns the ID of the egress that the answer to a start names.
func (r reply) egressID() string {
	var info livekit.EgressInfo
	if r.status != http.StatusOK || lenient.Unmarshal(r.body, &info) != nil {
		return ""
	}
	return info.GetEgressId()
}

// insertWebhook puts a webhook before a request's own. All other values keep their bytes; only the
// space between them and the order of the top level may change.
func insertWebhook(request json.RawMessage, w *livekit.WebhookConfig) ([]byte, error) {
	var fields map[string]json.RawMessage
	var hooks []json.RawMessage
	if err := json.Unmarshal(request, &fields); err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	if own := fields["webhooks"]; own != nil {
		if err := json.Unmarshal(own, &hooks); err != nil {
			return nil, fmt.Errorf("forward: %w", err)
		}
	}
	ours := encode(map[string]string{"url": w.GetUrl(), "signing_key": w.GetSigningKey()})
	fields["webhooks"] = encode(append([]json.RawMessage{ours}, hooks...))
	return encode(fields), nil
}

// hideWebhooks applies hideWebhook to an answer and to each item of a list.
func (h *Handler) hideWebhooks(answer []byte) []byte {
	var list map[string]json.RawMessage
	var items []json.RawMessage
	if json.Unmarshal(answer, &list) != nil || json.Unmarshal(list["items"], &items) != nil {
		return h.hideWebhook(answer)
	}
	for i, item := range items {
		items[i] = h.hideWebhook(item)
	}
	list["items"] = encode(items)
	return encode(list)
}

// hideWebhook puts the caller's own webhooks in place of ours in the request that an answer echoes,
// whatever its kind is called. It leaves unchanged whatever is shaped differently.
func (h *Handler) hideWebhook(answer []byte) []byte {
	var info map[string]json.RawMessage
	if json.Unmarshal(answer, &info) != nil {
		return answer
	}
	for kind, value := range info {
		var request map[string]json.RawMessage
		var hooks []json.RawMessage
		if json.Unmarshal(value, &request) != nil || json.Unmarshal(request["webhooks"], &hooks) != nil {
			continue
		}
		theirs := []json.RawMessage{}
		for _, hook := range hooks {
			var w livekit.WebhookConfig
			if lenient.Unmarshal(hook, &w) != nil || !isOurs(&w) {
				theirs = append(theirs, hook)
				continue
			}
			for _, own := range h.behind(&w) {
				if b, err := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(own); err == nil { // cannot fail: own was unmarshaled
					theirs = append(theirs, b)
				}
			}
		}
		request["webhooks"] = encode(theirs)
		info[kind] = encode(request)
	}
	return encode(info)
}

// encode is json.Marshal without escaping HTML characters. Its argument was decoded from JSON, or
// is a string, so it does not fail.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func isOurs(w *livekit.WebhookConfig) bool {
	_, ours := egress.ParseToken(w.GetUrl())
	return ours
}
