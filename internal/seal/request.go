package seal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// SealRequest turns a request into the workflow's input: the whole request sealed as it came, with
// its summary, its fingerprint, and the names of its storage profile and pipeline; empty if it
// names none. The caller sets the rest of the input.
func (k *Keys) SealRequest(requestID string, r egress.Request, storage, pipeline string) (egress.Input, error) {
	plaintext, err := encode(r)
	if err != nil {
		return egress.Input{}, err
	}
	sum := egress.Summarize(r)
	readable, err := readablePart(sum, storage)
	if err != nil {
		return egress.Input{}, fmt.Errorf("seal request: %w", err)
	}
	blob := k.seal(plaintext, requestID, readable)
	return egress.Input{Summary: &sum, Sealed: blob, Fingerprint: k.fingerprintOf(plaintext, storage, pipeline), Storage: storage, Pipeline: pipeline}, nil
}

// fingerprintOf returns the fingerprint of a request. It differs for another storage or another
// pipeline.
func (k *Keys) fingerprintOf(plaintext []byte, storage, pipeline string) string {
	fingerprint := k.fingerprint(plaintext)
	if storage != "" {
		fingerprint = k.fingerprint([]byte(fingerprint + storage))
	}
	if pipeline != "" { // names of profiles contain no spaces
		fingerprint = k.fingerprint([]byte(fingerprint + " " + pipeline))
	}
	return fingerprint
}

// OpenRequest returns the request of an input, for the caller to modify: it opens a sealed one, and
// clones a clear one.
func (k *Keys) OpenRequest(requestID string, in egress.Input) (egress.Request, error) {
	switch {
	case in.Plain != nil:
		return proto.Clone(in.Plain).(egress.Request), nil
	case len(in.Sealed) == 0 || in.Summary == nil:
		return nil, cannotOpen("sealed", "is missing, or its summary is")
	}
	readable, err := readablePart(*in.Summary, in.Storage)
	if err != nil {
		return nil, fmt.Errorf("open request: %w", err)
	}
	plaintext, err := k.open(in.Sealed, requestID, readable)
	if err != nil {
		return nil, err
	}
	return decode(plaintext, in.Summary.Kind)
}

// readablePart is what a blob is bound to: it opens with no other summary, and for no other
// storage. The summary of another release is the JSON that it came as.
func readablePart(sum egress.Summary, storage string) ([]byte, error) {
	b, err := json.Marshal(sum)
	return append(b, storage...), err
}

// encode returns the kind, preceded by its length, and then the request's bytes. Equal requests
// give equal bytes, including fields that we do not know.
func encode(r egress.Request) ([]byte, error) {
	kind := egress.KindOf(r)
	if kind == "" {
		return nil, egress.Invalidf("request", "is not of a kind that can be requested")
	}
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(appendField(nil, []byte(kind)), r)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return b, nil
}

func decode(b []byte, want egress.Kind) (egress.Request, error) {
	kind, body, ok := cutField(b)
	if !ok || egress.Kind(kind) != want {
		return nil, cannotOpen("sealed", "holds another kind of request than its summary's %s", want)
	}
	r := egress.NewRequest(want)
	if r == nil {
		return nil, cannotOpen("sealed", "holds a kind of request that this version does not know: %s", want)
	}
	if err := proto.Unmarshal(body, r); err != nil {
		return nil, cannotOpen("sealed", "does not hold a request of kind %s", want)
	}
	return r, nil
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return nil, nil, false
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:n], b[n:], true
}
