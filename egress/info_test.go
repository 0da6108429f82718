package egress_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const newerInfo = `{"egressId":"EG_1","status":"EGRESS_ENDED_SOMEHOW","newField":{"a":[1,2]},"endedAt":"1795446985757029154"}`

func TestAnInfoKeepsWhatOnlyANewerLiveKitKnows(t *testing.T) {
	t.Parallel()
	var i egress.Info
	require.NoError(t, json.Unmarshal([]byte(newerInfo), &i))
	require.Equal(t, "EG_1", i.ID())
	require.Equal(t, egress.Status("EGRESS_ENDED_SOMEHOW"), i.StatusName())
	b, err := json.Marshal(i)
	require.NoError(t, err)
	require.JSONEq(t, newerInfo, string(b))
}

func TestAnInfoOfWhichNothingIsKnownIsNull(t *testing.T) {
	t.Parallel()
	var i egress.Info
	require.False(t, i.Known())
	require.Nil(t, i.Raw())
	require.Empty(t, i.ID())
	require.Zero(t, i.EndTime())
	b, err := json.Marshal(i)
	require.NoError(t, err)
	require.Equal(t, "null", string(b))

	known := infoOf(t, "EG_1", active)
	require.True(t, known.Known())
	require.NoError(t, json.Unmarshal(b, &known))
	require.False(t, known.Known())
}

func TestAnInfoOwnsItsBytes(t *testing.T) {
	t.Parallel()
	b := []byte(newerInfo)
	var i egress.Info
	require.NoError(t, i.UnmarshalJSON(b))
	clear(b)
	require.JSONEq(t, newerInfo, string(i.Raw()))

	b = []byte(`{"event":"egress_ended"}`)
	var e egress.Event
	require.NoError(t, e.UnmarshalJSON(b))
	clear(b)
	require.JSONEq(t, `{"event":"egress_ended"}`, string(e.Raw()))
}

func TestWhatIsNoInfoIsRefused(t *testing.T) {
	t.Parallel()
	var i egress.Info
	require.ErrorContains(t, i.UnmarshalJSON([]byte(`{"egressId":1}`)), "decode EgressInfo: ")
	var e egress.Event
	require.ErrorContains(t, e.UnmarshalJSON([]byte(`{"event":1}`)), "decode webhook event: ")
}

func TestTheEndTimeIsLiveKitsInUTC(t *testing.T) {
	t.Parallel()
	i, err := egress.NewInfo(&livekit.EgressInfo{EndedAt: noon.UnixNano() + 1})
	require.NoError(t, err)
	require.Equal(t, noon.Add(1), i.EndTime())
	require.Equal(t, time.UTC, i.EndTime().Location())
}

func TestAStatusIsNamedAsLiveKitSpelledIt(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]egress.Status{
		`{"status":"EGRESS_ACTIVE"}`: "EGRESS_ACTIVE",
		`{"status":"EGRESS_NEW"}`:    "EGRESS_NEW",
		`{}`:                         "EGRESS_STARTING",
		`{"status":3}`:               "EGRESS_COMPLETE",
		`{"status":99}`:              "99",
	} {
		var i egress.Info
		require.NoError(t, i.UnmarshalJSON([]byte(raw)))
		require.Equal(t, want, i.StatusName(), raw)
	}
	require.Equal(t, egress.Status("EGRESS_STARTING"), egress.Info{}.StatusName())
}

func TestAnEventKeepsWhatOnlyANewerLiveKitKnows(t *testing.T) {
	t.Parallel()
	body := `{"event":"egress_ended","brandNew":1,"egressInfo":` + newerInfo + `}`
	e, err := egress.ParseEvent([]byte(body))
	require.NoError(t, err)
	require.JSONEq(t, body, string(e.Raw()))
	b, err := json.Marshal(e)
	require.NoError(t, err)
	var again egress.Event
	require.NoError(t, json.Unmarshal(b, &again))
	require.JSONEq(t, body, string(again.Raw()))
	i, err := again.Info()
	require.NoError(t, err)
	require.JSONEq(t, newerInfo, string(i.Raw()))
}

func TestAnEventsInfoIsFoundInEitherSpellingAndMayBeAbsent(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"egressInfo":{"egressId":"EG_1"}}`:   "EG_1",
		`{"egress_info":{"egress_id":"EG_1"}}`: "EG_1",
		`{"event":"room_finished"}`:            "",
	} {
		e, err := egress.ParseEvent([]byte(body))
		require.NoError(t, err)
		i, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, want, i.ID())
		require.Equal(t, want != "", i.Known())
	}
}

func TestAnEventThatIsNoneIsNull(t *testing.T) {
	t.Parallel()
	var e egress.Event
	b, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, "null", string(b))
	require.NoError(t, e.UnmarshalJSON([]byte(`{"event":"x"}`)))
	require.NoError(t, e.UnmarshalJSON(b))
	require.Nil(t, e.Proto())
	_, err = e.Info()
	require.ErrorContains(t, err, "decode webhook event: ")
}

func TestWhichInfosSayThatAnEgressHasEnded(t *testing.T) {
	t.Parallel()
	require.False(t, egress.Info{}.Ended())
	for status, want := range map[livekit.EgressStatus]bool{
		starting: false, active: false, ending: false, newer: false, complete: true, failed: true, aborted: true, limit: true,
	} {
		require.Equal(t, want, infoOf(t, "EG_1", status).Ended(), status)
	}
}

func TestAnEgressThatFailedBeforeItBeganCountsFromItsEnd(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 5, egress.Began(&livekit.EgressInfo{StartedAt: 5, EndedAt: 9}))
	require.EqualValues(t, 9, egress.Began(&livekit.EgressInfo{EndedAt: 9}))
	require.Zero(t, egress.Began(&livekit.EgressInfo{}))
}
