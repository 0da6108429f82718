package webhook_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// recorded is one webhook of a real LiveKit; testdata/README.md says more.
type recorded struct {
	Name          string `json:"name"`
	Authorization string `json:"authorization"`
	Body          string `json:"body"`
}

func recordings(tb testing.TB) []recorded {
	tb.Helper()
	f, err := os.Open("testdata/recorded.jsonl.gz")
	require.NoError(tb, err)
	defer func() { require.NoError(tb, f.Close()) }()
	z, err := gzip.NewReader(f)
	require.NoError(tb, err)
	var all []recorded
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var r recorded
		require.NoError(tb, json.Unmarshal(lines.Bytes(), &r))
		all = append(all, r)
	}
	require.Len(tb, all, 654)
	return all
}

// everything has a workflow.
type everything struct{ webhook.Recordings }

func (everything) ByEgressID(_ context.Context, id string) (string, bool, error) {
	return egress.WorkflowID("of-" + id), true, nil
}

func (everything) ByRoom(_ context.Context, room string) ([]string, error) {
	return []string{egress.WorkflowID("of-" + room)}, nil
}

// newRecordedBench makes a bench with LiveKit's recorded keys, and a workflow for everything.
func newRecordedBench(tb testing.TB, change ...func(*webhook.Config)) *bench {
	tb.Helper()
	return newBench(tb, append(change, func(c *webhook.Config) {
		c.Recordings = everything{c.Recordings}
		c.Keys = auth.NewFileBasedKeyProviderFromMap(map[string]string{
			"APIh2key": "h2secret_h2secret_h2secret_h2secret_32", "APIh2key2": "h2other_h2other_h2other_h2other_h2oth",
		})
	})...)
}

func (b *bench) replay(r recorded) int {
	req := httptest.NewRequest(http.MethodPost, egress.WebhookPath, strings.NewReader(r.Body))
	req.Header.Set("Authorization", r.Authorization)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, req)
	return w.Code
}

// LiveKit's JWT code takes no clock. In a synctest bubble we control the clock of the whole
// program: it is set to the moment at which each webhook was signed, so that the recorded bytes and
// signature pass through LiveKit's own verifier unchanged; and then to 70 s after the expiry, when
// the same webhook is refused.
func TestEveryRecordedWebhookIsTakenUnderItsOwnClock(t *testing.T) {
	t.Parallel()
	b := newRecordedBench(t)
	for _, r := range recordings(t) {
		synctest.Test(t, func(t *testing.T) {
			claims := &jwt.RegisteredClaims{}
			_, _, err := jwt.NewParser().ParseUnverified(r.Authorization, claims)
			require.NoError(t, err)

			time.Sleep(time.Until(claims.NotBefore.Time)) //nolint:forbidigo // takes no time in a bubble
			require.Equal(t, 200, b.replay(r), r.Name)

			time.Sleep(time.Until(claims.ExpiresAt.Add(70 * time.Second))) //nolint:forbidigo // takes no time in a bubble
			require.Equal(t, 503, b.replay(r), r.Name)
		})
	}
	want := newRecordedBench(t).counts(t)
	want[webhook.LookedUp] = 257  // egress events
	want[webhook.NoEgressID] = 4  // of automatic egresses that never started
	want[webhook.Hinted] = 59 + 9 // recorders that left, rooms that finished
	want[webhook.Ignored] = 654 - 257 - 4 - 59 - 9
	want[webhook.Expired] = 654
	require.Equal(t, want, b.counts(t))
}

func TestNothingRecordedLosesAFieldOrShowsACredential(t *testing.T) {
	t.Parallel()
	b := newRecordedBench(t)
	for _, r := range recordings(t) {
		r.Authorization = sign(t, "APIh2key", "h2secret_h2secret_h2secret_h2secret_32", r.Body)
		require.Equal(t, 200, b.replay(r), r.Name)
		for _, s := range b.temporal.taken() {
			require.NotRegexp(t, credential, string(s.event.Raw()), r.Name)
			if s.name == egress.SignalHint {
				require.Subset(t, leaves(t, []byte(r.Body)), leaves(t, s.event.Raw()), r.Name)
				continue
			}
			require.ElementsMatch(t, leaves(t, []byte(r.Body)), leaves(t, s.event.Raw()), r.Name)
		}
		b.temporal.forget()
	}
	require.NotRegexp(t, credential, b.log.String())
}

// credential matches the credentials in the recordings: the S3 keys of an automatic egress that
// never started, the token in a webhook's URL, a room's password.
var credential = regexp.MustCompile(`PLAINTEXT|s3cr3t|"turnPassword":"[^{]`)

// leaves returns the paths of all values of a JSON document.
func leaves(t *testing.T, b []byte) []string {
	t.Helper()
	var paths []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				walk(path+"."+name, value)
			}
		case []any:
			for _, value := range v {
				walk(path+"[]", value)
			}
		default:
			paths = append(paths, path)
		}
	}
	var tree any
	require.NoError(t, json.Unmarshal(b, &tree))
	walk("", tree)
	return paths
}
