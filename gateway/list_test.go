package gateway_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// listing serves LiveKit's list at its own address.
type listing struct {
	livekit.Egress
	answer *livekit.ListEgressResponse
	err    error
	asked  *livekit.ListEgressRequest
}

func (l *listing) ListEgress(_ context.Context, r *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	l.asked = r
	if l.err != nil {
		return nil, l.err
	}
	return cmp.Or(l.answer, &livekit.ListEgressResponse{}), nil
}

// shownIn returns an answer's egresses with status and error.
func shownIn(list *livekit.ListEgressResponse) []string {
	shown := []string{}
	for _, m := range list.GetItems() {
		shown = append(shown, m.GetEgressId()+" "+m.GetStatus().String()+" "+m.GetError())
	}
	return shown
}

func remembered(t *testing.T, ids ...string) func(context.Context, string, string, ...string) ([]egress.Info, error) {
	t.Helper()
	var all []egress.Info
	for _, id := range ids {
		m := running(id, "")
		m.Status = livekit.EgressStatus_EGRESS_COMPLETE
		info, err := egress.NewInfo(m)
		require.NoError(t, err)
		all = append(all, info)
	}
	return func(context.Context, string, string, ...string) ([]egress.Info, error) { return all, nil }
}

func TestAListIsLiveKitsOwnWithoutOurWebhooks(t *testing.T) {
	t.Parallel()
	up := &listing{answer: &livekit.ListEgressResponse{
		Items:         []*livekit.EgressInfo{running("EG_1", "call-1", theirs()), running("EG_2", "", theirs()), running("EG_3", "call-3")},
		NextPageToken: &livekit.TokenPagination{Token: "next"},
	}}
	b := newBench(t, livekit.NewEgressServer(up))
	got, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily", PageToken: &livekit.TokenPagination{Token: "page"}})
	require.NoError(t, err)
	require.Equal(t, "daily", up.asked.GetRoomName())
	require.Equal(t, "page", up.asked.GetPageToken().GetToken())
	require.Equal(t, "next", got.GetNextPageToken().GetToken())
	require.Equal(t, []string{"EG_1 EGRESS_ACTIVE ", "EG_2 EGRESS_ACTIVE ", "EG_3 EGRESS_ACTIVE "}, shownIn(got))
	for i, want := range []int{1, 1, 0} {
		require.Len(t, got.GetItems()[i].GetRoomComposite().GetWebhooks(), want)
	}
	require.Equal(t, theirs().GetUrl(), got.GetItems()[0].GetRoomComposite().GetWebhooks()[0].GetUrl())
}

func TestALostEgressIsNotShownActiveForEver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ask  *livekit.ListEgressRequest
		want []string
	}{
		"all":        {&livekit.ListEgressRequest{}, []string{"EG_1 EGRESS_ACTIVE ", "EG_2 EGRESS_FAILED lost: its room is gone"}},
		"a room":     {&livekit.ListEgressRequest{RoomName: "daily"}, []string{"EG_1 EGRESS_ACTIVE ", "EG_2 EGRESS_FAILED lost: its room is gone"}},
		"the active": {&livekit.ListEgressRequest{Active: true}, []string{"EG_1 EGRESS_ACTIVE "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{
				Items: []*livekit.EgressInfo{running("EG_1", "call-1"), running("EG_2", "call-2")},
			}}))
			b.recordings.lost = func(_ context.Context, ids []string) (map[string]string, error) {
				require.Equal(t, []string{"EG_1", "EG_2"}, ids)
				return map[string]string{"EG_2": "its room is gone"}, nil
			}
			got, err := b.sdk(t).ListEgress(t.Context(), tc.ask)
			require.NoError(t, err)
			require.Equal(t, tc.want, shownIn(got))
			require.Equal(t, map[string]int64{"ListEgress durable": 1}, b.counts(t))
		})
	}
}

// It may be one of thousands, of which Temporal may look up only the first in time.
func TestWhatIsKnownAsLostIsShownSoAlsoWhereTheRestIsNotKnown(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{
		Items: []*livekit.EgressInfo{running("EG_1", "call-1"), running("EG_2", "call-2")},
	}}))
	b.recordings.lost = func(context.Context, []string) (map[string]string, error) {
		return map[string]string{"EG_1": "its room is gone"}, away
	}
	got, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"EG_1 EGRESS_FAILED lost: its room is gone", "EG_2 EGRESS_ACTIVE "}, shownIn(got))
	require.Equal(t, map[string]int64{"ListEgress direct": 1}, b.counts(t))
}

func TestOnlyWhatLiveKitCallsRunningIsAskedAfter(t *testing.T) {
	t.Parallel()
	ended := running("EG_1", "call-1")
	ended.Status = livekit.EgressStatus_EGRESS_COMPLETE
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{ended}}}))
	b.recordings.lost = func(context.Context, []string) (map[string]string, error) {
		return nil, errors.New("asked without need")
	}
	_, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"ListEgress durable": 1}, b.counts(t))
}

func TestWhatLiveKitHasForgottenIsRemembered(t *testing.T) {
	t.Parallel()
	notFound := twirp.NewError(twirp.NotFound, "egress does not exist")
	page := &livekit.TokenPagination{Token: "page"}
	here := func() *livekit.ListEgressResponse {
		return &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{running("EG_1", "call-1")}}
	}
	for name, tc := range map[string]struct {
		ask    *livekit.ListEgressRequest
		up     *listing
		want   []string
		wanted string // from Temporal
	}{
		"by ID":                     {&livekit.ListEgressRequest{EgressId: "EG_2"}, &listing{err: notFound}, []string{"EG_2 EGRESS_COMPLETE "}, "EG_2/ but "},
		"by ID and room":            {&livekit.ListEgressRequest{EgressId: "EG_2", RoomName: "daily"}, &listing{err: notFound}, []string{"EG_2 EGRESS_COMPLETE "}, "EG_2/ but "},
		"by ID, but LiveKit has it": {&livekit.ListEgressRequest{EgressId: "EG_1"}, &listing{answer: here()}, []string{"EG_1 EGRESS_ACTIVE "}, ""},
		"by room":                   {&livekit.ListEgressRequest{RoomName: "daily"}, &listing{answer: here()}, []string{"EG_1 EGRESS_ACTIVE ", "EG_2 EGRESS_COMPLETE "}, "/daily but EG_1"},
		"by room, active":           {&livekit.ListEgressRequest{RoomName: "daily", Active: true}, &listing{answer: here()}, []string{"EG_1 EGRESS_ACTIVE "}, ""},
		"by room, a later page":     {&livekit.ListEgressRequest{RoomName: "daily", PageToken: page}, &listing{answer: here()}, []string{"EG_1 EGRESS_ACTIVE "}, ""},
		"by room, not the last page": {
			&livekit.ListEgressRequest{RoomName: "daily"},
			&listing{answer: &livekit.ListEgressResponse{Items: here().Items, NextPageToken: page}}, []string{"EG_1 EGRESS_ACTIVE "}, "",
		},
		"all": {&livekit.ListEgressRequest{}, &listing{answer: here()}, []string{"EG_1 EGRESS_ACTIVE "}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, livekit.NewEgressServer(tc.up))
			asked, known := "", remembered(t, "EG_1", "EG_2")
			if tc.ask.EgressId != "" {
				known = remembered(t, "EG_2")
			}
			b.recordings.ended = func(ctx context.Context, id, room string, listed ...string) ([]egress.Info, error) {
				asked = id + "/" + room + " but " + strings.Join(listed, ",")
				return known(ctx, id, room, listed...)
			}
			got, err := b.sdk(t).ListEgress(t.Context(), tc.ask)
			require.NoError(t, err)
			require.Equal(t, tc.want, shownIn(got))
			require.Equal(t, tc.wanted, asked)
		})
	}
}

func TestAnEgressThatNobodyKnowsIsNotFound(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{err: twirp.NewError(twirp.NotFound, "egress does not exist")}))
	_, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{EgressId: "EG_9"})
	var te twirp.Error
	require.ErrorAs(t, err, &te)
	require.Equal(t, twirp.NotFound, te.Code())
	require.Equal(t, "egress does not exist", te.Msg())
	require.Equal(t, map[string]int64{"ListEgress refused": 1}, b.counts(t))
}

func TestWithoutTemporalAListIsLiveKitsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{running("EG_1", "call-1")}}}))
	b.recordings.lost = func(context.Context, []string) (map[string]string, error) { return nil, away }
	b.recordings.ended = func(context.Context, string, string, ...string) ([]egress.Info, error) { return nil, away }
	got, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	require.Equal(t, []string{"EG_1 EGRESS_ACTIVE "}, shownIn(got))
	require.Equal(t, map[string]int64{"ListEgress direct": 1}, b.counts(t))
}

func TestALostEgressIsShownSoAlsoWhereAllTimeGoesByForWhatIsForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{running("EG_1", "call-1")}}}))
	over := false
	b.recordings.lost = func(context.Context, []string) (map[string]string, error) {
		if over {
			return nil, away
		}
		return map[string]string{"EG_1": "its room is gone"}, nil
	}
	b.recordings.ended = func(context.Context, string, string, ...string) ([]egress.Info, error) {
		over = true
		return nil, away
	}
	got, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	require.Equal(t, []string{"EG_1 EGRESS_FAILED lost: its room is gone"}, shownIn(got))
}

func TestASlowTemporalHoldsAListUpForTwoSecondsInAll(t *testing.T) {
	t.Parallel()
	var bounds []time.Duration
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{running("EG_1", "call-1")}}}))
	until := func(ctx context.Context) error {
		by, _ := ctx.Deadline()
		bounds = append(bounds, time.Until(by))
		return away
	}
	const takes = 20 * time.Millisecond
	b.recordings.lost = func(ctx context.Context, _ []string) (map[string]string, error) {
		err := until(ctx)
		<-time.After(takes)
		return nil, err
	}
	b.recordings.ended = func(ctx context.Context, _, _ string, _ ...string) ([]egress.Info, error) { return nil, until(ctx) }
	_, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	require.Len(t, bounds, 2)
	require.LessOrEqual(t, bounds[0], 2*time.Second)
	require.LessOrEqual(t, bounds[1], bounds[0]-takes, "each has a time of its own")
}

// lists is a LiveKit whose lists of everything each signal that they were requested, and wait.
type lists struct {
	livekit.Egress
	asked  chan struct{}
	answer chan struct{}
}

func (l lists) ListEgress(ctx context.Context, r *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	if r.GetRoomName() == "" && !r.GetActive() {
		select {
		case l.asked <- struct{}{}:
		case <-ctx.Done():
		}
		select {
		case <-l.answer:
		case <-ctx.Done():
		}
	}
	return &livekit.ListEgressResponse{}, nil
}

// Lists of everything are large enough that two at once may be too much.
func TestEverythingIsListedForOneAtATime(t *testing.T) {
	t.Parallel()
	l := lists{asked: make(chan struct{}), answer: make(chan struct{})}
	b := newBench(t, livekit.NewEgressServer(l))
	asking := func() <-chan *httptest.ResponseRecorder {
		r, answered := request(t.Context(), t, "ListEgress", `{}`), make(chan *httptest.ResponseRecorder, 1)
		go func() { answered <- b.do(r) }()
		return answered
	}
	first := asking()
	<-l.asked

	impatient, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	for _, all := range []string{`{}`, `{"room":"daily"}`} { // LiveKit does not know the second one's field, either
		require.Equal(t, refusal{"resource_exhausted", "others are listing everything"}, refusalIn(t, b.do(request(impatient, t, "ListEgress", all))))
	}
	for _, part := range []string{`{"room_name":"daily"}`, `{"room_name":"daily","hologram":1}`, `{"egress_id":"EG_1","active":true}`, `{"active":true}`} {
		require.Equal(t, http.StatusOK, b.call(t, "ListEgress", part).Code, "a part of it waits for nobody")
	}

	next := asking()
	l.answer <- struct{}{}
	require.Equal(t, http.StatusOK, (<-first).Code)
	<-l.asked
	l.answer <- struct{}{}
	require.Equal(t, http.StatusOK, (<-next).Code)
}

// unhurried is a caller that does not read its answer until it is let go.
type unhurried struct {
	*httptest.ResponseRecorder
	writing, letGo chan struct{}
}

func (u *unhurried) Write(b []byte) (int, error) {
	u.writing <- struct{}{}
	<-u.letGo
	return u.ResponseRecorder.Write(b)
}

// Its list is in memory until then.
func TestEverythingIsListedForTheNextOnceTheCallerBeforeHasReadIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ media, body string }{
		"in JSON": {"application/json", `{}`}, "with an unknown field": {"application/json", `{"room":"daily"}`}, "in protobuf": {"application/protobuf", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lists{asked: make(chan struct{}), answer: make(chan struct{})}
			b := newBench(t, livekit.NewEgressServer(l))
			first := &unhurried{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
			r := request(t.Context(), t, "ListEgress", tc.body)
			r.Header.Set("Content-Type", tc.media)
			go b.door.ServeHTTP(first, r)
			<-l.asked
			l.answer <- struct{}{}
			<-first.writing

			impatient, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer end()
			require.Equal(t, refusal{"resource_exhausted", "others are listing everything"}, refusalIn(t, b.do(request(impatient, t, "ListEgress", `{}`))))
			close(first.letGo)
			answered := make(chan int, 1)
			next := request(t.Context(), t, "ListEgress", `{}`)
			go func() { answered <- b.do(next).Code }()
			<-l.asked
			l.answer <- struct{}{}
			require.Equal(t, http.StatusOK, <-answered)
		})
	}
}

func TestWhatLiveKitSaysOfAListReachesTheCaller(t *testing.T) {
	t.Parallel()
	for said, outcome := range map[twirp.Error]string{
		twirp.NewError(twirp.ResourceExhausted, "rate limit exceeded"): "refused",
		twirp.NewError(twirp.Unauthenticated, "permissions denied"):    "error", // it has other keys than we have
		twirp.NewError(twirp.NotFound, "room does not exist"):          "refused",
	} {
		b := newBench(t, livekit.NewEgressServer(&listing{err: said}))
		w := b.call(t, "ListEgress", `{"room_name":"daily"}`)
		require.Equal(t, refusal{string(said.Code()), said.Msg()}, refusalIn(t, w))
		require.Equal(t, map[string]int64{"ListEgress " + outcome: 1}, b.counts(t))
	}
}

func TestALiveKitOutOfReachIsToldWithoutItsAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	w := b.call(t, "ListEgress", `{}`)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, refusal{"unavailable", "LiveKit not reached"}, refusalIn(t, w))
	require.Equal(t, map[string]int64{"ListEgress error": 1}, b.counts(t))
}
