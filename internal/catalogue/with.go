package catalogue

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
)

// anything reads a value that is passed on as it is, in JSON's types, so that a workflow history
// does not change it.
func (v value) anything(into *map[string]any) error {
	if v.node.Kind != yaml.MappingNode {
		return v.fail("want fields with values, got %s", v.shown())
	}
	var decoded map[string]any
	if err := v.node.Decode(&decoded); err != nil {
		return v.fail("cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := v.check(); err != nil {
		return err
	}
	if n, found := tooLong(decoded); found {
		return v.fail("the integer %v is too large to be kept exactly; put it in quotes", n)
	}
	b, err := json.Marshal(decoded)
	if err != nil {
		return v.fail("cannot be written as JSON: %s", err)
	}
	*into = map[string]any{}
	return json.Unmarshal(b, into)
}

// exact is the limit up to which JSON numbers are exact integers: 2^53.
const exact = 1 << 53

// tooLong finds an integer that JSON readers would round.
func tooLong(v any) (number any, found bool) {
	switch v := v.(type) {
	case int:
		return v, v > exact || v < -exact
	case uint64: // for values too large for int
		return v, true
	case []any:
		for _, item := range v {
			if number, found := tooLong(item); found {
				return number, true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if number, found := tooLong(v[name]); found {
				return number, true
			}
		}
	}
	return nil, false
}

var credential = regexp.MustCompile(`(?i)(^|[_-])(password|passwd|secret|credentials?|token|authorization|(api|access|account|private|secret|stream)[_-]?key)([_-]|$)|(apiKey|accessKey|secretKey|authToken|accessToken)`)

// check refuses a key named like a credential, a URL that contains one, and what would not be passed
// on as it is: YAML reads 0644 as 420, and 2026-05-04 as a time.
func (v value) check() error {
	const advice = "and the file is stored in workflow histories: keep the credential in the step's own worker"
	if v.node.Kind == yaml.MappingNode {
		return v.entries(func(name string, v value) error {
			if credential.MatchString(name) {
				return v.fail("is named like a credential, %s", advice)
			}
			return v.check()
		})
	}
	if v.node.Kind == yaml.SequenceNode {
		return v.list(value.check)
	}
	if !slices.Contains([]string{"!!str", "!!bool", "!!null"}, v.node.Tag) && !json.Valid([]byte(v.node.Value)) {
		return v.fail("is not valid JSON; write it as JSON does, or put it in quotes")
	}
	if !strings.Contains(v.node.Value, "://") {
		return nil
	}
	switch u, err := url.Parse(v.node.Value); {
	case err != nil || u.User != nil:
		return v.fail("is a URL with a user, %s", advice)
	case egress.HasSecretQuery(u):
		return v.fail("is a URL with a parameter named like a credential, %s", advice)
	}
	return nil
}
