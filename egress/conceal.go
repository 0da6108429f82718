package egress

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"
)

// Secrets returns the values that must not be shown to anyone who uses a profile, including a
// proxy URL that holds a password.
func (p Profiles) Secrets() []string {
	var list []string
	for _, name := range p.Names() {
		eachSecret(p.Named[name].ProtoReflect(), func(m protoreflect.Message, f protoreflect.FieldDescriptor) {
			list = append(list, m.Get(f).String())
		})
	}
	return list
}

// Conceal returns m without the credentials of profiles. If a request has more than one file
// output, LiveKit shows it unmasked to whoever may list. The caller's own credentials stay.
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

// eachSecret visits the fields that hold a credential, in a message and in those inside it.
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
