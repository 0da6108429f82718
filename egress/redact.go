package egress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/livekit/logger"
)

// redacted replaces a credential.
const redacted = "{redacted}"

// redactJSON returns a LiveKit message's JSON without its credentials and without our own
// webhooks, at most longestMessage of it. LiveKit redacts too, but not everything (proxies, a
// second file output, failed automatic starts, the turnPassword of a room). redactJSON works on
// the JSON and not on the message, so that what a newer LiveKit adds survives.
func redactJSON(md protoreflect.MessageDescriptor, b []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("redact %s: %w", md.Name(), err)
	}
	walk(md, tree, "", maskValue)
	b, err := fitting(md, tree, longestMessage)
	if err != nil {
		return nil, fmt.Errorf("redact %s: %w", md.Name(), err)
	}
	return b, nil
}

// RefuseCredentials returns an error that names the first field of a request that holds a
// credential. A request in the clear must have none: many people read histories.
func RefuseCredentials(r Request) error {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
	if err != nil {
		return Invalidf(string(KindOf(r)), "%s", err.Error())
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		return Invalidf(string(KindOf(r)), "%s", err.Error())
	}
	found := ""
	walk(r.ProtoReflect().Descriptor(), tree, string(KindOf(r)), func(path string, f field, v string) string {
		if found == "" && f.isCredential(v) {
			found = path
		}
		return v
	})
	if found != "" {
		return Invalidf(found, "holds a credential, which a request in the clear must not; name a storage profile, or use the starter, which seals it")
	}
	return nil
}

// field is one string field of a message, as walk meets it. desc is nil for a field that our
// protocol package does not know.
type field struct {
	owner protoreflect.MessageDescriptor
	desc  protoreflect.FieldDescriptor
	name  string
}

// walk visits every string in a message's JSON and replaces it with what visit returns. It visits
// names in order, so that the first finding is always the same.
func walk(md protoreflect.MessageDescriptor, tree map[string]any, path string, visit func(string, field, string) string) {
	for _, name := range sortedKeys(tree) {
		f := fieldOf(md, name)
		value := walkValue(f, tree[name], strings.TrimPrefix(path+"."+name, "."), visit)
		if list, ok := value.([]any); ok && len(list) == 0 {
			delete(tree, name) // it held nothing but our own webhook
			continue
		}
		tree[name] = value
	}
}

// fieldOf returns the field with this JSON name in a message.
func fieldOf(md protoreflect.MessageDescriptor, name string) field {
	fd := md.Fields().ByJSONName(name)
	if fd == nil {
		fd = md.Fields().ByTextName(name)
	}
	return field{owner: md, desc: fd, name: name}
}

func walkValue(f field, value any, path string, visit func(string, field, string) string) any {
	switch v := value.(type) {
	case string:
		return visit(path, f, v)
	case []any:
		if f.name == "webhooks" {
			v = slices.DeleteFunc(v, isOurs)
		}
		for i := range v {
			v[i] = walkValue(f, v[i], fmt.Sprintf("%s[%d]", path, i), visit)
		}
		return v
	case map[string]any:
		if !f.isScalarMap() {
			walk(f.messageType(), v, path, visit)
			return v
		}
		for _, key := range sortedKeys(v) {
			v[key] = walkValue(f, v[key], path+"."+key, visit)
		}
	}
	return value
}

// isScalarMap reports whether the field is a map whose keys are the user's words, such as an
// upload's metadata.
func (f field) isScalarMap() bool {
	return f.desc != nil && f.desc.IsMap() && f.desc.MapValue().Message() == nil
}

// isOurs reports whether a webhook in an echoed request is the one that we added: callers see only
// their own.
func isOurs(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	u, _ := m["url"].(string)
	_, ours := ParseToken(u)
	return ours
}

// messageType returns the type of a message field or of a map's values. An unknown field gets its
// owner's type if the owner holds secrets, else a type without secrets.
func (f field) messageType() protoreflect.MessageDescriptor {
	switch {
	case f.desc == nil:
		if holdsSecrets(f.owner) {
			return f.owner
		}
		return (&livekit.FilterParams{}).ProtoReflect().Descriptor()
	case f.desc.IsMap() && f.desc.MapValue().Message() != nil:
		return f.desc.MapValue().Message()
	case f.desc.Message() != nil:
		return f.desc.Message()
	default:
		return f.owner
	}
}

func maskValue(_ string, f field, v string) string {
	switch {
	case v == "", strings.HasSuffix(v, "}") && placeholder.MatchString(v):
		return v
	case f.isSecret():
		return redacted
	case f.isStreamURL(v) && !mayBeStream(schemeOf(v)):
		return redacted
	case f.isURL():
		return maskURL(v)
	case f.name == "error" || f.name == "details":
		return MaskURLs(v)
	default:
		return v
	}
}

// placeholder matches what LiveKit's own redaction leaves: "{access_key}", and for a stream its
// URL with some characters of the key. It stays, so that all readers see the same.
var placeholder = regexp.MustCompile(`^(\{[a-z_]+\}|[a-z]+://[^@?#{}]+/\{[^{}/?#]{0,3}\.\.\.[^{}/?#]{0,3}\})$`)

var (
	secretName  = regexp.MustCompile(`(?i)password|secret|credential|session_?token|(access|account|private|stream)_?key`)
	unknownName = regexp.MustCompile(`(?i)password|secret|credential|token|key|auth`)
	secretQuery = regexp.MustCompile(`(?i)password|secret|credential|token|key|auth|sig`)
	schemeInURL = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://`)
	urlInText   = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]+`)
)

// secretFields caches whether a known field is a secret, by its descriptor.
var secretFields sync.Map

func (f field) isSecret() bool {
	if f.desc == nil {
		return holdsSecrets(f.owner) || unknownName.MatchString(f.name)
	}
	secret, ok := secretFields.Load(f.desc)
	if !ok {
		secret = sensitivity(f.desc) == logger.Sensitivity_SENSITIVITY_SECRET ||
			secretName.MatchString(string(f.desc.Name())) ||
			f.desc.FullName() == "livekit.ProxyConfig.username"
		secretFields.Store(f.desc, secret)
	}
	return secret.(bool) //nolint:forcetypeassert // nothing else is stored
}

func (f field) isURL() bool {
	name := strings.ToLower(f.name)
	return strings.HasSuffix(name, "url") || strings.HasSuffix(name, "urls")
}

// isStreamURL reports whether a field holds a stream's URL with its key, however it is spelled.
func (f field) isStreamURL(v string) bool {
	ofStream := f.owner.Name() == "StreamOutput" || f.owner.Name() == "UpdateStreamRequest"
	if !ofStream || !f.isURL() {
		return false
	}
	scheme := schemeOf(v)
	return scheme != "ws" && scheme != "wss"
}

// schemeOf returns a URL's scheme in lower case, or empty if there is no valid one before "://".
func schemeOf(rawURL string) string {
	return strings.ToLower(strings.TrimSuffix(schemeInURL.FindString(rawURL), "://"))
}

func (f field) isCredential(v string) bool {
	switch {
	case v == "":
		return false
	case f.isSecret(), f.isStreamURL(v):
		return true
	case !f.isURL():
		return false
	}
	u, err := url.Parse(v)
	if err != nil || u.User != nil || isStream(u.Scheme) {
		return true
	}
	return HasSecretQuery(u)
}

// HasSecretQuery reports whether a URL's query names a credential or cannot be parsed.
func HasSecretQuery(u *url.URL) bool {
	query, err := url.ParseQuery(u.RawQuery)
	return err != nil || slices.ContainsFunc(sortedKeys(query), secretQuery.MatchString)
}

// sortedKeys returns a map's keys, sorted.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m)) //workflowcheck:ignore // sorted at once
}

// holdsSecrets reports whether a message has a field marked as a credential: a field that a newer
// LiveKit adds beside one may well be another.
func holdsSecrets(md protoreflect.MessageDescriptor) bool {
	for i := range md.Fields().Len() {
		if sensitivity(md.Fields().Get(i)) == logger.Sensitivity_SENSITIVITY_SECRET {
			return true
		}
	}
	return false
}

func sensitivity(fd protoreflect.FieldDescriptor) logger.Sensitivity {
	s, _ := proto.GetExtension(fd.Options(), logger.E_Sensitivity).(logger.Sensitivity)
	return s
}

func isStream(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "rtmp", "rtmps", "srt", "mux", "twitch":
		return true
	}
	return false
}

// mayBeStream takes an unknown scheme for a misspelled one of a stream.
func mayBeStream(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "", "http", "https", "ws", "wss", "socks5", "s3", "gs", "file":
		return false
	}
	return true
}

// leastSecret is the shortest word that is masked in a text: a shorter one may be an ordinary
// word.
const leastSecret = 6

// MaskQuoted masks the credentials of a request that a text quotes, and all URLs in the text. r
// may be nil.
func MaskQuoted(text string, r proto.Message) string {
	var tree map[string]any
	masks := map[string]string{}
	if b, err := protojson.Marshal(r); r != nil && err == nil && json.Unmarshal(b, &tree) == nil {
		walk(r.ProtoReflect().Descriptor(), tree, "", func(path string, f field, v string) string {
			if masked := maskValue(path, f, v); masked != v && len(v) >= leastSecret {
				masks[v] = masked
			}
			return v
		})
	}
	secrets := sortedKeys(masks)
	slices.SortStableFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // longer first, since one may contain another
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, masks[secret])
	}
	return MaskURLs(text)
}

// MaskURLs masks whole URLs in a text, as when a refusal of LiveKit's quotes them with a stream's
// key.
func MaskURLs(text string) string { return urlInText.ReplaceAllStringFunc(text, maskURL) }

// maskURL keeps scheme, host and path, and masks what can hold a credential: user information, the
// values of a query, and the last path element of a stream (its key).
func maskURL(v string) string {
	u, err := url.Parse(strings.ReplaceAll(v, redacted, "redacted")) // braces do not parse: masking twice is masking once
	if err != nil || v == redacted {
		return redacted
	}
	var b strings.Builder
	if u.Scheme != "" {
		b.WriteString(u.Scheme + "://")
	}
	if u.User != nil {
		b.WriteString(redacted + "@")
	}
	b.WriteString(u.Host)
	path := u.EscapedPath()
	if mayBeStream(u.Scheme) {
		path = strings.TrimRight(path, "/")
	}
	switch {
	case mayBeStream(u.Scheme) && path == "":
		return u.Scheme + "://" + redacted
	case mayBeStream(u.Scheme):
		path = path[:strings.LastIndex(path, "/")+1] + redacted
	}
	b.WriteString(path)
	b.WriteString(maskQuery(u.Query()))
	return b.String()
}

// maskQuery keeps the names, except those without a value, which may be credentials themselves. The
// padding of one in base64 is no value.
func maskQuery(q url.Values) string {
	var parts []string
	for _, name := range sortedKeys(q) {
		part := redacted
		if strings.Trim(strings.Join(q[name], ""), "=") != "" {
			part = url.QueryEscape(name) + "=" + redacted
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return "?" + strings.Join(slices.Compact(parts), "&")
}
