package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// report holds an agent's answers, call by call.
type report []step

// step is one call. The answer is LiveKit's JSON.
type step struct {
	Name   string `json:"step"`
	OK     bool   `json:"ok"`
	Answer any    `json:"answer,omitempty"`
	Error  any    `json:"error,omitempty"`
}

func (r report) has(pattern string) bool {
	return slices.ContainsFunc(r, func(s step) bool { return matches(pattern, s.Name) })
}

// allowed is an intended difference: patterns for the step and for the field. No field means the
// whole answer.
type allowed struct{ step, path, because string }

func (a allowed) covers(step, field string) bool {
	return matches(a.step, step) && (a.path == "" || matches(a.path, field))
}

// sides are the names of the two sides compared.
type sides struct{ one, other string }

var directAndDoor = sides{"LiveKit", "the door"}

// report makes the reports of both sides at once, each in a subtest: much of their time is waiting.
func (s sides) report(t *testing.T, one, other func(*testing.T) report) (mine, theirs report) {
	t.Helper()
	var both sync.WaitGroup
	both.Go(func() { t.Run(s.one, func(t *testing.T) { mine = one(t) }) })
	both.Go(func() { t.Run(s.other, func(t *testing.T) { theirs = other(t) }) })
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return mine, theirs
}

// compare names every field that differs without being allowed to, and which of the allowed ones do
// differ.
func (s sides) compare(direct, door report, table []allowed) (unexpected []string, seen map[int]bool) {
	seen = map[int]bool{}
	mine, theirs := flatten(direct), flatten(door)
	for n := range max(len(mine), len(theirs)) {
		if n >= len(mine) || n >= len(theirs) || mine[n].step != theirs[n].step {
			return append(unexpected, fmt.Sprintf("step %d: not the same call: the agent took another way after what it was answered", n)), seen
		}
		a, b := mine[n], theirs[n]
		fields := slices.Sorted(maps.Keys(a.fields))
		for field := range b.fields {
			if _, ok := a.fields[field]; !ok {
				fields = append(fields, field)
			}
		}
		slices.Sort(fields)
		for _, field := range fields {
			if a.fields[field] == b.fields[field] {
				continue
			}
			n := slices.IndexFunc(table, func(d allowed) bool { return d.covers(a.step, field) })
			if n >= 0 {
				seen[n] = true
				continue
			}
			unexpected = append(unexpected, fmt.Sprintf("%s: %s: %s says %s, %s %s", a.step, field,
				s.one, cmp.Or(a.fields[field], "nothing"), s.other, cmp.Or(b.fields[field], "nothing")))
		}
	}
	return unexpected, seen
}

// flat is a step with its answer as one value for each field.
type flat struct {
	step   string
	fields map[string]string
}

// flatten removes what always differs: IDs become the ordinal of their first appearance, and times
// and measurements become the fact that they are present.
func flatten(r report) []flat {
	ids := labels{}
	var list []flat
	for _, s := range r {
		f := flat{s.Name, map[string]string{}}
		ids.fill(f.fields, "ok", s.OK)
		ids.fill(f.fields, "answer", s.Answer)
		ids.fill(f.fields, "error", s.Error)
		list = append(list, f)
	}
	return list
}

var (
	// generated are the IDs that LiveKit makes up.
	generated = regexp.MustCompile(`\b(EG|EV|RM|PA|TR)_[A-Za-z0-9]+`)
	// dated is {time} in the name of a file.
	dated = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}T\d{6}\b`)
	// token is a JWT, which an error may quote.
	token = regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]+`)
	// measured are the fields whose value depends on the moment, or on chance.
	measured = regexp.MustCompile(`\.(\w+(At|AtMs|_at|_at_ms)|creationTime|creationTimeMs|duration|size|segmentCount|imageCount|turnPassword|ssrc|unixMicro)$`)
)

// labels maps IDs to the ordinals that stand for them.
type labels map[string]string

func (l labels) label(id string) string {
	if l[id] == "" {
		l[id] = fmt.Sprintf("%s%03d", id[:3], len(l))
	}
	return l[id]
}

// fill records each value below v under its path.
func (l labels) fill(fields map[string]string, at string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			l.fill(fields, at+"."+k, v[k])
		}
	case []any:
		for n, item := range l.sorted(v) {
			l.fill(fields, fmt.Sprintf("%s[%d]", at, n), item)
		}
		fields[at] = fmt.Sprintf("a list of %d", len(v))
	default:
		fields[at] = l.text(at, v)
	}
}

func (l labels) text(at string, v any) string {
	text := fmt.Sprint(v)
	if measured.MatchString(at) && text != "0" {
		return "(some)"
	}
	text = dated.ReplaceAllString(token.ReplaceAllString(text, "(token)"), "(time)")
	return fmt.Sprintf("%q", generated.ReplaceAllStringFunc(text, l.label))
}

// sorted puts lists of egresses and rooms, whose order is arbitrary, into a fixed order.
func (l labels) sorted(list []any) []any {
	key := func(item any) string {
		fields, _ := item.(map[string]any)
		for _, name := range []string{"egressId", "egress_id"} {
			if id, ok := fields[name].(string); ok {
				return l.label(id)
			}
		}
		name, _ := fields["name"].(string)
		return name
	}
	return slices.SortedStableFunc(slices.Values(list), func(a, b any) int { return cmp.Compare(key(a), key(b)) })
}

// matches is path.Match for texts in which "/" and "[" have no special meaning.
func matches(pattern, text string) bool {
	plain := strings.NewReplacer("/", "|", "[", "(", "]", ")")
	ok, err := path.Match(plain.Replace(pattern), plain.Replace(text))
	return ok && err == nil
}

func TestTheComparisonSeesEveryField(t *testing.T) {
	t.Parallel()
	const direct = `[
		{"step": "start", "ok": true, "answer": {"egressId": "EG_one", "startedAt": "17", "file": {"name": "a-2026-01-02T030405-EG_one"}}},
		{"step": "list", "ok": true, "answer": [{"egressId": "EG_two", "status": "x"}, {"egressId": "EG_one"}]},
		{"step": "refused", "ok": false, "error": {"code": "not_found", "status": 404}}]`
	table := []allowed{{"l*", "answer[*].status", "a reason"}}
	for name, tt := range map[string]struct {
		from, to string
		want     []string
	}{
		"the same":               {"", "", nil},
		"another ID":             {"EG_one", "EG_other", nil},
		"another time":           {"17", "18", nil},
		"another date":           {"03", "13", nil},
		"no time":                {`"startedAt": "17", `, ``, []string{`start: answer.startedAt: LiveKit says (some), the door nothing`}},
		"no time yet":            {`"17"`, `"0"`, []string{`start: answer.startedAt: LiveKit says (some), the door "0"`}},
		"another egress's ID":    {`405-EG_one`, `405-EG_two`, []string{`start: answer.file.name: LiveKit says "a-(time)-EG_000", the door "a-(time)-EG_001"`}},
		"one more field":         {`"status": 404`, `"status": 404, "meta": "m"`, []string{`refused: error.meta: LiveKit says nothing, the door "m"`}},
		"another code":           {"not_found", "internal", []string{`refused: error.code: LiveKit says "not_found", the door "internal"`}},
		"an order":               {`{"egressId": "EG_two", "status": "x"}, {"egressId": "EG_one"}`, `{"egressId": "EG_one"}, {"egressId": "EG_two", "status": "x"}`, nil},
		"one less":               {`{"egressId": "EG_two", "status": "x"}, `, ``, []string{`list: answer: LiveKit says a list of 2, the door a list of 1`}},
		"an allowed difference":  {`"status": "x"`, `"status": "y"`, nil},
		"another way":            {`"step": "list"`, `"step": "look"`, []string{`step 1: not the same call: the agent took another way after what it was answered`}},
		"success for a refusal?": {`"ok": false`, `"ok": true`, []string{`refused: ok: LiveKit says "false", the door "true"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, seen := directAndDoor.compare(read(t, direct), read(t, strings.ReplaceAll(direct, tt.from, tt.to)), table)

			require.Subset(t, got, tt.want)
			require.Equal(t, len(tt.want) == 0, len(got) == 0, "%v", got)
			require.Equal(t, name == "an allowed difference" || name == "one less", seen[0])
		})
	}
}

func read(t *testing.T, text string) report {
	t.Helper()
	var r report
	require.NoError(t, json.Unmarshal([]byte(text), &r), text)
	return r
}
