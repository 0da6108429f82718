package codec_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

const canary = "CANARY-of-a-room"

// cipher returns the cipher of a process with these secrets, the current one first.
func cipher(t *testing.T, secret string, previous ...string) *seal.Payloads {
	t.Helper()
	keys, err := seal.New(seal.Config{Secret: secret, Previous: previous})
	require.NoError(t, err)
	p, err := keys.Payloads()
	require.NoError(t, err)
	return p
}

func encrypting(t *testing.T, secret string, previous ...string) converter.PayloadCodec {
	t.Helper()
	return codec.New(cipher(t, secret, previous...), true)
}

// plain returns payloads of every encoding that we write or receive.
func plain(t *testing.T) map[string]*commonpb.Payload {
	t.Helper()
	payloads := map[string]*commonpb.Payload{
		"a raw signal":    payload.Proto("livekit.WebhookEvent", []byte(`{"event":"`+canary+`","brandNew":1}`)),
		"another's codec": {Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/zlib")}, Data: []byte(canary)},
		"no metadata":     {Data: []byte(canary)},
		"an empty one":    {},
	}
	for name, value := range map[string]any{
		"a message": &livekit.EgressInfo{RoomName: canary}, "a struct": egress.Event{}, "bytes": []byte(canary), "nil": nil,
	} {
		p, err := payload.Converter().ToPayload(value)
		require.NoError(t, err)
		payloads[name] = p
	}
	return payloads
}

func requireEqual(t *testing.T, want, got *commonpb.Payload) {
	t.Helper()
	require.True(t, proto.Equal(want, got), "want %v, got %v", want, got)
}

func one(p *commonpb.Payload) []*commonpb.Payload { return []*commonpb.Payload{p} }

func TestAPayloadOfAnyEncodingComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for name, p := range plain(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, before := encrypting(t, "one"), proto.CloneOf(p)
			encoded, err := c.Encode(one(p))
			require.NoError(t, err)
			require.Len(t, encoded, 1)
			requireEqual(t, before, p) // the argument stays unchanged
			require.NotContains(t, encoded[0].String(), canary)
			require.NotContains(t, encoded[0].String(), "WebhookEvent", "the type is nobody's business either")

			decoded, err := c.Decode(encoded)
			require.NoError(t, err)
			require.Len(t, decoded, 1)
			requireEqual(t, before, decoded[0])
		})
	}
}

func TestAnEncryptedPayloadSaysSoAndWithWhichKey(t *testing.T) {
	t.Parallel()
	keys := cipher(t, "one")
	encoded, err := codec.New(keys, true).Encode(one(payload.Proto("livekit.EgressInfo", []byte("{}"))))
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte(keys.KeyID())}, encoded[0].GetMetadata())
}

func TestPayloadsKeepTheirOrderAmongOthers(t *testing.T) {
	t.Parallel()
	c := encrypting(t, "one")
	first, second, third := payload.Proto("a", []byte("1")), payload.Proto("b", []byte("2")), payload.Proto("c", []byte("3"))
	encoded, err := c.Encode([]*commonpb.Payload{first, third})
	require.NoError(t, err)
	decoded, err := c.Decode([]*commonpb.Payload{encoded[0], second, encoded[1]})
	require.NoError(t, err)
	require.Len(t, decoded, 3)
	for i, want := range []*commonpb.Payload{first, second, third} {
		requireEqual(t, want, decoded[i])
	}
}

// Either process may be switched first, in either direction, while workflows run.
func TestTheSwitchMayBeThrownWhileWorkflowsRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ writer, reader bool }{
		"on":              {true, true},
		"off":             {false, false},
		"the reader late": {true, false},
		"the writer late": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writer := converter.NewCodecDataConverter(payload.Converter(), codec.New(cipher(t, "one"), tc.writer))
			reader := converter.NewCodecDataConverter(payload.Converter(), codec.New(cipher(t, "one"), tc.reader))
			p, err := writer.ToPayload(&livekit.EgressInfo{RoomName: canary})
			require.NoError(t, err)
			require.Equal(t, tc.writer, string(p.GetMetadata()["encoding"]) == "binary/encrypted")
			var got livekit.EgressInfo
			require.NoError(t, reader.FromPayload(p, &got))
			require.Equal(t, canary, got.GetRoomName())
		})
	}
}

func TestWhatANewerLiveKitAddsSurvivesEncryption(t *testing.T) {
	t.Parallel()
	const newer = `{"event":"egress_ended","brandNew":1,"egressInfo":{"egressId":"EG_1","status":"EGRESS_NEW"}}`
	c := encrypting(t, "one")
	signal, err := c.Encode(one(payload.Proto("livekit.WebhookEvent", []byte(newer))))
	require.NoError(t, err)
	var got egress.Event
	require.NoError(t, converter.NewCodecDataConverter(payload.Converter(), c).FromPayload(signal[0], &got))
	require.JSONEq(t, newer, string(got.Raw()))
}

// A raw payload can also be handed to the client's own converter, which encrypts it.
func TestARawValueIsEncryptedByTheConverter(t *testing.T) {
	t.Parallel()
	dc := converter.NewCodecDataConverter(payload.Converter(), encrypting(t, "one"))
	raw := payload.Proto("livekit.WebhookEvent", []byte(`{"event":"`+canary+`"}`))
	p, err := dc.ToPayload(converter.NewRawValue(raw))
	require.NoError(t, err)
	require.NotContains(t, p.String(), canary)
	decoded, err := encrypting(t, "one").Decode(one(p))
	require.NoError(t, err)
	requireEqual(t, raw, decoded[0])
}

func TestAPayloadDecodesAfterARotationThatKeepsItsSecret(t *testing.T) {
	t.Parallel()
	encoded, err := encrypting(t, "one").Encode(one(payload.Proto("a", []byte("1"))))
	require.NoError(t, err)
	_, err = encrypting(t, "two", "one").Decode(encoded)
	require.NoError(t, err)
}

func TestWhatCannotBeDecryptedIsAnErrorAndHandsNothingOut(t *testing.T) {
	t.Parallel()
	encoded, err := encrypting(t, "one").Encode(one(payload.Proto("a", []byte("1"))))
	require.NoError(t, err)
	changed := proto.CloneOf(encoded[0])
	changed.Data[len(changed.Data)-1] ^= 1
	noPayload := proto.CloneOf(encoded[0])
	noPayload.Data = cipher(t, "one").Encrypt([]byte{0xff})
	for name, tc := range map[string]struct {
		secret string
		p      *commonpb.Payload
		want   string
	}{
		"a lost secret":    {"two", encoded[0], "decrypt payload: REELKEEPER_PREVIOUS_SECRETS: lacks the secret that encrypted the payload"},
		"a changed byte":   {"one", changed, "decrypt payload: payload: was changed"},
		"another's format": {"one", &commonpb.Payload{Metadata: encoded[0].GetMetadata(), Data: []byte("x")}, "decrypt payload: payload: is not encrypted in a way"},
		"no payload in it": {"one", noPayload, "decrypt payload: proto"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := encrypting(t, tc.secret)
			got, err := c.Decode(one(tc.p))
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, got)
			require.Panics(t, func() { _, _ = codec.Blocking(c).Decode(one(tc.p)) })
		})
	}
}

func TestABlockingCodecDoesWhatItsOwnDoes(t *testing.T) {
	t.Parallel()
	c := codec.Blocking(encrypting(t, "one"))
	want := payload.Proto("a", []byte("1"))
	encoded, err := c.Encode(one(want))
	require.NoError(t, err)
	decoded, err := c.Decode(encoded)
	require.NoError(t, err)
	requireEqual(t, want, decoded[0])
}

func TestAnErrorShowsNothingInTheClear(t *testing.T) {
	t.Parallel()
	dc := converter.NewCodecDataConverter(payload.Converter(), encrypting(t, "one"))
	hiding, showing := codec.Failures(dc, true), codec.Failures(dc, false)
	failure := hiding.ErrorToFailure(temporal.NewNonRetryableApplicationError(canary, "refused", errors.New(canary), egress.Error{Message: canary}))
	require.NotContains(t, failure.String(), canary)
	require.Equal(t, "refused", failure.GetApplicationFailureInfo().GetType(), "by which retries are decided")

	for name, reader := range map[string]converter.FailureConverter{"one that hides": hiding, "one that does not": showing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *temporal.ApplicationError
			require.ErrorAs(t, reader.FailureToError(failure), &got)
			require.Equal(t, canary, got.Message())
			var details egress.Error
			require.NoError(t, got.Details(&details))
			require.Equal(t, canary, details.Message)
		})
	}
}

func TestAnErrorsDetailsAreEncryptedAlsoWhereItsMessageShows(t *testing.T) {
	t.Parallel()
	dc := converter.NewCodecDataConverter(payload.Converter(), encrypting(t, "one"))
	failure := codec.Failures(dc, false).ErrorToFailure(temporal.NewApplicationError("message", "refused", canary))
	require.Equal(t, "message", failure.GetMessage())
	require.NotContains(t, failure.String(), canary)
}
