package livekit_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/livekit"
)

func page(next string, ids ...string) *lk.ListEgressResponse {
	r := &lk.ListEgressResponse{}
	for _, id := range ids {
		r.Items = append(r.Items, &lk.EgressInfo{EgressId: id})
	}
	if next != "" {
		r.NextPageToken = &lk.TokenPagination{Token: next}
	}
	return r
}

func idsOf(items []*lk.EgressInfo) (ids []string) {
	for _, m := range items {
		ids = append(ids, m.GetEgressId())
	}
	return ids
}

func TestAnEgressThatLiveKitDoesNotKnowIsNotFound(t *testing.T) {
	t.Parallel()
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
		return nil, twirp.NotFoundError("egress does not exist")
	}}
	m, err := at(p.open(t).url).Get(t.Context(), "EG_1")
	require.Equal(t, egress.NotFound, failure(t, err).Reason)
	require.Nil(t, m)
}

// LiveKit never answers like this: it may come from something in front of LiveKit, which does not
// know the egress.
func TestAnAnswerThatDoesNotNameTheEgressSaysNothingOfIt(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]*lk.ListEgressResponse{
		"nothing": page(""), "another one": page("", "EG_2"), "two": page("", "EG_1", "EG_2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return list, nil }}
			m, err := at(p.open(t).url).Get(t.Context(), "EG_1")
			require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
			require.Nil(t, m)
		})
	}
}

func TestAnEgressWithoutAnIDIsNotAskedFor(t *testing.T) {
	t.Parallel()
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return page("", "EG_1"), nil }}
	m, err := at(p.open(t).url).Get(t.Context(), "")
	require.Equal(t, egress.NotFound, failure(t, err).Reason)
	require.Nil(t, m)
	require.Empty(t, p.noted(), "LiveKit would list everything")
}

func TestAnEmptyRoomIsNoError(t *testing.T) {
	t.Parallel()
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return page(""), nil }}
	items, err := at(p.open(t).url).InRoom(t.Context(), "standup")
	require.NoError(t, err)
	require.Empty(t, items)
}

func TestEachListAsksForWhatItWants(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ask  func(*livekit.Client) error
		want *lk.ListEgressRequest
	}{
		"one":    {func(c *livekit.Client) error { return second(c.Get(t.Context(), "EG_1")) }, &lk.ListEgressRequest{EgressId: "EG_1"}},
		"room":   {func(c *livekit.Client) error { return second(c.InRoom(t.Context(), "r")) }, &lk.ListEgressRequest{RoomName: "r"}},
		"all":    {func(c *livekit.Client) error { return second(c.Remembered(t.Context())) }, &lk.ListEgressRequest{}},
		"active": {func(c *livekit.Client) error { return second(c.Active(t.Context())) }, &lk.ListEgressRequest{Active: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return page("", "EG_1"), nil }}
			require.NoError(t, tc.ask(at(p.open(t).url)))
			require.Len(t, p.noted(), 1)
			require.Equal(t, tc.want.String(), p.noted()[0].req.(*lk.ListEgressRequest).String())
		})
	}
}

func TestAllPagesAreRead(t *testing.T) {
	t.Parallel()
	pages := map[string]*lk.ListEgressResponse{"": page("b", "EG_1", "EG_2"), "b": page("c", "EG_3"), "c": page("", "EG_4")}
	p := &project{list: func(r *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
		return pages[r.GetPageToken().GetToken()], nil
	}}
	items, err := at(p.open(t).url).InRoom(t.Context(), "standup")
	require.NoError(t, err)
	require.Equal(t, []string{"EG_1", "EG_2", "EG_3", "EG_4"}, idsOf(items))
	require.Len(t, p.noted(), 3)
	for _, c := range p.noted() {
		require.Equal(t, "standup", c.req.(*lk.ListEgressRequest).GetRoomName(), "the filter stays")
	}
}

func TestAPageThatFailsFailsTheListSoThatNothingCountsAsAbsent(t *testing.T) {
	t.Parallel()
	pages := map[string]error{"": nil, "b": twirp.NewError(twirp.Unavailable, "not now")}
	p := &project{list: func(r *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
		return page("b", "EG_1"), pages[r.GetPageToken().GetToken()]
	}}
	items, err := at(p.open(t).url).InRoom(t.Context(), "standup")
	require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
	require.Nil(t, items)
}

func TestAServerThatIgnoresThePageTokenIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return page("same", "EG_1"), nil }}
	items, err := at(p.open(t).url).InRoom(t.Context(), "standup")
	require.NoError(t, err)
	require.Contains(t, idsOf(items), "EG_1")
	require.Len(t, p.noted(), 2)
}

func TestAServerThatInventsPagesIsAskedUntilTheTimeOut(t *testing.T) {
	t.Parallel()
	n := 0
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
		n++ // the client requests one page after the other
		return page(strconv.Itoa(n), "EG_1"), nil
	}}
	c := livekit.New(livekit.Config{URL: p.open(t).url, APIKey: key, APISecret: secret, Timeout: 100 * time.Millisecond})
	_, err := c.InRoom(t.Context(), "standup")
	require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
}

func TestARoomIsLiveWhenItIsListed(t *testing.T) {
	t.Parallel()
	p := &project{rooms: func(r *lk.ListRoomsRequest) (*lk.ListRoomsResponse, error) {
		listed := map[string][]*lk.Room{"[standup]": {{Name: "standup", Sid: "RM_2"}}}
		return &lk.ListRoomsResponse{Rooms: listed[fmt.Sprint(r.GetNames())]}, nil
	}}
	c := at(p.open(t).url)
	for room, want := range map[[2]string]bool{
		{"standup", ""}: true, {"standup", "RM_2"}: true, {"retro", ""}: false,
		{"standup", "RM_1"}: false, // the name is in use again
	} {
		r, err := c.Room(t.Context(), room[0], room[1])
		require.NoError(t, err)
		require.Equal(t, want, r != nil, room)
	}
}

func TestActiveEgressesAreAskedForOnceByManyCallers(t *testing.T) {
	t.Parallel()
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return page("", "EG_1"), nil }}
	c := at(p.open(t).url)
	var g errgroup.Group
	for range 20 {
		g.Go(func() error { return second(c.Active(t.Context())) })
	}
	require.NoError(t, g.Wait())
	require.Len(t, p.noted(), 1)
}

func TestAllIsAskedForByOneCallAtATimeAndNobodyGetsAnOlderList(t *testing.T) {
	t.Parallel()
	var calls, beside atomic.Int64
	asked, answer := make(chan struct{}, 20), make(chan struct{})
	p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
		defer beside.Add(-1)
		if beside.Add(1) > 1 {
			return nil, errors.New("one is under way")
		}
		asked <- struct{}{}
		<-answer
		return page("", fmt.Sprintf("EG_%d", calls.Add(1))), nil
	}}
	c := at(p.open(t).url)
	got := make(chan []string, 20)
	var g errgroup.Group
	ask := func() error {
		items, err := c.Remembered(t.Context())
		got <- idsOf(items)
		return err
	}
	g.Go(ask)
	<-asked
	for range 9 { // during the first caller's call
		g.Go(ask)
	}
	close(answer)
	require.NoError(t, g.Wait())
	lists := map[string]int{}
	for range 10 {
		lists[(<-got)[0]]++
	}
	require.Equal(t, 1, lists["EG_1"], "it was asked for before the others came")
}

func TestACallerWhoLeavesDoesNotCostTheOthersTheirAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		list  func(*livekit.Client, context.Context) ([]*lk.EgressInfo, error)
		calls int
	}{
		"what is active":             {(*livekit.Client).Active, 1}, // the call went on without who left
		"all that LiveKit remembers": {(*livekit.Client).Remembered, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, leave := context.WithCancel(t.Context())
			answer := make(chan struct{})
			p := &project{list: func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
				leave()
				<-answer
				return page("", "EG_1"), nil
			}}
			c := at(p.open(t).url)
			_, err := tt.list(c, ctx)
			require.ErrorIs(t, err, context.Canceled)
			close(answer)
			items, err := tt.list(c, t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"EG_1"}, idsOf(items))
			require.Len(t, p.noted(), tt.calls)
		})
	}
}

func TestTheComparisonCountsItsCalls(t *testing.T) {
	t.Parallel()
	pages := map[string]*lk.ListEgressResponse{"": page("b", "EG_1", "EG_2"), "b": page("", "EG_3")}
	p := &project{list: func(r *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
		return pages[r.GetPageToken().GetToken()], nil
	}}
	c := at(p.open(t).url)
	for _, active := range []bool{true, false} {
		items, calls, err := c.All(t.Context(), active)
		require.NoError(t, err)
		require.Equal(t, 2, calls)
		require.Equal(t, []string{"EG_1", "EG_2", "EG_3"}, idsOf(items))
		for _, call := range p.noted() {
			require.Equal(t, active, call.req.(*lk.ListEgressRequest).GetActive())
		}
		p.calls = nil
	}
	p.list = func(*lk.ListEgressRequest) (*lk.ListEgressResponse, error) { return nil, twirp.InternalError("no") }
	_, calls, err := c.All(t.Context(), true)
	require.Equal(t, 1, calls)
	require.Equal(t, egress.Ambiguous, failure(t, err).Reason)
}

func TestAllRoomsAreListed(t *testing.T) {
	t.Parallel()
	p := &project{rooms: func(r *lk.ListRoomsRequest) (*lk.ListRoomsResponse, error) {
		return &lk.ListRoomsResponse{Rooms: []*lk.Room{{Name: fmt.Sprint(len(r.GetNames()))}}}, nil
	}}
	rooms, err := at(p.open(t).url).Rooms(t.Context())
	require.NoError(t, err)
	require.Len(t, rooms, 1)
	require.Equal(t, "0", rooms[0].GetName(), "of no name")
}
