// Package livekit is the adapter to LiveKit's API: the few calls that an egress needs, over
// LiveKit's own Go SDK, with every failure returned as an egress.Error. It decides nothing and
// never retries: only the caller knows whether a failed call may be repeated.
package livekit

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/livekit/server-sdk-go/v2/signalling"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Config says which LiveKit to call, and under which key.
type Config struct {
	URL       string // http(s) or ws(s)
	APIKey    string
	APISecret string
	// Timeout bounds every call except Start, whose caller sets its own. Default: 10 s, as in
	// LiveKit's SDKs; StopEgress answers after 3 s if the egress's worker is dead.
	Timeout time.Duration
	// ShareFor is how old a shared list of active egresses may be when a caller asks for it.
	// Default: 1 s, the shortest wait after a start for which LiveKit had no room: a caller that
	// then checks whether the egress began all the same gets a list younger than LiveKit's answer.
	ShareFor time.Duration
}

// Client calls LiveKit. It is safe for concurrent use.
type Client struct {
	cfg     Config
	egress  *lksdk.EgressClient
	rooms   *lksdk.RoomServiceClient
	unified livekit.Egress // the SDK's client lacks the unified StartEgress

	active, remembered sharedList
}

// New makes a client. It does not connect. It uses http.DefaultTransport as it is now: the SDK takes
// no other.
func New(cfg Config) *Client {
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.ShareFor = cmp.Or(cfg.ShareFor, time.Second)
	cfg.URL = HTTPURL(cfg.URL)
	return &Client{
		cfg:     cfg,
		egress:  lksdk.NewEgressClient(cfg.URL, cfg.APIKey, cfg.APISecret),
		rooms:   lksdk.NewRoomServiceClient(cfg.URL, cfg.APIKey, cfg.APISecret),
		unified: livekit.NewEgressProtobufClient(cfg.URL, &http.Client{}),
	}
}

// HTTPURL is LiveKit's URL for plain requests; signalling uses the same place. The SDK knows the
// scheme only in lower case.
func HTTPURL(url string) string {
	if scheme, rest, ok := strings.Cut(url, "://"); ok {
		url = strings.ToLower(scheme) + "://" + rest
	}
	return signalling.ToHttpURL(url)
}

// Start asks LiveKit for an egress. It is not idempotent: each call that reaches LiveKit starts
// another recording. The context's deadline is the only timeout. The SDK's fail-over to other
// regions is off, since it would send the start again.
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

// within bounds a call over all regions that the SDK tries. The SDK gives each region the whole of
// a deadline, but stops when the context is cancelled. So a region that hangs uses up all of the
// time, and one that fails at once leaves some for the next.
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

// Get returns one egress by its ID. LiveKit answers not_found for an egress that it does not know,
// or forgot 24 h after its end.
func (c *Client) Get(ctx context.Context, egressID string) (*livekit.EgressInfo, error) {
	if egressID == "" { // listing without an ID would list everything
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

// named returns the answer if it is about the egress that was asked for.
func named(m *livekit.EgressInfo, egressID, op string) (*livekit.EgressInfo, error) {
	if m.GetEgressId() != egressID {
		return nil, notLiveKits(op)
	}
	return m, nil
}

// notLiveKits is the error for a 200 that does not contain what LiveKit would send: an empty reply
// from a proxy decodes as any message, and says nothing about an egress.
func notLiveKits(op string) error {
	return &egress.Error{Reason: egress.Ambiguous, Message: op + ": the reply does not name the egress, and may not come from LiveKit"}
}

// InRoom lists the egresses of a room, including ended ones.
func (c *Client) InRoom(ctx context.Context, room string) ([]*livekit.EgressInfo, error) {
	return c.list(ctx, &livekit.ListEgressRequest{RoomName: room})
}

// Active lists all active egresses. Callers within ShareFor of each other share one answer, so that
// many callers looking for a web egress cost one call.
func (c *Client) Active(ctx context.Context) ([]*livekit.EgressInfo, error) {
	return c.active.get(ctx, c.cfg.ShareFor, func() ([]*livekit.EgressInfo, error) {
		return c.list(context.WithoutCancel(ctx), &livekit.ListEgressRequest{Active: true})
	})
}

// Remembered lists every egress that LiveKit remembers, as All does, with one call at a time: there
// may be tens of thousands, and many callers may look for a web egress at the same moment.
func (c *Client) Remembered(ctx context.Context) ([]*livekit.EgressInfo, error) {
	return c.remembered.get(ctx, 0, func() ([]*livekit.EgressInfo, error) {
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
		return nil, classifyWorkers("stop egress", err)
	}
	return named(m, egressID, "stop egress")
}

// Answers asks the worker of an egress for a sign of life, and ends nothing: it sends an UpdateStream
// that changes nothing, to which even the worker of an egress without streams answers. nil: it
// answered. Reason Unanswered: nobody did. Reason AlreadyOver: the egress has ended, or is ENDING.
//
// LiveKit passes on silence as unavailable, for which its SDK would ask its other regions: they have
// the same worker, and the call would run out of time.
func (c *Client) Answers(ctx context.Context, egressID string) error {
	ctx, cancel := within(ctx, c.cfg.Timeout)
	defer cancel()
	m, err := c.egress.UpdateStream(lksdk.WithFailover(ctx, false), &livekit.UpdateStreamRequest{EgressId: egressID})
	if err != nil {
		return classifyAsked(err)
	}
	_, err = named(m, egressID, "update stream")
	return err
}

// Present reports whether a participant is in a room. An egress joins its room with its egress ID
// as identity. A deleted room has no participants.
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

// Room returns a live room by name, and by SID if one is given: a name may be used again. It
// returns nil if there is none.
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

// All lists every egress that LiveKit remembers, including those that ended in the last 24 h, or
// only those that have not ended, and returns the number of calls. Each page may take up to
// Timeout, and all of them six times as long.
func (c *Client) All(ctx context.Context, active bool) (items []*livekit.EgressInfo, calls int, err error) {
	ctx, cancel := within(ctx, 6*c.cfg.Timeout)
	defer cancel()
	return c.pages(ctx, &livekit.ListEgressRequest{Active: active})
}

// pages reads every page: newer LiveKit Cloud servers use pages, self-hosted ones do not.
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
