// Package livekit is the adapter to LiveKit's API: the few calls that an egress
// needs, over LiveKit's own Go SDK, with every failure told as an egress.Error. It
// decides nothing and never retries: whether a failed call may be repeated is
// known only to its caller.
package livekit

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/livekit/server-sdk-go/v2/signalling"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Config says which LiveKit, and as whom.
type Config struct {
	URL       string // http(s) or ws(s)
	APIKey    string
	APISecret string
	// Timeout bounds every call but Start, whose caller sets its own. Default: 10 s,
	// as in LiveKit's SDKs; StopEgress of a dead worker answers after 3 s.
	Timeout time.Duration
	// ShareFor is how long before its caller came a shared list of active egresses may have been
	// asked for. Default: 1 s, the shortest wait after a start that LiveKit had no room for: who
	// looks then whether it began all the same gets a list that is younger than the answer.
	ShareFor time.Duration
}

// Client calls LiveKit. It is safe for concurrent use.
type Client struct {
	cfg     Config
	egress  *lksdk.EgressClient
	rooms   *lksdk.RoomServiceClient
	unified livekit.Egress // the SDK's client lacks the unified StartEgress

	active     sharedList
	remembered queuedList
}

// New makes a client. It does not connect.
func New(cfg Config) *Client {
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.ShareFor = cmp.Or(cfg.ShareFor, time.Second)
	return &Client{
		cfg:     cfg,
		egress:  lksdk.NewEgressClient(cfg.URL, cfg.APIKey, cfg.APISecret),
		rooms:   lksdk.NewRoomServiceClient(cfg.URL, cfg.APIKey, cfg.APISecret),
		unified: livekit.NewEgressProtobufClient(HTTPURL(cfg.URL), &http.Client{}),
	}
}

// HTTPURL is LiveKit's URL for a plain request: its signalling is at the same place.
func HTTPURL(url string) string { return signalling.ToHttpURL(url) }

// Start asks LiveKit for an egress. It is not idempotent: each call that reaches
// LiveKit records anew. The context's deadline is the only timeout. The SDK's
// fail-over to other regions is off, since it would send the start again.
func (c *Client) Start(ctx context.Context, r egress.Request) (*livekit.EgressInfo, error) {
	ctx = lksdk.WithFailover(ctx, false)
	m, err := c.start(ctx, r)
	if err == nil && m.GetEgressId() == "" {
		return nil, notLiveKits("start egress")
	}
	return m, classifyMasked("start egress", err, func(said string) string { return egress.MaskQuoted(said, r) })
}

func (c *Client) start(ctx context.Context, r egress.Request) (*livekit.EgressInfo, error) {
	switch r := r.(type) {
	case *livekit.RoomCompositeEgressRequest:
		return c.egress.StartRoomCompositeEgress(ctx, r)
	case *livekit.WebEgressRequest:
		return c.egress.StartWebEgress(ctx, r)
	case *livekit.ParticipantEgressRequest:
		return c.egress.StartParticipantEgress(ctx, r)
	case *livekit.TrackCompositeEgressRequest:
		return c.egress.StartTrackCompositeEgress(ctx, r)
	case *livekit.TrackEgressRequest:
		return c.egress.StartTrackEgress(ctx, r)
	case *livekit.StartEgressRequest:
		token, err := auth.NewAccessToken(c.cfg.APIKey, c.cfg.APISecret).
			SetVideoGrant(&auth.VideoGrant{RoomRecord: true}).ToJWT()
		if err != nil {
			return nil, fmt.Errorf("sign token: %w", err)
		}
		if ctx, err = twirp.WithHTTPRequestHeaders(ctx, signalling.NewHTTPHeaderWithToken(token)); err != nil {
			return nil, fmt.Errorf("set token: %w", err)
		}
		return c.unified.StartEgress(ctx, r)
	default:
		return nil, fmt.Errorf("no such request: %T", r)
	}
}

// within bounds a call over all regions that the SDK tries. Of a deadline it gives each of them
// the whole; a context that is cancelled is the end. So a region that hangs takes all of the
// time, and one that answers at once leaves some for the next.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	bounded, release := context.WithTimeout(ctx, limit)
	call, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(bounded, end)
	return call, func() {
		stop()
		release()
		end()
	}
}

// Get asks for one egress by its ID. LiveKit answers not_found for one that it
// does not know, or has forgotten 24 h after its end.
func (c *Client) Get(ctx context.Context, egressID string) (*livekit.EgressInfo, error) {
	if egressID == "" { // a list by no ID is one of everything
		return nil, &egress.Error{Reason: egress.NotFound, Message: "egress does not exist"}
	}
	items, err := c.list(ctx, &livekit.ListEgressRequest{EgressId: egressID})
	if err != nil {
		return nil, err
	}
	if len(items) != 1 {
		return nil, notLiveKits("list egress")
	}
	return named(items[0], egressID, "list egress")
}

// named is an answer about an egress, as long as it is about the one that was asked for.
func named(m *livekit.EgressInfo, egressID, op string) (*livekit.EgressInfo, error) {
	if m.GetEgressId() != egressID {
		return nil, notLiveKits(op)
	}
	return m, nil
}

// notLiveKits is for a 200 that does not say what LiveKit would have: an empty one of a proxy
// decodes as any message, and says nothing of an egress.
func notLiveKits(op string) error {
	return &egress.Error{Reason: egress.Ambiguous, Message: op + ": the reply does not name the egress, and may not be LiveKit's"}
}

// InRoom lists the egresses of a room, ended ones too.
func (c *Client) InRoom(ctx context.Context, room string) ([]*livekit.EgressInfo, error) {
	return c.list(ctx, &livekit.ListEgressRequest{RoomName: room})
}

// Active lists all active egresses. Callers within ShareFor of each other share
// one answer, so that many who look for a web egress cost one call.
func (c *Client) Active(ctx context.Context) ([]*livekit.EgressInfo, error) {
	return c.active.get(ctx, c.cfg.ShareFor, func() ([]*livekit.EgressInfo, error) {
		return c.list(context.WithoutCancel(ctx), &livekit.ListEgressRequest{Active: true})
	})
}

// Remembered lists every egress that LiveKit remembers, as All does, by one call at a time: there
// may be tens of thousands, and many may look for a web egress at the same moment. A caller
// whose context ends waits on.
func (c *Client) Remembered(ctx context.Context) ([]*livekit.EgressInfo, error) {
	return c.remembered.get(func() ([]*livekit.EgressInfo, error) {
		items, _, err := c.All(context.WithoutCancel(ctx), false)
		return items, err
	})
}

// list reads every page within Timeout.
func (c *Client) list(ctx context.Context, req *livekit.ListEgressRequest) ([]*livekit.EgressInfo, error) {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	items, _, err := c.pages(ctx, req)
	return items, err
}

// Stop tells LiveKit to end an egress. It is idempotent while the egress is ending.
func (c *Client) Stop(ctx context.Context, egressID string) (*livekit.EgressInfo, error) {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	m, err := c.egress.StopEgress(ctx, &livekit.StopEgressRequest{EgressId: egressID})
	if err != nil {
		return nil, classifyStop(err)
	}
	return named(m, egressID, "stop egress")
}

// Present reports whether a participant is in a room. An egress joins its room under
// its egress ID. A room that is gone has nobody in it.
func (c *Client) Present(ctx context.Context, room, identity string) (bool, error) {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	p, err := c.rooms.GetParticipant(ctx, &livekit.RoomParticipantIdentity{Room: room, Identity: identity})
	switch err = classify("get participant", err); {
	case egress.ReasonOf(err) == egress.NotFound:
		return false, nil
	case err == nil && p.GetIdentity() != identity:
		return false, notLiveKits("get participant")
	}
	return err == nil, err
}

// Room is a room that is listed, with this SID where one is given: a name may be used again.
// Nil: there is none.
func (c *Client) Room(ctx context.Context, name, sid string) (*livekit.Room, error) {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	rooms, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{name}})
	for _, r := range rooms.GetRooms() {
		if sid == "" || r.GetSid() == sid {
			return r, nil
		}
	}
	return nil, classify("list rooms", err)
}

// All lists every egress that LiveKit remembers, the ended ones of the last 24 h
// included, or those alone that have not ended, and says how many calls that took.
// Each page may take as long as Timeout, and all of them six times as long.
func (c *Client) All(ctx context.Context, active bool) (items []*livekit.EgressInfo, calls int, err error) {
	ctx, cancel := within(ctx, 6*c.cfg.Timeout)
	defer cancel()
	return c.pages(ctx, &livekit.ListEgressRequest{Active: active})
}

// pages reads every page: newer LiveKit Cloud servers page, self-hosted ones do not.
func (c *Client) pages(ctx context.Context, req *livekit.ListEgressRequest) (items []*livekit.EgressInfo, calls int, err error) {
	for {
		page, err := c.page(ctx, req)
		calls++
		if err != nil {
			return nil, calls, classify("list egress", err)
		}
		items = append(items, page.GetItems()...)
		next := page.GetNextPageToken()
		if next.GetToken() == "" || next.GetToken() == req.GetPageToken().GetToken() {
			return items, calls, nil
		}
		req.PageToken = next
	}
}

func (c *Client) page(ctx context.Context, req *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	return c.egress.ListEgress(ctx, req)
}

// Rooms lists every live room.
func (c *Client) Rooms(ctx context.Context) ([]*livekit.Room, error) {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	rooms, err := c.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{})
	return rooms.GetRooms(), classify("list rooms", err)
}
