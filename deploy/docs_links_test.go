package deploy_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]*)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	// unspoken matches what GitHub leaves out of a heading's anchor.
	unspoken = regexp.MustCompile(`[^\p{L}\p{M}\p{N}\p{Pc}\- ]`)
)

func TestEveryLinkOfAPageLeadsSomewhere(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range files(t, ".md") {
		text := code.ReplaceAllString(fenced.ReplaceAllString(read(t, page), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, err := url.Parse(m[1])
			require.NoError(t, err, page)
			if target.IsAbs() {
				continue
			}
			links++
			file := page
			if target.Path != "" {
				file = path.Join(path.Dir(page), target.Path)
			}
			_, err = os.Stat(filepath.Join("..", file))
			if assert.NoError(t, err, "%s: %s", page, m[1]) && target.Fragment != "" {
				assert.Contains(t, anchors(read(t, file)), target.Fragment, "%s: %s", page, m[1])
			}
		}
	}
	require.Greater(t, links, 200)
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"is-it-well-starter-doctor", "livekits-webhooks", "a-b_c--d", "again", "again-1", "über-uns"},
		anchors("## Is it well? `starter doctor`\n```\n# no heading\n```\n### LiveKit's [webhooks](x.md#y)\n"+
			"# A b_c – d\n# Again\n# Again\n# Über *uns*\n"))
}

// anchors returns GitHub's anchors for a page's headings: a repeated heading gets a number.
func anchors(page string) []string {
	var all []string
	times := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		words := strings.ToLower(strings.TrimSpace(linked.ReplaceAllString(m[1], "$1")))
		anchor := strings.ReplaceAll(unspoken.ReplaceAllString(words, ""), " ", "-")
		if n := times[anchor]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			all = append(all, anchor)
		}
		times[anchor]++
	}
	return all
}

// files returns all files of the repository whose names end in end, except those of packages.
func files(t *testing.T, end string) []string {
	t.Helper()
	var all []string
	require.NoError(t, fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if d.IsDir() && (d.Name() == "node_modules" || name != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, end) {
			all = append(all, name)
		}
		return err
	}))
	return all
}
