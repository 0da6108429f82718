package egress_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/livekit/logger"

	"github.com/reelkeeper/reelkeeper/egress"
)

const canary = "CANARY"

// leaf is one string field of a message, and the path to it.
type leaf struct {
	steps []protoreflect.FieldDescriptor
	path  string // as RefuseCredentials names it
}

func (l leaf) field() protoreflect.FieldDescriptor { return l.steps[len(l.steps)-1] }

// leaves finds all string fields below a message, including those of a newer protocol package, so
// that a new credential makes these tests fail instead of leaking into a user's history.
func leaves(md protoreflect.MessageDescriptor, above leaf) []leaf {
	var all []leaf
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		l := leaf{append(slices.Clone(above.steps), fd), strings.TrimPrefix(above.path+"."+string(fd.Name()), ".")}
		switch {
		case fd.IsMap() && fd.MapValue().Kind() == protoreflect.StringKind:
			l.path += ".k"
		case fd.IsList():
			l.path += "[0]"
		}
		switch {
		case fd.Kind() == protoreflect.StringKind, fd.IsMap() && fd.MapValue().Kind() == protoreflect.StringKind:
			all = append(all, l)
		case fd.Message() != nil && !fd.IsMap():
			all = append(all, leaves(fd.Message(), l)...)
		}
	}
	return all
}

// set puts a value into the leaf, and creates all messages on the path.
func (l leaf) set(m protoreflect.Message, value string) {
	v := protoreflect.ValueOfString(value)
	for i, fd := range l.steps {
		last := i == len(l.steps)-1
		switch {
		case fd.IsMap():
			m.Mutable(fd).Map().Set(protoreflect.ValueOfString("k").MapKey(), v)
		case fd.IsList() && last:
			m.Mutable(fd).List().Append(v)
		case fd.IsList():
			m = m.Mutable(fd).List().AppendMutable().Message()
		case last:
			m.Set(fd, v)
		default:
			m = m.Mutable(fd).Message()
		}
	}
}

// unmarked are credentials that LiveKit does not mark.
var unmarked = []protoreflect.FullName{
	"livekit.ProxyConfig.username", "livekit.Room.turn_password", "livekit.IngressInfo.stream_key",
}

func (l leaf) secret() bool {
	s, _ := proto.GetExtension(l.field().Options(), logger.E_Sensitivity).(logger.Sensitivity)
	return s == logger.Sensitivity_SENSITIVITY_SECRET || slices.Contains(unmarked, l.field().FullName())
}

func (l leaf) url() bool {
	name := string(l.field().Name())
	return strings.HasSuffix(name, "url") || strings.HasSuffix(name, "urls")
}

func TestNoCredentialOfAnyKindOfRequestIsLeftInAnEgressInfo(t *testing.T) {
	t.Parallel()
	all := leaves((&livekit.EgressInfo{}).ProtoReflect().Descriptor(), leaf{})
	secrets := 0
	for _, l := range all {
		m := &livekit.EgressInfo{}
		want := "{redacted}"
		value := canary
		switch {
		case l.field().FullName() == "livekit.StreamOutput.urls":
			value = "https://host/app/" + canary // a stream's key all the same
		case l.url():
			value, want = "https://u:"+canary+"@host/x?a="+canary, "https://{redacted}@host/x?a={redacted}"
		case !l.secret():
			want = canary
		}
		l.set(m.ProtoReflect(), value)
		info, err := egress.NewInfo(m)
		require.NoError(t, err)
		require.Contains(t, plain(t, info.Raw()), fmt.Sprintf("%q", want), l.path)
		require.Equal(t, want == canary, strings.Contains(string(info.Raw()), canary), l.path)
		if want != canary {
			secrets++
		}
	}
	require.Greater(t, len(all), 300)
	require.Greater(t, secrets, 100)
}

// plain returns JSON without the escapes that Go writes for HTML.
func plain(t *testing.T, b []byte) string {
	t.Helper()
	return strings.ReplaceAll(string(b), `\u0026`, "&")
}

func TestNoCredentialOfARoomOrAnIngressIsLeftInAnEvent(t *testing.T) {
	t.Parallel()
	for _, l := range leaves((&livekit.WebhookEvent{}).ProtoReflect().Descriptor(), leaf{}) {
		m := &livekit.WebhookEvent{}
		value := map[bool]string{true: "https://u:" + canary + "@host/x?a=" + canary, false: canary}[l.url()]
		l.set(m.ProtoReflect(), value)
		b, err := protojson.Marshal(m)
		require.NoError(t, err)
		e, err := egress.ParseEvent(b)
		require.NoError(t, err)
		require.Equal(t, !l.secret() && !l.url(), strings.Contains(string(e.Raw()), canary), l.path)
	}
}

func TestEachCredentialOfARequestInTheClearIsRefusedByItsPath(t *testing.T) {
	t.Parallel()
	for _, kind := range egress.Kinds() {
		for _, l := range leaves(egress.NewRequest(kind).ProtoReflect().Descriptor(), leaf{path: string(kind)}) {
			r := egress.NewRequest(kind)
			value := map[bool]string{true: "https://host/x?access_token=" + canary, false: canary}[l.url()]
			l.set(r.ProtoReflect(), value)
			err := egress.RefuseCredentials(r)
			if !l.secret() && !l.url() {
				require.NoError(t, err, l.path)
				continue
			}
			require.EqualError(t, err, l.path+": holds a credential, which a request in the clear must not; name a storage profile, or use the starter, which seals it")
			require.NotContains(t, err.Error(), canary)
		}
	}
}

func TestAURLWithoutACredentialIsNotRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, egress.RefuseCredentials(&livekit.WebEgressRequest{Url: "https://example.com/?layout=grid"}))
}

func redact(t *testing.T, body string) string {
	t.Helper()
	e, err := egress.ParseEvent([]byte(body))
	require.NoError(t, err)
	return plain(t, e.Raw())
}

func TestRedactionOfWhatLiveKitLeavesOpen(t *testing.T) {
	t.Parallel()
	info := func(fields string) string { return `{"egressInfo":{` + fields + `}}` }
	for name, tc := range map[string]struct{ body, want string }{
		"a room's password": {`{"room":{"turnPassword":"x"}}`, `{"room":{"turnPassword":"{redacted}"}}`},
		"a proxy": {info(`"web":{"file":{"s3":{"proxy":{"url":"http://u:p@host","username":"u","password":"p"}}}}`),
			info(`"web":{"file":{"s3":{"proxy":{"password":"{redacted}","url":"http://{redacted}@host","username":"{redacted}"}}}}`)},
		"what LiveKit has redacted, which stays": {
			info(`"roomComposite":{"file":{"s3":{"accessKey":"{access_key}","secret":"{secret}"}}},"streamResults":[{"url":"rtmp://host/app/{str...y-1}"}]`),
			info(`"roomComposite":{"file":{"s3":{"accessKey":"{access_key}","secret":"{secret}"}}},"streamResults":[{"url":"rtmp://host/app/{str...y-1}"}]`),
		},
		"stream keys": {info(`"streamResults":[{"url":"rtmp://host/app/key"}]`), info(`"streamResults":[{"url":"rtmp://host/app/{redacted}"}]`)},
		"a URL in an error": {info(`"error":"PUT \"https://u:p@host/x?sig=1\" failed, see http://host/"`),
			info(`"error":"PUT \"https://{redacted}@host/x?sig={redacted}\" failed, see http://host/"`)},
		"a URL in the details":     {info(`"details":"End reason: https://host/?token=x"`), info(`"details":"End reason: https://host/?token={redacted}"`)},
		"snake case":               {info(`"web":{"custom_url":"https://host/?a=1"}`), info(`"web":{"custom_url":"https://host/?a={redacted}"}`)},
		"nothing in a plain error": {info(`"error":"no response from servers"`), info(`"error":"no response from servers"`)},
		"a caller's webhook": {info(`"web":{"webhooks":[{"url":"https://host/hook?token=x","signingKey":"APIkey"}]}`),
			info(`"web":{"webhooks":[{"signingKey":"APIkey","url":"https://host/hook?token={redacted}"}]}`)},
		"our own webhook": {info(`"web":{"webhooks":[{"url":"https://ours/webhooks/livekit/req-1/1/mac"},{"url":"https://host/hook"},{"url":"https://ours/below/webhooks/livekit/req-1/2/mac"}]}`),
			info(`"web":{"webhooks":[{"url":"https://host/hook"}]}`)},
		"our own webhook alone": {info(`"web":{"webhooks":[{"url":"https://ours/webhooks/livekit/req-1/1/mac"}]}`), info(`"web":{}`)},
		"a webhook without URL": {info(`"web":{"webhooks":[{}]}`), info(`"web":{"webhooks":[{}]}`)},
		"an empty credential":   {info(`"web":{"file":{"s3":{"secret":""}}}`), info(`"web":{"file":{"s3":{"secret":""}}}`)},
		"what is new beside credentials": {info(`"web":{"file":{"s3":{"brandNew":"x","nested":{"a":"x"},"list":["x"]}}}`),
			info(`"web":{"file":{"s3":{"brandNew":"{redacted}","list":["{redacted}"],"nested":{"a":"{redacted}"}}}}`)},
		"what is new and sounds secret": {info(`"newAuth":"x","newStore":{"apiKey":"x","path":"y"}`),
			info(`"newAuth":"{redacted}","newStore":{"apiKey":"{redacted}","path":"y"}`)},
		"nothing that is new and does not": {info(`"newField":"x","newCount":1,"newFlag":true,"newNull":null`),
			info(`"newCount":1,"newField":"x","newFlag":true,"newNull":null`)},
		"no number's digit":  {info(`"endedAt":1795446985757029154`), info(`"endedAt":1795446985757029154`)},
		"no metadata's word": {info(`"web":{"file":{"s3":{"metadata":{"password":"kept"}}}}`), info(`"web":{"file":{"s3":{"metadata":{"password":"kept"}}}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, redact(t, tc.body))
			require.Equal(t, tc.want, redact(t, tc.want), "redacted twice")
		})
	}
}

func TestWhatIsNoJSONIsNotRedacted(t *testing.T) {
	t.Parallel()
	_, err := egress.ParseEvent([]byte("x"))
	require.ErrorContains(t, err, "redact WebhookEvent: ")
	var syntax *json.SyntaxError
	require.ErrorAs(t, err, &syntax)
}
