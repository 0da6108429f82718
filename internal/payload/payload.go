// Package payload holds the data converter of all our Temporal clients and workers. It must never
// drop what a newer LiveKit adds: Temporal's default converter fails on a JSON field that the
// protocol package does not know, and the SDK then drops the signal that carried it.
package payload

import (
	"encoding/json"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// Converter reads proto messages leniently, writes their enums as numbers (a name
// that an older reader does not know would be lost), and decodes them into types
// that keep their own JSON, such as egress.Event.
func Converter() converter.DataConverter {
	return converter.NewCompositeDataConverter(
		converter.NewNilPayloadConverter(),
		converter.NewByteSlicePayloadConverter(),
		lenient{converter.NewProtoJSONPayloadConverterWithOptions(converter.ProtoJSONPayloadConverterOptions{
			AllowUnknownFields: true,
			UseEnumNumbers:     true,
		})},
		converter.NewProtoPayloadConverter(),
		converter.NewJSONPayloadConverter(),
	)
}

type lenient struct {
	*converter.ProtoJSONPayloadConverter
}

// FromPayload passes the payload's JSON unchanged to a target that is not a proto message but reads
// JSON.
func (c lenient) FromPayload(p *commonpb.Payload, target any) error {
	if _, isProto := target.(proto.Message); !isProto {
		if u, ok := target.(json.Unmarshaler); ok {
			if err := u.UnmarshalJSON(p.GetData()); err != nil {
				return fmt.Errorf("%w: %w", converter.ErrUnableToDecode, err)
			}
			return nil
		}
	}
	return c.ProtoJSONPayloadConverter.FromPayload(p, target)
}

// Proto makes the payload of a proto message from existing JSON, so that no conversion loses
// anything.
func Proto(messageType string, body []byte) *commonpb.Payload {
	return &commonpb.Payload{
		Metadata: map[string][]byte{
			converter.MetadataEncoding:    []byte(converter.MetadataEncodingProtoJSON),
			converter.MetadataMessageType: []byte(messageType),
		},
		Data: body,
	}
}
