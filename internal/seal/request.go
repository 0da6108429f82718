package seal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// SealRequest makes the workflow's input of a request: sealed whole, as it came,
// beside its summary, its fingerprint, and the storage profile and the pipeline that it
// is for; empty: it names none. All else in an input is the caller's to set.
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

// fingerprintOf is the fingerprint of a request. The same one for another storage, or
// with another pipeline, is another one.
func (k *Keys) fingerprintOf(plaintext []byte, storage, pipeline string) string {
	fingerprint := k.fingerprint(plaintext)
	if storage != "" {
		fingerprint = k.fingerprint([]byte(fingerprint + storage))
	}
	if pipeline != "" { // no name of a profile has a space
		fingerprint = k.fingerprint([]byte(fingerprint + " " + pipeline))
	}
	return fingerprint
}

// OpenRequest is the request of an input, the caller's to change: a sealed one is
// opened, one in the clear is cloned.
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

// readablePart is what a blob is bound to: it opens beside no other summary, and for no
// other storage.
func readablePart(sum egress.Summary, storage string) ([]byte, error) {
	b, err := json.Marshal(sum)
	return append(b, storage...), err
}

// encode is the kind, with its length in front, and then the request's bytes. Equal
// requests give equal bytes, and fields that we do not know are among them.
func encode(r egress.Request) ([]byte, error) {
	kind := egress.KindOf(r)
	if kind == "" {
		return nil, egress.Invalidf("request", "is of no kind that can be asked for")
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
