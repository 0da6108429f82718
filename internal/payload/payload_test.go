package payload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

const newer = `{"event":"egress_ended","brandNew":1,"egressInfo":{"egressId":"EG_1","status":"EGRESS_NEW","newField":{"a":[1]}}}`

func TestAnEventOfANewerLiveKitSurvivesTheSignal(t *testing.T) {
	t.Parallel()
	var got egress.Event
	require.NoError(t, payload.Converter().FromPayload(payload.Proto("livekit.WebhookEvent", []byte(newer)), &got))
	require.JSONEq(t, newer, string(got.Raw()))

	// As an argument of an activity, or part of one, it is plain JSON, and complete too.
	p, err := payload.Converter().ToPayload(got)
	require.NoError(t, err)
	require.Equal(t, converter.MetadataEncodingJSON, string(p.GetMetadata()[converter.MetadataEncoding]))
	var again egress.Event
	require.NoError(t, payload.Converter().FromPayload(p, &again))
	require.JSONEq(t, newer, string(again.Raw()))
}

func TestAnInfoSurvivesAsAPartOfAState(t *testing.T) {
	t.Parallel()
	var s egress.State
	require.NoError(t, s.Latest.UnmarshalJSON([]byte(`{"egressId":"EG_1","status":"EGRESS_NEW","newField":1}`)))
	p, err := payload.Converter().ToPayload(s)
	require.NoError(t, err)
	var got egress.State
	require.NoError(t, payload.Converter().FromPayload(p, &got))
	require.JSONEq(t, string(s.Latest.Raw()), string(got.Latest.Raw()))
}

// Temporal's own converter fails here, and the SDK would drop the signal.
func TestAProtoMessageIsReadLeniently(t *testing.T) {
	t.Parallel()
	p := payload.Proto("livekit.WebhookEvent", []byte(newer))
	var got livekit.WebhookEvent
	require.NoError(t, payload.Converter().FromPayload(p, &got))
	require.Equal(t, "EG_1", got.GetEgressInfo().GetEgressId())
	require.Error(t, converter.GetDefaultDataConverter().FromPayload(p, &livekit.WebhookEvent{}))
}

func TestAnEnumIsWrittenAsItsNumber(t *testing.T) {
	t.Parallel()
	p, err := payload.Converter().ToPayload(&livekit.EgressInfo{Status: 99})
	require.NoError(t, err)
	require.Equal(t, "livekit.EgressInfo", string(p.GetMetadata()[converter.MetadataMessageType]))
	require.JSONEq(t, `{"status":99}`, string(p.GetData()))
	var got livekit.EgressInfo
	require.NoError(t, payload.Converter().FromPayload(p, &got))
	require.EqualValues(t, 99, got.GetStatus())

	p, err = payload.Converter().ToPayload(&livekit.EgressInfo{Status: livekit.EgressStatus_EGRESS_ACTIVE})
	require.NoError(t, err)
	require.JSONEq(t, `{"status":1}`, string(p.GetData()))
}

func TestWhatIsNoEventIsUndecodable(t *testing.T) {
	t.Parallel()
	var got egress.Event
	err := payload.Converter().FromPayload(payload.Proto("livekit.WebhookEvent", []byte(`{"event":1}`)), &got)
	require.ErrorIs(t, err, converter.ErrUnableToDecode)
	require.ErrorContains(t, err, "decode webhook event")
}

// Payloads of other clients: plain JSON from any SDK, binary proto from a Go client.
func TestOtherEncodingsAreReadAsEver(t *testing.T) {
	t.Parallel()
	var in egress.Input
	require.NoError(t, payload.Converter().FromPayload(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)},
		Data:     []byte(`{"web":{"url":"https://example.com"}}`),
	}, &in))
	require.Equal(t, egress.KindWeb, egress.KindOf(in.Plain))

	b, err := proto.Marshal(&livekit.EgressInfo{EgressId: "EG_1"})
	require.NoError(t, err)
	var info livekit.EgressInfo
	require.NoError(t, payload.Converter().FromPayload(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingProto)},
		Data:     b,
	}, &info))
	require.Equal(t, "EG_1", info.GetEgressId())
}
