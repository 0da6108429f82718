package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
)

// recording is a scenario as captured from a real server with the real egress service.
type recording struct {
	t   *testing.T
	dir string
}

var (
	hosts = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	// absolute paths are made relative, so that the worker double records below its own folder.
	absolute = regexp.MustCompile(`([" ])/(out|root-only)/`)
)

func (r recording) text(name string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "internal", "fakelivekit", "testdata", r.dir, name))
	require.NoError(r.t, err)
	b = hosts.ReplaceAll(b, []byte("http://host"))
	return absolute.ReplaceAll(b, []byte(`$1$2/`))
}

func (r recording) json(name string) any {
	r.t.Helper()
	v, err := decode(r.text(name))
	require.NoError(r.t, err)
	return v
}

// files returns the matching files, in order.
func (r recording) files(pattern string) []string {
	r.t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "internal", "fakelivekit", "testdata", r.dir, pattern))
	require.NoError(r.t, err)
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	slices.Sort(names)
	return names
}

func (r report) count(prefix string) (n int) {
	for _, s := range r {
		if strings.Contains(s.Name, ": "+prefix) {
			n++
		}
	}
	return n
}

// captured returns the report that the captured files contain.
func (r recording) captured() report {
	r.t.Helper()
	var list report
	note := func(s step) {
		s.Name = r.dir + ": " + s.Name
		list = append(list, s)
	}
	for _, name := range r.files("api-*") {
		if text, isError := strings.CutSuffix(name, ".err.txt"); isError {
			note(step{Name: name, Error: map[string]any{"text": strings.TrimSpace(string(r.text(text + ".err.txt")))}})
			continue
		}
		note(step{Name: name, OK: true, Answer: r.json(name)})
	}
	for _, endpoint := range []string{"project", "request"} {
		for i, name := range r.files("[0-9]*-" + endpoint + "-egress_*.json") {
			note(step{Name: fmt.Sprintf("%s egress %d", endpoint, i+1), OK: true, Answer: r.json(name)})
		}
	}
	if len(r.files("[0-9]*-project-egress_*.json")) > 0 {
		note(step{Name: "headers", OK: true, Answer: map[string]any{
			"method": "POST", "proto": "HTTP/1.1", "signer": liveKey,
			"Accept-Encoding": "gzip", "Content-Type": "application/webhook+json", "User-Agent": "LiveKit",
		}})
	}
	for _, name := range r.files("[0-9]*-project-[rpt]*.json") {
		e := &livekit.WebhookEvent{}
		require.NoError(r.t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(r.text(name), e))
		note(step{Name: "room " + roomEvent(e), OK: true, Answer: r.json(name)})
	}
	for _, name := range r.files("list-final-*") {
		note(step{Name: "list", OK: true, Answer: map[string]any{"items": []any{r.json(name)}}})
	}
	for i := range list {
		list[i] = normal(list[i])
	}
	return list
}

// asRecorded reduces a report to what was captured of it: the calls for which there are files, and the text of errors.
func asRecorded(r report, captured report) (list report) {
	for _, s := range r {
		known := slices.ContainsFunc(captured, func(c step) bool { return c.Name == s.Name })
		if e, ok := s.Error.(map[string]any); ok {
			s.Error = map[string]any{"text": fmt.Sprintf("twirp error %v: %v", e["code"], e["message"])}
		}
		if known || strings.Contains(s.Name, " egress ") {
			list = append(list, s)
		}
	}
	return list
}

// without removes the calls that were not repeated.
func (r report) without(made report) (list report) {
	for _, s := range r {
		if !strings.Contains(s.Name, ": api-") || made.has(s.Name) {
			list = append(list, s)
		}
	}
	return list
}

// aligned brings two reports to the same steps in the same order: a step missing from one of them is empty
// there.
func aligned(a, b report) (report, report) {
	index := map[string]int{}
	for _, s := range slices.Concat(a, b) {
		if _, ok := index[s.Name]; !ok {
			index[s.Name] = len(index)
		}
	}
	full := func(r report) report {
		for name := range index {
			if !slices.ContainsFunc(r, func(s step) bool { return s.Name == name }) {
				r = append(r, step{Name: name})
			}
		}
		slices.SortStableFunc(r, func(x, y step) int { return cmp.Compare(index[x.Name], index[y.Name]) })
		return r
	}
	return full(slices.Clone(a)), full(slices.Clone(b))
}
