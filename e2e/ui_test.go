package e2e

import (
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/needs"
	"github.com/reelkeeper/reelkeeper/recordings"
)

var pictures = flag.String("pictures", "", "folder into which TestAPersonFindsAStuckEgressInTheUI writes what the browser shows")

// An operator takes the query from the docs, finds the stuck egress in Temporal's UI, and reads
// there what is wrong and what to do.
func TestAPersonFindsAStuckEgressInTheUI(t *testing.T) {
	t.Parallel()
	needs.Tools(t, "chromium")
	ui, w := newWorldWithUI(t)
	w.startWorker()
	w.consumer.answerWith(func(e *livekit.WebhookEvent) int {
		if e.GetEgressInfo().GetRoomName() == "all-hands" {
			return http.StatusOK
		}
		return http.StatusNotFound
	})
	for _, room := range []string{"standup", "retro", "all-hands"} {
		w.room(room, fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
		_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: room + "-1", Request: composite(room)})
		require.NoError(t, err)
	}
	for _, room := range []string{"standup", "retro"} {
		require.NoError(t, w.fake.EndCall(room))
	}
	w.want("both are marked", func() bool { return w.count(recordings.Filter{Stuck: true}) == 2 })

	b := newBrowser(t)
	b.do("open the list", chromedp.Navigate(ui+"/namespaces/default/workflows?query="+url.QueryEscape(documented(t, "what needs a person?"))))
	b.await("both are listed", `() => ['standup-1', 'retro-1'].every(id => document.querySelector('a[href*="' + id + '"]'))`)
	b.await("what is well is not", `() => !document.querySelector('a[href*="all-hands-1"]')`)
	b.picture(*pictures, "ui-stuck.png")

	b.open("one", `a[href*="standup-1"]`, `a[href$="/user-metadata"]`)
	b.open("what is said of it", `a[href$="/user-metadata"]`, `#user-metadata-current-details`)
	const frame = `document.querySelector('#user-metadata-current-details')?.contentDocument?.body`
	b.await("its details are there", `() => `+frame+`?.innerText.includes('needs a person')`)
	var text, rows string
	b.do("read", chromedp.Evaluate(frame+`.innerText`, &text), chromedp.Evaluate(`[...`+frame+`.querySelectorAll('td')].map(d => d.innerText).join('|')`, &rows))
	for _, want := range []string{
		"step announce failed for good", "404", "Waits for you to retry or skip announce",
		"starter retry standup-1 announce", "starter skip standup-1 announce", "starter show standup-1",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "**", "it is shown as Markdown")
	require.Contains(t, rows, "|ended as EGRESS_COMPLETE|poll|", "with a table of the news")
	b.do("scroll to its end", chromedp.Evaluate(`document.querySelector('#user-metadata-current-details').scrollIntoView({block: 'end'})`, nil))
	b.picture(*pictures, "ui-details.png")

	// The starter says the same.
	w.says("show standup-1", "ended as EGRESS_COMPLETE, from poll", "starter retry standup-1 announce")
}

// Temporal accepts each of them; the commands' own tests check what they find.
func TestTheQueriesInTheDocsAreOnesThatTemporalTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.temporal()
	queries := documentedQueries(t)
	require.NotEmpty(t, queries)
	takes := func(query string) error {
		_, err := c.ListWorkflow(w.ctx(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		return err
	}
	w.want("the search attributes of the new namespace", func() bool { return takes(egress.AttributeStatus+" IS NULL") == nil })
	for question, query := range queries {
		require.NoError(t, takes(query), question)
	}
}

// newWorldWithUI makes a world on its own Temporal, whose UI is at the URL.
func newWorldWithUI(t *testing.T) (string, *world) {
	t.Helper()
	s, err := devtemporal.Start(within(t), devtemporal.Options{SearchAttributes: egress.Attributes(), Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(s.Kill) // it holds nothing worth an orderly end
	return s.UIURL, newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["TEMPORAL_ADDRESS"], environ["TEMPORAL_NAMESPACE"] = s.Address, "default"
		environ["REELKEEPER_ANNOUNCE_FOR"] = (5 * time.Second).String()
	})
}

func (w *world) count(f recordings.Filter) (n int) {
	for _, err := range w.client.List(w.ctx(), f) {
		if err != nil {
			return -1
		}
		n++
	}
	return n
}

var documentedQuery = regexp.MustCompile("(?m)^\\| ([^|]+) \\| `([^`]+)` \\|")

// documented returns the query in docs/operations.md for a question.
func documented(t *testing.T, question string) string {
	t.Helper()
	query, found := documentedQueries(t)[question]
	require.True(t, found, "docs/operations.md has no query for %q", question)
	return query
}

func documentedQueries(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	require.NoError(t, err)
	_, looking, _ := strings.Cut(string(b), "\n## Looking\n")
	looking, _, _ = strings.Cut(looking, "\n## ")
	queries := map[string]string{}
	for _, m := range documentedQuery.FindAllStringSubmatch(looking, -1) {
		queries[m[1]] = m[2]
	}
	return queries
}
