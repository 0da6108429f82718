// Package codec encrypts the payloads in Temporal, if that is enabled, and shows them decrypted in
// Temporal's UI and CLI. It must never pass off a payload that it could not decrypt as one that was
// never encrypted.
package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
)

// An encrypted payload is marked as in Temporal's own samples.
const (
	encodingEncrypted = "binary/encrypted"
	metadataKeyID     = "encryption-key-id"
)

// Cipher encrypts with its current key and decrypts with that and earlier ones. It finds the key by
// itself: the ID is only for people.
type Cipher interface {
	KeyID() string
	Encrypt(plaintext []byte) []byte
	Decrypt(encrypted []byte) ([]byte, error)
}

type codec struct {
	cipher  Cipher
	encrypt bool
}

// New makes the codec of a process. It decrypts whether or not it encrypts, and leaves unencrypted
// payloads alone: so encryption can be switched on or off while workflows run, one process after
// the other.
func New(cipher Cipher, encrypt bool) converter.PayloadCodec {
	return &codec{cipher: cipher, encrypt: encrypt}
}

// Encode encrypts each payload whole, its metadata included.
func (c *codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !c.encrypt {
		return payloads, nil
	}
	encoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plaintext, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encrypt payload: %w", err)
		}
		encoded[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(encodingEncrypted),
				metadataKeyID:              []byte(c.cipher.KeyID()),
			},
			Data: c.cipher.Encrypt(plaintext),
		}
	}
	return encoded, nil
}

// Decode is the inverse of Encode, for payloads that are encrypted.
func (c *codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encodingEncrypted {
			decoded[i] = p
			continue
		}
		plaintext, err := c.cipher.Decrypt(p.GetData())
		if err != nil {
			return nil, fmt.Errorf("decrypt payload: %w", err)
		}
		decoded[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plaintext, decoded[i]); err != nil {
			return nil, fmt.Errorf("decrypt payload: %w", err)
		}
	}
	return decoded, nil
}

// Failures encodes an error's details with a data converter, which Temporal's own failure converter
// does not do. With hide it encodes message and stack trace as well: both may quote payloads. It
// reads either form.
func Failures(dc converter.DataConverter, hide bool) converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: dc, EncodeCommonAttributes: hide,
	})
}

type blocking struct{ converter.PayloadCodec }

// Blocking is a codec only for a worker's client: it panics on a payload that it cannot decode.
// Temporal's SDK fails a workflow for good if its input cannot be decoded, and drops such a signal.
// A panic only fails the workflow task or the activity, which is retried until somebody restores
// the lost key.
func Blocking(c converter.PayloadCodec) converter.PayloadCodec { return blocking{c} }

// Decode panics if it fails.
func (b blocking) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded, err := b.PayloadCodec.Decode(payloads)
	if err != nil {
		panic(err)
	}
	return decoded, nil
}
