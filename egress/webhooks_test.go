package egress_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheCallersOwnWebhooksStandInTheEventThatTheCallerGets(t *testing.T) {
	t.Parallel()
	theirs := []*livekit.WebhookConfig{{Url: "https://a.example.com/hook?key=1", SigningKey: "k"}}
	for name, tc := range map[string]struct{ body, want string }{
		"where ours stood": {
			`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","roomComposite":{"roomName":"r","newField":12345678901234567890,"webhooks":[{"url":"https://x/webhooks/livekit/id/1/mac"}]}}}`,
			`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","roomComposite":{"roomName":"r","newField":12345678901234567890,"webhooks":[{"url":"https://a.example.com/hook?key=1","signingKey":"k"}]}}}`,
		},
		"in the other spelling": {
			`{"event":"egress_ended","egress_info":{"egress_id":"EG_1","web":{"url":"https://w"}}}`,
			`{"event":"egress_ended","egress_info":{"egress_id":"EG_1","web":{"url":"https://w","webhooks":[{"url":"https://a.example.com/hook?key=1","signingKey":"k"}]}}}`,
		},
		"and nowhere where no request is echoed": {
			`{"event":"egress_ended","egressInfo":{"egressId":"EG_1"}}`,
			`{"event":"egress_ended","egressInfo":{"egressId":"EG_1"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := egress.ParseEvent([]byte(tc.body))
			require.NoError(t, err)
			e, err = e.WithWebhooks(theirs)
			require.NoError(t, err)
			require.Equal(t, compact(t, tc.want), compact(t, string(e.Raw())))
		})
	}
	_, err := egress.Event{}.WithWebhooks(theirs)
	require.Error(t, err, "there is no event")
}

func TestWebhooksThatNobodyCouldServeAreRefused(t *testing.T) {
	t.Parallel()
	hooks := func(n, length int) (list []*livekit.WebhookConfig) {
		for range n {
			list = append(list, &livekit.WebhookConfig{Url: "https://a.example/" + strings.Repeat("x", length), SigningKey: "ours"})
		}
		return list
	}
	page := func(size int) string { return "data:text/html," + strings.Repeat("x", size) }
	half := &livekit.WebEgressRequest{Url: page(1 << 18), Webhooks: hooks(2, 50)} // two copies of it are just as large as allowed
	half.Url += strings.Repeat("x", 1<<19-proto.Size(half))
	require.Equal(t, 1<<19, proto.Size(half))
	for name, tc := range map[string]struct {
		request *livekit.WebEgressRequest
		want    string
	}{
		"none":           {&livekit.WebEgressRequest{Url: page(1 << 20)}, ""},
		"ten":            {&livekit.WebEgressRequest{Webhooks: hooks(10, 50)}, ""},
		"eleven":         {&livekit.WebEgressRequest{Webhooks: hooks(11, 50)}, "webhooks: are 11; the limit is 10"},
		"as long as may": {&livekit.WebEgressRequest{Webhooks: hooks(1, 4069)}, ""},
		"too long":       {&livekit.WebEgressRequest{Webhooks: hooks(1, 4070)}, "webhooks: take 4097 bytes; the limit is 4096"},
		"one page":       {&livekit.WebEgressRequest{Url: page(1 << 20), Webhooks: hooks(1, 50)}, ""},
		"two for a page": {half, ""},
		"two for a book": {&livekit.WebEgressRequest{Url: page(1 << 20), Webhooks: hooks(2, 50)}, "webhooks: are 2 with a request of 1048751 bytes, which is copied to each: the limit for all is 1048576 bytes"},
		"another's key":  {&livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{}, {SigningKey: "theirs"}}}, `webhooks[1].signing_key: "theirs" is not an API key of this project`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := egress.CheckWebhooks(tc.request, func(key string) bool { return key == "ours" })
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tc.want)
			require.Equal(t, egress.Invalid, egress.ReasonOf(err))
		})
	}
}

func TestAnInfoEchoesOtherWebhooksAsACopy(t *testing.T) {
	t.Parallel()
	theirs := []*livekit.WebhookConfig{{Url: "https://a.example.com/hook"}}
	m := &livekit.EgressInfo{Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: "https://ours"}}}}}
	require.Equal(t, theirs, egress.Echoing(m, theirs).GetWeb().GetWebhooks())
	require.Equal(t, "https://ours", m.GetWeb().GetWebhooks()[0].GetUrl())
	require.Equal(t, "EG_1", egress.Echoing(&livekit.EgressInfo{EgressId: "EG_1"}, theirs).GetEgressId(), "one that echoes no request")
}

// compact returns JSON with sorted keys and unchanged numbers.
func compact(t *testing.T, s string) string {
	t.Helper()
	var v map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(s), &v))
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return sorted(t, b)
}

func sorted(t *testing.T, b json.RawMessage) string {
	t.Helper()
	var v map[string]json.RawMessage
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	for k := range v {
		v[k] = json.RawMessage(sorted(t, v[k]))
	}
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}

func TestOurWebhookStandsBesideTheCallersOrInTheirPlace(t *testing.T) {
	t.Parallel()
	ours := &livekit.WebhookConfig{Url: "https://ours"}
	for _, k := range egress.Kinds() {
		r := egress.AddWebhook(egress.NewRequest(k), &livekit.WebhookConfig{Url: "https://theirs"})
		require.Equal(t, []string{"https://ours", "https://theirs"}, urls(egress.AddWebhook(r, ours)), k)
		require.Equal(t, []string{"https://ours"}, urls(egress.WithWebhooks(r, []*livekit.WebhookConfig{ours})), k)
		require.Equal(t, []string{"https://theirs"}, urls(r), "the request stays as it was")
	}
}

func urls(r egress.Request) []string {
	var list []string
	for _, w := range r.GetWebhooks() {
		list = append(list, w.GetUrl())
	}
	return list
}

func TestASummaryShowsTheHostsOfTheCallersWebhooksAlone(t *testing.T) {
	t.Parallel()
	sum := egress.Summarize(&livekit.RoomCompositeEgressRequest{Webhooks: []*livekit.WebhookConfig{
		{Url: "https://user:CANARY@a.example.com:8443/CANARY?key=CANARY"}, {Url: "::"},
	}})
	require.Equal(t, []string{"a.example.com:8443", "unreadable"}, sum.Webhooks)
}

func TestAStepOfAWebhookNamesItsNumber(t *testing.T) {
	t.Parallel()
	require.Equal(t, "webhook-1", egress.WebhookStep(0))
	for step, want := range map[string]int{"webhook-1": 0, "webhook-12": 11} {
		n, ok := egress.StepWebhook(step)
		require.True(t, ok)
		require.Equal(t, want, n)
	}
	for _, step := range []string{"announce", "webhook-", "webhook-0", "webhook-x", "1", ""} {
		_, ok := egress.StepWebhook(step)
		require.False(t, ok, step)
	}
}

func TestAnAdoptionKnowsWhatTheFirstSignOfLifeShows(t *testing.T) {
	t.Parallel()
	adoption := func(m *livekit.EgressInfo) egress.Input {
		i, err := egress.NewInfo(m)
		require.NoError(t, err)
		in := egress.Adoption(i, egress.Extras{})
		require.NoError(t, in.Validate("req-1"))
		b, err := json.Marshal(in)
		require.NoError(t, err)
		var back egress.Input
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, in, back)
		return back
	}
	in := adoption(&livekit.EgressInfo{EgressId: "EG_1", RoomName: "standup", Request: &livekit.EgressInfo_RoomComposite{
		RoomComposite: &livekit.RoomCompositeEgressRequest{RoomName: "standup", Layout: "grid", Webhooks: []*livekit.WebhookConfig{{Url: "https://theirs"}}},
	}})
	require.Equal(t, &egress.Summary{Kind: egress.KindRoomComposite, Room: "standup", Layout: "grid"}, in.Summary, "their webhooks are LiveKit's to serve")
	in = adoption(&livekit.EgressInfo{EgressId: "EG_1", RoomName: "standup"})
	require.Equal(t, "standup", in.Summary.Room)
}

func TestAnAdoptionIsNoRequest(t *testing.T) {
	t.Parallel()
	sum := &egress.Summary{Kind: egress.KindWeb}
	for name, in := range map[string]egress.Input{
		"without a summary": {Adopted: true, Sealed: []byte("x")},
		"with a request":    {Adopted: true, Summary: sum, Plain: &livekit.WebEgressRequest{}},
	} {
		require.ErrorContains(t, in.Validate("req-1"), "adopted: needs a summary", name)
	}
}

func TestALostEgressIsAFailedOneToOthers(t *testing.T) {
	t.Parallel()
	v := egress.Verdict{Status: egress.Lost, Because: "its worker died", EndedAt: noon, Info: infoOf(t, "EG_1", livekit.EgressStatus_EGRESS_ACTIVE)}
	i, err := v.Told()
	require.NoError(t, err)
	require.Equal(t, livekit.EgressStatus_EGRESS_FAILED, i.Proto().GetStatus())
	require.Equal(t, "lost: its worker died", i.Proto().GetError())
	require.Equal(t, noon.UnixNano(), i.Proto().GetEndedAt())
	require.Equal(t, "its worker died", v.Memo().Lost)
	v.Status = "EGRESS_COMPLETE"
	i, err = v.Told()
	require.NoError(t, err)
	require.Equal(t, v.Info, i)
	require.Empty(t, v.Memo().Lost)
}
