package deploy_test

import (
	"cmp"
	"path"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// named matches a test that a page names, with its folder and perhaps one of its cases.
	named    = regexp.MustCompile("`(?:([\\w/]+)/)?((?:Test|Fuzz)[A-Z]\\w*)(?:/[^`]*)?`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// A test named without its folder is one of e2e.
func TestEveryTestThatAPageNamesIsWhereItSays(t *testing.T) {
	t.Parallel()
	there, names := map[string]bool{}, 0
	for _, file := range files(t, "_test.go") {
		for _, m := range declared.FindAllStringSubmatch(read(t, file), -1) {
			there[path.Join(path.Dir(file), m[1])] = true
		}
	}
	for _, page := range files(t, ".md") {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			names++
			assert.True(t, there[path.Join(cmp.Or(m[1], "e2e"), m[2])], "%s names %s", page, m[0])
		}
	}
	require.Greater(t, names, 200)
}
