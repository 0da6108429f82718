package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// starts maps the methods that start an egress to what they start.
var starts = map[string]egress.Kind{
	"StartEgress":               egress.KindEgress,
	"StartRoomCompositeEgress":  egress.KindRoomComposite,
	"StartWebEgress":            egress.KindWeb,
	"StartParticipantEgress":    egress.KindParticipant,
	"StartTrackCompositeEgress": egress.KindTrackComposite,
	"StartTrackEgress":          egress.KindTrack,
}

// The other methods that we know.
const (
	stopEgress = "StopEgress"
	listEgress = "ListEgress"
	setLayout  = "UpdateLayout"
	setStream  = "UpdateStream"
	deleteRoom = "DeleteRoom"
)

// methodOf returns the method of ours that a request calls, and an empty message of its argument.
// Both are zero for what LiveKit answers: all other methods, including those of a newer LiveKit,
// and anything that is not a POST.
func methodOf(r *http.Request) (string, proto.Message) {
	method, ok := strings.CutPrefix(pathOf(r), livekit.EgressPathPrefix)
	if !ok || r.Method != http.MethodPost {
		return "", nil
	}
	switch method {
	case stopEgress:
		return method, &livekit.StopEgressRequest{}
	case listEgress:
		return method, &livekit.ListEgressRequest{}
	case setLayout:
		return method, &livekit.UpdateLayoutRequest{}
	case setStream:
		return method, &livekit.UpdateStreamRequest{}
	}
	if kind, ok := starts[method]; ok {
		return method, egress.NewRequest(kind)
	}
	return "", nil
}

// service implements livekit.Egress. All starts are handled alike.
type service struct{ *Handler }

var _ livekit.Egress = service{}

// StartEgress is the unified start: of a template, a web page or media.
func (s service) StartEgress(ctx context.Context, r *livekit.StartEgressRequest) (*livekit.EgressInfo, error) {
	return s.start(ctx, r)
}

// StartRoomCompositeEgress records a room as a browser shows it.
func (s service) StartRoomCompositeEgress(ctx context.Context, r *livekit.RoomCompositeEgressRequest) (*livekit.EgressInfo, error) {
	return s.start(ctx, r)
}

// StartWebEgress records any page, in no room.
func (s service) StartWebEgress(ctx context.Context, r *livekit.WebEgressRequest) (*livekit.EgressInfo, error) {
	return s.start(ctx, r)
}

// StartParticipantEgress records one participant.
func (s service) StartParticipantEgress(ctx context.Context, r *livekit.ParticipantEgressRequest) (*livekit.EgressInfo, error) {
	return s.start(ctx, r)
}

// StartTrackCompositeEgress records an audio and a video track together.
func (s service) StartTrackCompositeEgress(ctx context.Context, r *livekit.TrackCompositeEgressRequest) (*livekit.EgressInfo, error) {
	return s.start(ctx, r)
}

// StartTrackEgress records one track as it is.
func (s service) StartTrackEgress(ctx context.Context, r *livekit.TrackEgressRequest) (*livekit.EgressInfo, error) {
	return s.start(ctx, r)
}

// StopEgress ends an egress, through its workflow where it has one.
func (s service) StopEgress(ctx context.Context, r *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	return s.stop(ctx, r.GetEgressId())
}

// ListEgress returns LiveKit's list with our corrections.
func (s service) ListEgress(ctx context.Context, r *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	return s.list(ctx, r)
}

// UpdateLayout is LiveKit's own; the answer shows the caller's webhooks.
func (s service) UpdateLayout(ctx context.Context, r *livekit.UpdateLayoutRequest) (*livekit.EgressInfo, error) {
	return s.update(ctx, r.GetEgressId(), func(ctx context.Context) (*livekit.EgressInfo, error) {
		return s.livekit.egress.UpdateLayout(ctx, r)
	})
}

// UpdateStream is LiveKit's own; the answer shows the caller's webhooks.
func (s service) UpdateStream(ctx context.Context, r *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	callOf(ctx).request = r
	return s.update(ctx, r.GetEgressId(), func(ctx context.Context) (*livekit.EgressInfo, error) {
		return s.livekit.egress.UpdateStream(ctx, r)
	})
}

// update asks LiveKit in the caller's name.
func (h *Handler) update(ctx context.Context, egressID string, ask func(context.Context) (*livekit.EgressInfo, error)) (*livekit.EgressInfo, error) {
	c := callOf(ctx)
	c.egressID = egressID
	ctx, cancel := c.lasting(ctx)
	defer cancel()
	m, err := ask(as(ctx, c.token))
	if err != nil {
		c.cause = err
		return nil, toTwirp(sent(err))
	}
	c.outcome = Direct
	return h.shown(m), nil
}
