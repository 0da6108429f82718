package egress

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"
)

// Secrets are the values that must not be shown to anyone who uses a profile: also a proxy's URL
// that holds a password.
func (p Profiles) Secrets() []string {
	var list []string
	for _, name := range p.Names() {
		eachSecret(p.Named[name].ProtoReflect(), func(m protoreflect.Message, f protoreflect.FieldDescriptor) {
			list = append(list, m.Get(f).String())
		})
	}
	return list
}

// Conceal is an EgressInfo without the credentials of profiles: LiveKit shows a request
// with those in it to whoever may list, where the request has more than one file output.
// What is the caller's own stays.
func (p Profiles) Conceal(m *livekit.EgressInfo) *livekit.EgressInfo {
	secret := map[string]bool{}
	for _, v := range p.Secrets() {
		secret[v] = true
	}
	if len(secret) == 0 {
		return m
	}
	out := proto.CloneOf(m)
	eachSecret(out.ProtoReflect(), func(m protoreflect.Message, f protoreflect.FieldDescriptor) {
		if secret[m.Get(f).String()] {
			m.Set(f, protoreflect.ValueOfString(redacted))
		}
	})
	return out
}

// eachSecret visits the fields of a message, and of those inside, that hold a credential.
func eachSecret(m protoreflect.Message, visit func(protoreflect.Message, protoreflect.FieldDescriptor)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case !m.Has(f) || f.IsMap():
		case f.IsList() && f.Message() != nil:
			for n := range m.Get(f).List().Len() {
				eachSecret(m.Get(f).List().Get(n).Message(), visit)
			}
		case f.IsList():
		case f.Message() != nil:
			eachSecret(m.Get(f).Message(), visit)
		case f.Kind() == protoreflect.StringKind && field{name: string(f.Name()), owner: m.Descriptor(), desc: f}.isCredential(m.Get(f).String()):
			visit(m, f)
		}
	}
}
