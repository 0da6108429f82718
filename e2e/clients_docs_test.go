package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// Each program of the how-to pages records the room standup, and only once, however often it asks.
// Those that retry get no answer at first.
func TestTheProgramsOfTheHowToPagesRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		page, language string
		n              int // number of the program on the page
		run            func(t *testing.T, url, program string) (printed string)
		way            func(t *testing.T, door string) (url string)
	}{
		{"node.md", "js", 0, runJS, straight},
		{"node.md", "js", 1, runJS, losingAnswers},
		{"go.md", "go", 0, runGo, losingAnswers},
		{"curl.md", "sh", 0, runShell, losingAnswers},
	} {
		t.Run(fmt.Sprintf("%s %d", tt.page, tt.n), func(t *testing.T) {
			t.Parallel()
			programs := programsOf(t, "agents/"+tt.page, tt.language)
			require.Greater(t, len(programs), tt.n)
			w := newWorld(t, nil)
			w.startWorker()
			w.room("standup", fakelivekit.RoomScript{})

			printed := tt.run(t, tt.way(t, w.door.URL), programs[tt.n])

			all := w.fake.Egresses()
			require.Len(t, all, 1, printed)
			require.Contains(t, printed, all[0].Info.EgressId)
			require.NotContains(t, printed, "/webhooks/livekit/", "our own webhook is not shown")
		})
	}
}

func straight(_ *testing.T, door string) string { return door }

// losingAnswers is a proxy before the door, which accepts each start: the first caller sees the
// connection close, and the second a 502.
func losingAnswers(t *testing.T, door string) string {
	t.Helper()
	u, err := url.Parse(door)
	require.NoError(t, err)
	var starts atomic.Int64
	p := httputil.NewSingleHostReverseProxy(u)
	p.ModifyResponse = func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/Start") && starts.Add(1) <= 2 {
			return errors.New("lost")
		}
		return nil
	}
	p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		if starts.Load() == 1 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusBadGateway)
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	t.Cleanup(func() { require.GreaterOrEqual(t, starts.Load(), int64(3), "starts") })
	return s.URL
}

// programsOf returns the code blocks of a page in a language.
func programsOf(t *testing.T, page, language string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", page))
	require.NoError(t, err)
	var programs []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(b), -1) {
		programs = append(programs, m[1])
	}
	return programs
}

func runJS(t *testing.T, url, program string) string {
	t.Helper()
	const before = `process.env.RECORDER_URL = process.env.LIVEKIT_URL;
globalThis.crypto ??= (await import('node:crypto')).webcrypto; // Node 18, as Debian 12 has it, does not make it global.
`
	return runNode(t, saved(t, "record.mjs", before+program), url)
}

func runGo(t *testing.T, url, program string) string {
	t.Helper()
	dir, err := filepath.Abs("..") // of the module, whose versions of LiveKit's packages it uses
	require.NoError(t, err)
	return runCommand(t, dir, url, "env", "RECORDER_URL="+url, "go", "run", saved(t, "main.go", program))
}

func runShell(t *testing.T, url, program string) string {
	t.Helper()
	needs.Tools(t, "sh", "curl", "openssl")
	return runCommand(t, t.TempDir(), url, "env", "RECORDER_URL="+url, "sh", saved(t, "record.sh", program))
}

func saved(t *testing.T, name, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	return file
}
