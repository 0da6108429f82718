package egress_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestATokenIsReadFromItsOwnPath(t *testing.T) {
	t.Parallel()
	want := egress.Token{RequestID: "req-1", Part: 12, MAC: "m-a_c"}
	require.Equal(t, "/webhooks/livekit/req-1/12/m-a_c", want.Path())
	for _, before := range []string{"", "https://reel.example.com", "https://reel.example.com:8443/below/it", "https://x/webhooks/livekit", "http://u@x"} {
		got, ok := egress.ParseToken(before + want.Path())
		require.True(t, ok, before)
		require.Equal(t, want, got)
		got, ok = egress.ParseToken(before + want.Path() + "/")
		require.True(t, ok, before)
		require.Equal(t, want, got)
	}
}

func TestWhatIsNoTokenIsNone(t *testing.T) {
	t.Parallel()
	for _, v := range []string{
		"", "/", "/webhooks/livekit", "/webhooks/livekit/", "/webhooks/livekit/req-1", "/webhooks/livekit/req-1/1",
		"/webhooks/livekit/req-1/1/", "/webhooks/livekit/req-1/1/mac/more", "/webhooks/livekit/req-1/1/mac//", "/webhooks/livekit/req-1/1//", "/webhooks/livekit//1/mac", "/webhooks/livekit/EG_1/1/mac",
		"/webhooks/livekit/req-1/0/mac", "/webhooks/livekit/req-1/-1/mac", "/webhooks/livekit/req-1/one/mac", "/webhooks/livekit/a b/1/mac",
		"https://x/hook?u=/webhooks/livekit/req-1/1/mac", "https://bad host/webhooks/livekit/req-1/1/mac", "/other/livekit/req-1/1/mac",
	} {
		got, ok := egress.ParseToken(v)
		require.False(t, ok, v)
		require.Zero(t, got)
	}
}

func TestTokensOfOneRequestAndPartAreTheSame(t *testing.T) {
	t.Parallel()
	a := egress.Token{RequestID: "req-1", Part: 1, MAC: "new"}
	require.True(t, a.Same(egress.Token{RequestID: "req-1", Part: 1, MAC: "old"}))
	require.False(t, a.Same(egress.Token{RequestID: "req-1", Part: 2, MAC: "new"}))
	require.False(t, a.Same(egress.Token{RequestID: "req-2", Part: 1, MAC: "new"}))
}

func TestOurTokenIsFoundInTheRequestThatIsEchoed(t *testing.T) {
	t.Parallel()
	hooks := []*livekit.WebhookConfig{{Url: "https://theirs/hook"}, {Url: "https://ours/webhooks/livekit/req-1/1/mac"}, {Url: "https://ours/webhooks/livekit/req-2/1/mac"}}
	for name, m := range map[string]*livekit.EgressInfo{
		"room composite":  {Request: &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{Webhooks: hooks}}},
		"web":             {Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: hooks}}},
		"participant":     {Request: &livekit.EgressInfo_Participant{Participant: &livekit.ParticipantEgressRequest{Webhooks: hooks}}},
		"track composite": {Request: &livekit.EgressInfo_TrackComposite{TrackComposite: &livekit.TrackCompositeEgressRequest{Webhooks: hooks}}},
		"track":           {Request: &livekit.EgressInfo_Track{Track: &livekit.TrackEgressRequest{Webhooks: hooks}}},
		"unified":         {Request: &livekit.EgressInfo_Egress{Egress: &livekit.StartEgressRequest{Webhooks: hooks}}},
	} {
		got, ok := egress.OurToken(m, anybodys)
		require.True(t, ok, name)
		require.Equal(t, egress.Token{RequestID: "req-1", Part: 1, MAC: "mac"}, got)
		require.Len(t, egress.Webhooks(m), 3)
	}
	for name, m := range map[string]*livekit.EgressInfo{
		"nothing":    nil,
		"no request": {},
		"no webhook": {Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{}}},
		"theirs":     {Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: hooks[:1]}}},
	} {
		_, ok := egress.OurToken(m, anybodys)
		require.False(t, ok, name)
	}
}

// anybodys accepts every token as one made with our keys.
func anybodys(egress.Token) bool { return true }

func TestATokenThatNoneOfOurKeysMadeNamesNothingOfOurs(t *testing.T) {
	t.Parallel()
	of := func(keys ...string) func(egress.Token) bool {
		return func(t egress.Token) bool { return slices.Contains(keys, t.MAC) }
	}
	m := &livekit.EgressInfo{EgressId: "EG_1", Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{
		{Url: "https://theirs/webhooks/livekit/req-1/1/theirs?p=theirs"}, {Url: "https://ours/webhooks/livekit/req-2/1/ours?p=ours"},
	}}}}
	got, ok := egress.OurToken(m, of("ours"))
	require.True(t, ok)
	require.Equal(t, egress.Token{RequestID: "req-2", Part: 1, MAC: "ours"}, got)
	require.Equal(t, egress.Extras{RequestID: "req-2", Pipeline: "ours"}, egress.ExtrasOf(m, of("ours")))
	require.Equal(t, egress.Listed{ID: "EG_1", RequestID: "req-2"}, egress.ListedAs(m, of("ours")))

	got, ok = egress.OurToken(m, of())
	require.False(t, ok)
	require.Zero(t, got)
	require.Zero(t, egress.ExtrasOf(m, of()))
	require.Equal(t, egress.Listed{ID: "EG_1", Others: true}, egress.ListedAs(m, of()))
}

// LiveKit lists in no order.
func TestOfSeveralEgressesOfOneTokenTheOneThatRecordsIsKept(t *testing.T) {
	t.Parallel()
	of := func(id string, part int, s livekit.EgressStatus, began int64) *livekit.EgressInfo {
		hook := &livekit.WebhookConfig{Url: "https://ours" + egress.Token{RequestID: "req-1", Part: part, MAC: "mac"}.Path()}
		return &livekit.EgressInfo{EgressId: id, Status: s, StartedAt: began, Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{hook}}}}
	}
	stopped, younger, older, next := of("EG_1", 1, complete, 1), of("EG_2", 1, active, 3), of("EG_3", 1, active, 2), of("EG_4", 2, active, 1)
	for _, listed := range [][]*livekit.EgressInfo{{stopped, younger, older, next, nil}, {nil, next, older, younger, stopped}} {
		require.Same(t, older, egress.OfToken(listed, egress.Token{RequestID: "req-1", Part: 1}, anybodys))
		require.Same(t, next, egress.OfToken(listed, egress.Token{RequestID: "req-1", Part: 2}, anybodys))
		require.Nil(t, egress.OfToken(listed, egress.Token{RequestID: "req-2", Part: 1}, anybodys))
	}
}

func TestAWorkflowIDAndItsRequestIDAreOneRule(t *testing.T) {
	t.Parallel()
	require.Equal(t, "egress/req-1", egress.WorkflowID("req-1"))
	id, ok := egress.RequestID("egress/req-1")
	require.True(t, ok)
	require.Equal(t, "req-1", id)
	for _, other := range []string{"", "egress/", "egress-redelivery/req-1/1", "other"} {
		_, ok := egress.RequestID(other)
		require.False(t, ok, other)
	}
}

func TestEveryReasonAndSourceIsListedOnce(t *testing.T) {
	t.Parallel()
	reasons := map[egress.Reason]bool{}
	for _, r := range egress.Reasons() {
		require.False(t, reasons[r])
		require.Regexp(t, "^[a-z_]+$", string(r))
		reasons[r] = true
	}
	require.Len(t, reasons, 19)
	require.ElementsMatch(t, strings.Fields("start webhook poll reconcile stop timeout"), sourceNames())
}

func sourceNames() []string {
	var names []string
	for _, s := range egress.Sources() {
		names = append(names, string(s))
	}
	return names
}
