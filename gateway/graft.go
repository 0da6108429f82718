package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/reelkeeper/reelkeeper/egress"
)

// stored returns a request's JSON with the default storage profile added to outputs that lack a
// storage. r is the part that we can read; the rest keeps its bytes. The storage of the whole
// request may be one that only a newer LiveKit knows.
func (h *Handler) stored(r egress.Request, raw json.RawMessage) (json.RawMessage, error) {
	var said struct{ Storage json.RawMessage }
	var storage map[string]json.RawMessage
	if json.Unmarshal(raw, &said) == nil && json.Unmarshal(said.Storage, &storage) == nil &&
		holdsUnknown(storage, (&livekit.StorageConfig{}).ProtoReflect().Descriptor()) {
		return raw, nil
	}
	filled, _, err := h.cfg.Profiles.Apply(r, "")
	if err != nil || filled == r {
		return raw, err
	}
	return graft(raw, r.ProtoReflect(), filled.ProtoReflect())
}

// hideStored removes the credentials of our storage profiles from an answer that nobody here can
// read whole. Short credentials could be any word, and are left to LiveKit's own redaction.
func (h *Handler) hideStored(answer []byte) []byte {
	for _, secret := range h.cfg.Profiles.Secrets() {
		if len(secret) >= 8 {
			answer = bytes.ReplaceAll(answer, encode(secret), []byte(`"{redacted}"`))
		}
	}
	return answer
}

// graft adds to a message's JSON the fields that after has and before lacks; otherwise the two are
// the same. It adds nothing beside an object of an unknown name, which may be a storage that only a
// newer LiveKit knows.
func graft(raw json.RawMessage, before, after protoreflect.Message) (json.RawMessage, error) {
	var tree map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	fields := after.Descriptor().Fields()
	for i := range fields.Len() {
		f, err := fields.Get(i), error(nil)
		name := nameIn(tree, f)
		switch {
		case f.Message() == nil || f.IsMap() || !after.Has(f):
		case !before.Has(f) && holdsUnknown(tree, after.Descriptor()):
		case !before.Has(f):
			tree[name], err = protojson.MarshalOptions{UseProtoNames: true}.Marshal(after.Get(f).Message().Interface())
		case f.IsList():
			tree[name], err = graftList(tree[name], before.Get(f).List(), after.Get(f).List())
		default:
			tree[name], err = graft(tree[name], before.Get(f).Message(), after.Get(f).Message())
		}
		if err != nil {
			return nil, err
		}
	}
	return encode(tree), nil
}

func graftList(raw json.RawMessage, before, after protoreflect.List) (json.RawMessage, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	for i := range min(after.Len(), len(items)) {
		var err error
		if items[i], err = graft(items[i], before.Get(i).Message(), after.Get(i).Message()); err != nil {
			return nil, err
		}
	}
	return encode(items), nil
}

// holdsUnknown reports whether a message's JSON has an object whose name is no field of the
// message.
func holdsUnknown(tree map[string]json.RawMessage, m protoreflect.MessageDescriptor) bool {
	for name, value := range tree {
		if m.Fields().ByJSONName(name) == nil && m.Fields().ByTextName(name) == nil && bytes.HasPrefix(value, []byte("{")) {
			return true
		}
	}
	return false
}

// nameIn returns the spelling of a field in a JSON object: protojson reads both spellings.
func nameIn(tree map[string]json.RawMessage, f protoreflect.FieldDescriptor) string {
	if _, camel := tree[f.JSONName()]; camel {
		return f.JSONName()
	}
	return f.TextName()
}
