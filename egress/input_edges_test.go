package egress_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestThatAKeyIsTriedAgainIsCarried(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(egress.Input{Plain: &livekit.WebEgressRequest{Url: "https://example.com"}, Again: true})
	require.NoError(t, err)
	var got egress.Input
	require.NoError(t, json.Unmarshal(b, &got))
	require.True(t, got.Again)
	require.NoError(t, json.Unmarshal([]byte(`{"web":{"url":"https://example.com"}}`), &got))
	require.False(t, got.Again)
}

func TestEachFieldOfAnInputIsCarried(t *testing.T) {
	t.Parallel()
	startBy, restarts := noon.UTC(), 2
	in := egress.Input{
		Summary: &egress.Summary{Kind: egress.KindWeb}, Sealed: []byte("sealed"), Fingerprint: "f", MaxDuration: egress.Duration(minute),
		StartBy: &startBy, Again: true, Unlisted: true, Recover: &restarts, Storage: "main", Preflight: true, Pipeline: "archive", Adopted: true,
		Carried: &egress.State{ID: "EG_1"},
	}
	fields := reflect.ValueOf(in)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		require.Equal(t, name == "Plain", fields.Field(i).IsZero(), "%s is not tested here", name)
	}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	var got egress.Input
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, in, got)
}

func TestAPlainRequestIsWrittenAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(egress.Input{Plain: &livekit.RoomCompositeEgressRequest{RoomName: "daily", AudioOnly: true}})
	require.NoError(t, err)
	require.JSONEq(t, `{"room_composite":{"room_name":"daily","audio_only":true}}`, string(b))
}

func TestARequestThatCannotBeWrittenIsAnErrorAndNotAnEmptyRequest(t *testing.T) {
	t.Parallel()
	_, err := json.Marshal(egress.Input{Plain: &livekit.WebEgressRequest{Url: "\xff"}})
	require.ErrorContains(t, err, "UTF-8")
}

func TestAnArgumentKeepsWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	var a egress.Argument
	require.NoError(t, json.Unmarshal([]byte(`{"web":{"url":"https://example.com"},"max_duratoin":"3h"}`), &a))
	require.ErrorContains(t, a.Problem, "max_duratoin")
	require.False(t, a.Newer)
	require.NoError(t, json.Unmarshal([]byte(`{"web":{"url":"https://example.com"},"carried":{},"of_tomorrow":1}`), &a))
	require.ErrorContains(t, a.Problem, "of_tomorrow")
	require.True(t, a.Newer, "no caller has typed it")
	require.NoError(t, json.Unmarshal([]byte(`{"web":{"url":"https://example.com"}}`), &a))
	require.NoError(t, a.Problem)
	require.False(t, a.Newer)
	require.NoError(t, json.Unmarshal([]byte(`{"web":{"url":"https://example.com"},"carried":{}}`), &a))
	require.NoError(t, a.Problem)
	require.False(t, a.Newer, "what a run before this one left can be read")
}

// A part of the state that nobody reads would be forgotten. What LiveKit adds is kept as it is.
func TestAnArgumentIsStrictWithinTheStateOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	after := func(state string) (a egress.Argument) {
		require.NoError(t, json.Unmarshal([]byte(`{"web":{"url":"https://example.com"},"carried":`+state+`}`), &a))
		return a
	}
	for _, state := range []string{`{"phase":"watching","of_tomorrow":1}`, `{"policy":{"of_tomorrow":1}}`, `{"parts":[{"of_tomorrow":1}]}`} {
		a := after(state)
		requireInvalid(t, a.Problem, `carried: json: unknown field "of_tomorrow"`)
		require.True(t, a.Newer, state)
	}
	a := after(`{"latest":{"egressId":"EG_1","ofTomorrow":1},"event":{"ofTomorrow":1},"results":{"s":{"of_tomorrow":1}},"parts":[{"info":{"ofTomorrow":1}}]}`)
	require.NoError(t, a.Problem)
	require.False(t, a.Newer)
	require.JSONEq(t, `{"egressId":"EG_1","ofTomorrow":1}`, string(a.Carried.Latest.Raw()))
}

func TestAnEgressThatNamesNoRequestIsAdoptedAsOneOfItsRoom(t *testing.T) {
	t.Parallel()
	require.Equal(t, egress.Input{Summary: &egress.Summary{Kind: egress.KindEgress, Room: "daily"}, Adopted: true},
		egress.Adoption(infoOf(t, "EG_1", active), egress.Extras{}))
}

// An older starter or worker passes on what a newer one wrote.
func TestASummaryIsPassedOnAsItCame(t *testing.T) {
	t.Parallel()
	for _, came := range []string{`{"kind":"web","room":"daily"}`, `{"room":"daily","kind":"web"}`, `{"kind":"web","room":"daily","of_tomorrow":"\u0026"}`} {
		var s egress.Summary
		require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(came, ",", ", ")), &s))
		require.Equal(t, "web of room daily", s.Title())
		b, err := json.Marshal(s)
		require.NoError(t, err)
		require.Equal(t, came, string(b))
	}
}

func TestAWebhookWithoutAHostIsCalledUnreadable(t *testing.T) {
	t.Parallel()
	s := egress.Summarize(&livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: "/hook"}, {Url: "https://a.example/hook"}, {Url: "%"}, {Url: "https://%ff.example.com/x"}}})
	require.Equal(t, []string{"unreadable", "a.example", "unreadable", "unreadable"}, s.Webhooks)
}

func TestHowOftenARecordingIsStartedAgainIsCarriedAndBounded(t *testing.T) {
	t.Parallel()
	web := &livekit.WebEgressRequest{Url: "https://example.com"}
	for n, want := range map[int]string{-1: "recover: must be 0 to 100, got -1", 0: "", 1: "", 100: "", 101: "recover: must be 0 to 100, got 101"} {
		b, err := json.Marshal(egress.Input{Plain: web, Recover: &n})
		require.NoError(t, err)
		var got egress.Input
		require.NoError(t, json.Unmarshal(b, &got))
		require.Equal(t, &n, got.Recover)
		if err := got.Validate("req-1"); want == "" {
			require.NoError(t, err)
		} else {
			requireInvalid(t, err, want)
		}
	}
}

func TestWhatCanBeLiveKitsIDOfAnEgress(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{"EG_kX7": true, "standup-1": false, "eg_kX7": false, "": false, "EG_a/b": false, "x-EG_kX7": false} {
		require.Equal(t, want, egress.IsEgressID(id), id)
	}
}
