package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// knowFor is how long a list waits for Temporal's additions.
const knowFor = 2 * time.Second

// list returns LiveKit's list, requested in the caller's name, with our corrections: a lost egress
// is not shown as active for ever, and one that LiveKit has forgotten is added. Whatever Temporal
// cannot say is left out, without an error.
func (h *Handler) list(ctx context.Context, r *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	c := callOf(ctx)
	c.room, c.egressID = r.GetRoomName(), r.GetEgressId()
	ctx, cancel := context.WithDeadline(ctx, c.deadline)
	defer cancel()
	list, err := h.livekit.list(ctx, c.token, r)
	forgotten := r.GetEgressId() != "" && isNotFound(err)
	if err != nil && !forgotten {
		c.cause = err
		return nil, toTwirp(err)
	}
	shown := cmp.Or(list, &livekit.ListEgressResponse{})
	for i, m := range shown.GetItems() {
		shown.Items[i] = h.shown(m)
	}
	c.outcome = Durable
	if add := h.improve(ctx, r, shown); add != nil {
		c.outcome, c.cause = Direct, add
	}
	if forgotten && len(shown.GetItems()) == 0 {
		return nil, toTwirp(err)
	}
	return shown, nil
}

// everything reports whether a call asks for all egresses: from a LiveKit that does not page, the
// answer may be too large for two at once.
func (c *call) everything(media string, body []byte) bool {
	var r livekit.ListEgressRequest
	return c.method == listEgress && decode(media, body, &r) == nil &&
		r.GetRoomName() == "" && r.GetEgressId() == "" && !r.GetActive() && r.GetPageToken() == nil
}

// turn waits until nobody else holds a list of everything, for at most half of the caller's time, so
// that the other half is left to ask.
func (h *Handler) turn(ctx context.Context, c *call) error {
	ctx, end := context.WithDeadline(ctx, c.share(1, 2))
	defer end()
	if err := h.whole.Acquire(ctx, 1); err != nil {
		return &egress.Error{Reason: egress.RateLimited, Message: "others are listing everything", Err: err}
	}
	return nil
}

func isNotFound(err error) bool {
	var te twirp.Error
	return errors.As(err, &te) && te.Code() == twirp.NotFound
}

// improve adds to a list what Temporal knows. It corrects wrong entries before it adds missing
// ones, each of which costs a read.
func (h *Handler) improve(ctx context.Context, r *livekit.ListEgressRequest, list *livekit.ListEgressResponse) error {
	ctx, cancel := context.WithTimeout(ctx, knowFor)
	defer cancel()
	return errors.Join(h.lose(ctx, r, list), h.remember(ctx, r, list))
}

// remember adds what LiveKit has forgotten of an egress or a room, if the whole list was requested
// and has arrived.
func (h *Handler) remember(ctx context.Context, r *livekit.ListEgressRequest, list *livekit.ListEgressResponse) error {
	switch {
	case r.GetActive() || r.GetPageToken() != nil || list.GetNextPageToken().GetToken() != "":
		return nil
	case r.GetEgressId() == "" && r.GetRoomName() == "", r.GetEgressId() != "" && len(list.GetItems()) > 0:
		return nil
	}
	room := r.GetRoomName()
	if r.GetEgressId() != "" {
		room = "" // As at LiveKit, an ID overrides the other filters.
	}
	var listed []string
	for _, m := range list.GetItems() {
		listed = append(listed, m.GetEgressId())
	}
	ended, err := h.cfg.Recordings.Ended(ctx, r.GetEgressId(), room, listed...)
	if err != nil {
		return err
	}
	for _, info := range ended {
		if info.Known() && !slices.Contains(listed, info.Proto().GetEgressId()) {
			list.Items = append(list.Items, info.Proto())
		}
	}
	return nil
}

// lose shows lost egresses as failed, although LiveKit may call them active: LiveKit's API has no
// status for lost. A list of active egresses leaves them out.
func (h *Handler) lose(ctx context.Context, r *livekit.ListEgressRequest, list *livekit.ListEgressResponse) error {
	lost, err := h.lost(ctx, list.GetItems())
	var items []*livekit.EgressInfo
	for _, m := range list.GetItems() {
		evidence, gone := lost[m.GetEgressId()]
		switch {
		case !gone:
			items = append(items, m)
		case !r.GetActive():
			m = proto.CloneOf(m)
			m.Status, m.Error = livekit.EgressStatus_EGRESS_FAILED, wordOfLoss(evidence)
			items = append(items, m)
		}
	}
	list.Items = items
	return err
}

// loseIn is lose for a list in LiveKit's JSON, which nobody here can read whole.
func (h *Handler) loseIn(ctx context.Context, r *livekit.ListEgressRequest, answer []byte) ([]byte, error) {
	var list map[string]json.RawMessage
	var items []map[string]json.RawMessage
	var read livekit.ListEgressResponse
	if json.Unmarshal(answer, &list) != nil || json.Unmarshal(list["items"], &items) != nil || lenient.Unmarshal(answer, &read) != nil {
		return answer, nil
	}
	ctx, cancel := context.WithTimeout(ctx, knowFor)
	defer cancel()
	lost, err := h.lost(ctx, read.GetItems())
	shown := []map[string]json.RawMessage{}
	for i, item := range items {
		evidence, gone := lost[read.GetItems()[i].GetEgressId()]
		if gone && r.GetActive() {
			continue
		}
		if gone {
			item["status"], item["error"] = encode(livekit.EgressStatus_EGRESS_FAILED.String()), encode(wordOfLoss(evidence))
		}
		shown = append(shown, item)
	}
	list["items"] = encode(shown)
	return encode(list), err
}

func wordOfLoss(evidence string) string { return "lost: " + evidence }

// lost returns the evidence against egresses that LiveKit calls running, by egress ID.
func (h *Handler) lost(ctx context.Context, items []*livekit.EgressInfo) (map[string]string, error) {
	var running []string
	for _, m := range items {
		if !egress.Ended(m.GetStatus()) {
			running = append(running, m.GetEgressId())
		}
	}
	if len(running) == 0 {
		return nil, nil
	}
	return h.cfg.Recordings.Lost(ctx, running)
}
