package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// Each program of the how-to pages records the room standup, and only once, however
// often it asks.
func TestTheProgramsOfTheHowToPagesRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		page, language string
		n              int // which program of the page
		run            func(t *testing.T, url, program string) (printed string)
	}{
		{"node.md", "js", 0, runJS},
		{"node.md", "js", 1, runJS},
		{"go.md", "go", 0, runGo},
		{"curl.md", "sh", 0, runShell},
	} {
		t.Run(fmt.Sprintf("%s %d", tt.page, tt.n), func(t *testing.T) {
			t.Parallel()
			programs := programsOf(t, tt.page, tt.language)
			require.Greater(t, len(programs), tt.n)
			w := newWorld(t, nil)
			w.startWorker()
			w.room("standup", fakelivekit.RoomScript{})

			printed := tt.run(t, w.door.URL, programs[tt.n])

			all := w.fake.Egresses()
			require.Len(t, all, 1, printed)
			require.Contains(t, printed, all[0].Info.EgressId)
			require.NotContains(t, printed, "/webhooks/livekit/", "our own webhook is not shown")
		})
	}
}

// programsOf are the code blocks of a page in a language.
func programsOf(t *testing.T, page, language string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "agents", page))
	require.NoError(t, err)
	var programs []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(b), -1) {
		programs = append(programs, m[1])
	}
	return programs
}

func runJS(t *testing.T, url, program string) string {
	t.Helper()
	return runNode(t, saved(t, "record.mjs", program), url)
}

func runGo(t *testing.T, url, program string) string {
	t.Helper()
	dir, err := filepath.Abs("..") // of the module, whose versions of LiveKit's packages it gets
	require.NoError(t, err)
	return runCommand(t, dir, url, "go", "run", saved(t, "main.go", program))
}

func runShell(t *testing.T, url, program string) string {
	t.Helper()
	needs.Tools(t, "sh", "curl", "openssl")
	return runCommand(t, t.TempDir(), url, "sh", saved(t, "record.sh", program))
}

func saved(t *testing.T, name, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	return file
}

func TestTheLinksOfTheHowToPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join("..", "docs", "agents", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range pages {
		b, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`).FindAllStringSubmatch(string(b), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			text, err := os.ReadFile(target)
			require.NoError(t, err, "%s: %s", page, m[0])
			require.True(t, m[2] == "" || slices.Contains(anchors(string(text)), m[2]), "%s: %s", page, m[0])
		}
	}
}

// anchors are those that GitHub gives to headings of plain words.
func anchors(page string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		list = append(list, "#"+strings.ReplaceAll(strings.ToLower(m[1]), " ", "-"))
	}
	return list
}
