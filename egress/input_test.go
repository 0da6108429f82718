package egress_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const kinds = "room_composite, web, participant, track_composite, track, egress"

func TestAnInputOfEachKindSurvivesItsJourney(t *testing.T) {
	t.Parallel()
	for _, kind := range egress.Kinds() {
		by := noon
		in := egress.Input{Plain: egress.NewRequest(kind), MaxDuration: egress.Duration(3 * time.Hour), StartBy: &by}
		b, err := json.Marshal(in)
		require.NoError(t, err)
		require.JSONEq(t, `{"`+string(kind)+`":{},"max_duration":"3h0m0s","start_by":"2026-11-23T12:00:00Z"}`, string(b))

		var got egress.Input
		require.NoError(t, json.Unmarshal(b, &got))
		require.Equal(t, kind, egress.KindOf(got.Plain))
		require.Equal(t, in.MaxDuration, got.MaxDuration)
		require.True(t, by.Equal(*got.StartBy))
		require.NoError(t, got.Validate("req-1"))
	}
}

func TestASealedInputSurvivesItsJourney(t *testing.T) {
	t.Parallel()
	in := egress.Input{
		Summary: &egress.Summary{Kind: egress.KindWeb, Paths: []string{"x.mp4"}}, Sealed: []byte("blob"), Fingerprint: "f",
		Carried: &egress.State{ID: "EG_1"},
	}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	var got egress.Input
	require.NoError(t, json.Unmarshal(b, &got))
	require.NoError(t, got.Validate("req-1"))
	require.Equal(t, in, got)
	require.NotContains(t, string(b), "max_duration")
}

// By the reason, a front door knows that the agent is not to blame.
func TestWhatANewerStarterHasSealedIsNoTypo(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]string{"of_tomorrow": `1`, "recover": `"always"`} {
		for input, want := range map[string]egress.Reason{
			`{"sealed":"AQ==","summary":{"kind":"web"}`: egress.Sealed, `{"web":{}`: egress.Invalid, `{"web":{},"sealed":null`: egress.Invalid,
		} {
			var arg egress.Argument
			require.NoError(t, json.Unmarshal([]byte(input+`,"`+field+`":`+value+`}`), &arg))
			require.Equal(t, want, egress.ReasonOf(arg.Problem), arg.Problem)
			require.ErrorContains(t, arg.Problem, field+": ")
		}
	}
}

// An example from the docs: protojson accepts either spelling of a name.
func TestAPlainInputIsReadAsAPersonWritesIt(t *testing.T) {
	t.Parallel()
	var in egress.Input
	require.NoError(t, json.Unmarshal([]byte(`{"room_composite":{"roomName":"daily","file_outputs":[{"filepath":"x.mp4"}]},"max_duration":"3h"}`), &in))
	require.True(t, proto.Equal(&livekit.RoomCompositeEgressRequest{
		RoomName: "daily", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "x.mp4"}},
	}, in.Plain))
	require.Equal(t, "3h0m0s", in.MaxDuration.String())
	require.NoError(t, in.Validate("daily-2026-11-23"))
}

func TestNullIsAsIfItWereMissing(t *testing.T) {
	t.Parallel()
	var in egress.Input
	require.NoError(t, json.Unmarshal([]byte(`{"summary":null,"sealed":null,"fingerprint":null,"max_duration":null,"start_by":null,"again":null,"unlisted":null,"recover":null,
		"storage":null,"preflight":null,"pipeline":null,"adopted":null,"carried":null}`), &in))
	require.Equal(t, egress.Input{}, in)
}

func TestAnInputThatIsWrongIsRefusedByItsField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ input, want string }{
		"an unknown field":         {`{"web":{},"max_duraton":"3h"}`, "max_duraton: is not a field of the input; want one of " + kinds + ", again, max_duration, pipeline, preflight, recover, start_by, storage"},
		"another case":             {`{"Web":{}}`, "Web: is not a field of the input; want one of " + kinds + ", again, max_duration, pipeline, preflight, recover, start_by, storage"},
		"two requests":             {`{"web":{},"track":{}}`, "web: is a second request beside track"},
		"a number for a duration":  {`{"web":{},"max_duration":3}`, `max_duration: want a duration such as "3h", got 3`},
		"no time at all":           {`{"web":{},"max_duration":"0s"}`, "max_duration: is 0; leave it out for a recording without a limit"},
		"a day":                    {`{"web":{},"max_duration":"1d"}`, `max_duration: want a duration such as "3h", got "1d"`},
		"no time":                  {`{"start_by":"noon"}`, `start_by: parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"`},
		"no base64":                {`{"sealed":"%"}`, "sealed: illegal base64 data at input byte 0"},
		"a number for a text":      {`{"fingerprint":1}`, "fingerprint: json: cannot unmarshal number into Go value of type string"},
		"a text for the summary":   {`{"summary":"x"}`, "summary: json: cannot unmarshal string into Go value of type egress.summary"},
		"a text for the state":     {`{"carried":"x"}`, "carried: json: cannot unmarshal string into Go value of type egress.State"},
		"a list":                   {`[]`, "request: is not a JSON object"},
		"an unknown request field": {`{"web":{"ur":"x"}}`, `web: (line 1:2): unknown field "ur"`},
		"an unknown enum name":     {`{"web":{"preset":"H264_9K"}}`, `web: (line 1:11): invalid value for enum field preset: "H264_9K"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := egress.Input{Fingerprint: "before"}
			requireInvalid(t, json.Unmarshal([]byte(tc.input), &in), tc.want)
			require.Equal(t, egress.Input{Fingerprint: "before"}, in, "a refused one changes nothing")
		})
	}
}

func TestASecondValueBehindTheInputIsRefused(t *testing.T) {
	t.Parallel()
	var in egress.Input
	requireInvalid(t, in.UnmarshalJSON([]byte(`{"web":{}} {"track":{}}`)), "request: has more than one JSON value")
	for _, text := range []string{`{"web":{}} {"track":{}}`, `{"web":{}}}`, `{"web":{}} ]`} {
		_, err := egress.ParseRequestFile([]byte(text))
		requireInvalid(t, err, "request: has more than one JSON value")
	}
}

func TestAnInputThatCannotBeIsNamed(t *testing.T) {
	t.Parallel()
	web := &livekit.WebEgressRequest{Url: "https://example.com"}
	sum := &egress.Summary{Kind: egress.KindWeb}
	for name, tc := range map[string]struct {
		input egress.Input
		want  string
	}{
		"nothing asked for":   {egress.Input{MaxDuration: 1}, "request: is missing; want one of " + kinds},
		"a summary alone":     {egress.Input{Summary: sum}, "request: is missing; want one of " + kinds},
		"sealed and clear":    {egress.Input{Plain: web, Sealed: []byte("x"), Summary: sum}, "sealed: is set together with a request in the clear"},
		"sealed alone":        {egress.Input{Sealed: []byte("x")}, "summary: is missing, and sealed needs it"},
		"a negative duration": {egress.Input{Plain: web, MaxDuration: -1}, "max_duration: is negative: -1ns"},
		"a credential": {egress.Input{Plain: &livekit.WebEgressRequest{Url: "https://u:p@example.com"}},
			"web.url: holds a credential, which a request in the clear must not; name a storage profile, or use the starter, which seals it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireInvalid(t, tc.input.Validate("req-1"), tc.want)
		})
	}
	require.NoError(t, egress.Input{Plain: web}.Validate("req-1"))
	require.NoError(t, egress.Input{Sealed: []byte("x"), Summary: sum}.Validate("req-1"))
	require.ErrorContains(t, egress.Input{Plain: web}.Validate("EG_1"), "id: begins with EG_")
}

func TestARequestIDIsOfAFewLettersOnly(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "A-z.0_9", "...", "eg_1", "xEG_1", strings.Repeat("x", 128)} {
		require.NoError(t, egress.ValidateRequestID(id), id)
	}
	for _, id := range []string{"", "a b", "a/b", "ü", "a\n", strings.Repeat("x", 129)} {
		require.ErrorContains(t, egress.ValidateRequestID(id), "id: want 1 to 128 characters of [A-Za-z0-9._-], got ", id)
	}
	for _, id := range []string{".", ".."} {
		requireInvalid(t, egress.ValidateRequestID(id), `id: is "`+id+`", which is a folder in the path of a webhook`)
	}
	requireInvalid(t, egress.ValidateRequestID("EG_x"), `id: begins with EG_, which only LiveKit's egress IDs do: "EG_x"`)
}

func TestTheReadablePartIsTheSummaryWhicheverWayItCame(t *testing.T) {
	t.Parallel()
	sum := egress.Summary{Kind: egress.KindTrack, Room: "daily"}
	require.Equal(t, sum, egress.Input{Summary: &sum, Sealed: []byte("x")}.Readable())
	require.Equal(t, sum, egress.Input{Plain: &livekit.TrackEgressRequest{RoomName: "daily"}}.Readable())
}

func TestOnlyAStrayGoesByItsEgressID(t *testing.T) {
	t.Parallel()
	info, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomName: "standup"})
	require.NoError(t, err)
	stray := egress.Adoption(info, egress.Extras{})
	require.NoError(t, stray.Validate("EG_1"))
	require.NoError(t, stray.Validate("r-1"))
	require.Error(t, stray.Validate("EG_/1"))
	require.Error(t, egress.Input{Plain: &livekit.WebEgressRequest{}}.Validate("EG_1"))
}

func TestARunThatOnlyLooksStartsNothingAndAsksForTheSame(t *testing.T) {
	t.Parallel()
	by := noon
	in := egress.Input{Pipeline: "compliance", MaxDuration: egress.Duration(minute), StartBy: &by, Carried: &egress.State{ID: "EG_1"}}
	looks := in.OnlyLook()
	require.Nil(t, looks.Carried, "it does not go on where the earlier one was")
	require.True(t, looks.Again)
	require.True(t, looks.StartBy.IsZero(), "no moment is early enough")
	require.Equal(t, in.Pipeline, looks.Pipeline)
	require.Equal(t, in.MaxDuration, looks.MaxDuration)
	require.Equal(t, noon, *in.StartBy)
}

func requireInvalid(t *testing.T, err error, want string) {
	t.Helper()
	require.EqualError(t, err, want)
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, egress.Invalid, e.Reason)
}
