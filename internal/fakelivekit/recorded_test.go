package fakelivekit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// recording is one scenario in testdata, as captured from real servers.
type recording struct {
	*testing.T
	dir string
}

func (r recording) read(name string) []byte {
	r.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", r.dir, name))
	require.NoError(r, err)
	return data
}

// info returns a recorded EgressInfo.
func (r recording) info(name string) *livekit.EgressInfo {
	r.Helper()
	info := &livekit.EgressInfo{}
	require.NoError(r, (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(r.read(name), info))
	return info
}

// files returns the names of the matching recorded files, in numeric order.
func (r recording) files(pattern string) []string {
	r.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", r.dir, pattern))
	require.NoError(r, err)
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	slices.Sort(names)
	return names
}

// bodies returns the recorded webhooks of one endpoint and one of LiveKit's queues: egress events, or all
// others.
func (r recording) bodies(endpoint string, egress bool) [][]byte {
	var bodies [][]byte
	for _, name := range r.files("[0-9]*-" + endpoint + "-*.json") {
		if strings.Contains(name, "-egress_") == egress {
			bodies = append(bodies, r.read(name))
		}
	}
	return bodies
}

var (
	ids     = regexp.MustCompile(`\b(EG|RM|PA|EV|TR)_[A-Za-z0-9_]+`)
	times   = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{6}`)
	hosts   = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	figures = regexp.MustCompile(`^(.*At|.*AtMs|.*_at|creationTime.*|duration|size|unixMicro|segmentCount|imageCount|version|ssrc)$`)
)

// normal returns JSON without what differs from run to run: IDs keep only their prefix, and of numbers and passwords only
// their presence remains. roomEndReason is newer than the protocol version that the fake is built with.
func normal(t *testing.T, text []byte) any {
	t.Helper()
	var tree any
	require.NoError(t, json.Unmarshal(text, &tree), string(text))
	return normalise("", tree)
}

func normalise(key string, v any) any {
	switch x := v.(type) {
	case map[string]any:
		delete(x, "roomEndReason")
		for k := range x {
			x[k] = normalise(k, x[k])
		}
		if figures.MatchString(key) {
			return "figure"
		}
	case []any:
		for i := range x {
			x[i] = normalise(key, x[i])
		}
	case string:
		return normalString(key, x)
	case float64:
		if figures.MatchString(key) {
			return "figure"
		}
	}
	return v
}

func normalString(key, s string) string {
	switch {
	case figures.MatchString(key):
		return "figure"
	case key == "turnPassword":
		return "password"
	}
	s = hosts.ReplaceAllString(s, "http://host")
	s = times.ReplaceAllString(s, "TIME")
	return ids.ReplaceAllString(s, "${1}_ID")
}

// same compares two JSON texts after normalising, and shows both if they differ.
func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	g, w := pretty(t, normal(t, got)), pretty(t, normal(t, want))
	if g == w {
		return
	}
	gotLines, wantLines := strings.Split(g, "\n"), strings.Split(w, "\n")
	for i := range wantLines {
		if i >= len(gotLines) || gotLines[i] != wantLines[i] {
			t.Errorf("%s: line %d\ngot %q\nrecorded %q", what, i+1, around(gotLines, i), around(wantLines, i))
			return
		}
	}
	t.Errorf("%s has more than was recorded: %q", what, around(gotLines, len(wantLines)))
}

// around returns some lines of context.
func around(lines []string, i int) []string {
	return lines[min(max(i-3, 0), len(lines)):min(i+4, len(lines))]
}

func pretty(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	return string(text)
}

func protoText(t *testing.T, m proto.Message) []byte {
	t.Helper()
	text, err := protojson.Marshal(m)
	require.NoError(t, err)
	return text
}

// normalSpace removes the spaces that protojson inserts at random.
func normalSpace(s string) string { return strings.ReplaceAll(s, " ", "") }
