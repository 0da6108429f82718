package deploy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	alertsFile    = "deploy/prometheus/alerts.yml"
	unitTestsFile = "deploy/prometheus/alerts_test.yml"
	runbookFile   = "docs/runbooks.md"
	metricsFile   = "docs/monitoring.md"
)

// rules is the part of alerts.yml that the tests read.
type rules struct {
	Groups []struct {
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// unitTests is the part of alerts_test.yml that the tests read.
type unitTests struct {
	Tests []struct {
		Alerts []struct {
			Alert string `yaml:"alertname"`
			Fires []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

// allRules returns the rules of all groups.
func allRules(t *testing.T) []rule {
	t.Helper()
	var f rules
	require.NoError(t, yaml.Unmarshal([]byte(read(t, alertsFile)), &f))
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// alerts returns those of them that are alerts.
func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(allRules(t), func(r rule) bool { return r.Alert == "" })
}

// counted returns our metrics that the code makes: every instrument is made under a literal name.
func counted(t *testing.T) []string {
	t.Helper()
	name := regexp.MustCompile(`^reelkeeper_[a-z_]+$`)
	names := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && name.MatchString(s) {
					names[s] = true
				}
			}
			return true
		})
		return nil
	}))
	require.NotEmpty(t, names)
	return slices.Sorted(maps.Keys(names))
}

// used returns our metrics in an expression, without the suffixes of a histogram's series.
func used(expr string) []string {
	var names []string
	for _, n := range regexp.MustCompile(`\breelkeeper_[a-z_]+`).FindAllString(expr, -1) {
		for _, end := range []string{"_bucket", "_count", "_sum"} {
			n = strings.TrimSuffix(n, end)
		}
		names = append(names, n)
	}
	return names
}

// process returns the metrics of processes in an expression, Prometheus's own included.
func process(expr string) []string {
	return regexp.MustCompile(`\bprocess_[a-z_]+|\bup\b`).FindAllString(expr, -1)
}

// recorded returns the rules' own metrics in an expression.
func recorded(expr string) []string {
	return regexp.MustCompile(`\breelkeeper:[a-z0-9_:]+`).FindAllString(expr, -1)
}

// expressions returns all Prometheus expressions, by location.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range allRules(t) {
		all[r.Alert+r.Record] = r.Expr
	}
	for title, expr := range panelExpressions(t) {
		all["dashboard: "+title] = expr
	}
	return all
}

func TestWhatAlertsAndDashboardAskForIsCounted(t *testing.T) {
	t.Parallel()
	ours := counted(t)
	var records []string
	for _, r := range allRules(t) {
		records = append(records, r.Record)
	}
	for where, expr := range expressions(t) {
		known := slices.Concat(used(expr), recorded(expr), temporal(expr), process(expr))
		assert.NotEmpty(t, known, "%s asks for nothing of ours, Temporal's or a process's", where)
		for _, name := range used(expr) {
			assert.Contains(t, ours, name, where)
		}
		for _, name := range recorded(expr) {
			assert.Contains(t, records, name, where)
		}
	}
}

func TestEveryMetricOfOursIsInTheDocsAndOnTheDashboard(t *testing.T) {
	t.Parallel()
	docs := read(t, metricsFile)
	var shown []string
	for _, expr := range panelExpressions(t) {
		shown = append(shown, used(expr)...)
	}
	for _, name := range counted(t) {
		if !strings.Contains(docs, "`"+name+"`") { // keeps the whole text out of the failure
			t.Errorf("%s does not explain %s", metricsFile, name)
		}
	}
	for _, name := range counted(t) {
		assert.Contains(t, shown, name, dashboardFile)
	}
}

func TestEveryAlertSaysHowUrgentItIsAndWhatToDo(t *testing.T) {
	t.Parallel()
	docs := read(t, runbookFile)
	home, _, _ := strings.Cut(strings.TrimPrefix(read(t, "go.mod"), "module "), "\n")
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		assert.Contains(t, []string{"page", "ticket"}, a.Labels["severity"], a.Alert)
		assert.NotEmpty(t, a.Annotations["summary"], a.Alert)
		assert.Equal(t, "https://"+home+"/blob/main/"+runbookFile+"#"+strings.ToLower(a.Alert), a.Annotations["runbook_url"], "%s: as templates of Alertmanager's take it", a.Alert)
	}
	var explained []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (Reelkeeper[A-Z]\w+)$`).FindAllStringSubmatch(docs, -1) {
		explained = append(explained, m[1])
	}
	assert.ElementsMatch(t, names, explained, "the headings in %s", runbookFile)
}

// `starter report` names only recordings whose webhook was missed.
func TestTheCommandOfAnAlertNamesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	docs, commands := read(t, runbookFile), 0
	for _, a := range alerts(t) {
		_, section, _ := strings.Cut(docs, "\n### "+a.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		for _, m := range regexp.MustCompile("run `(starter [^`]+)`").FindAllStringSubmatch(a.Annotations["summary"], -1) {
			commands++
			assert.Regexp(t, `^starter (list|doctor)\b`, m[1], a.Alert)
			assert.Contains(t, section, "`"+m[1], a.Alert)
		}
	}
	require.NotZero(t, commands)
}

func TestEveryAlertIsShownToFireAndNotTo(t *testing.T) {
	t.Parallel()
	var f unitTests
	require.NoError(t, yaml.Unmarshal([]byte(read(t, unitTestsFile)), &f))
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range f.Tests {
		for _, a := range test.Alerts {
			fires[a.Alert] = fires[a.Alert] || len(a.Fires) > 0
			silent[a.Alert] = silent[a.Alert] || len(a.Fires) == 0
		}
	}
	for _, a := range alerts(t) {
		assert.True(t, fires[a.Alert], "%s: no test in which it fires", a.Alert)
		assert.True(t, silent[a.Alert], "%s: no test in which it does not", a.Alert)
	}
}

// The day without webhooks counts in it for as long as it looks back.
func TestThePageSilencesNeverTriedForAsLongAsItLooksBack(t *testing.T) {
	t.Parallel()
	const alert = "ReelkeeperWebhooksNeverTried"
	silent := regexp.MustCompile("`" + alert + "` until (\\w+ \\w+) after").FindStringSubmatch(read(t, "docs/moving-from-cron.md"))
	require.NotNil(t, silent)
	hours := map[string]int{"m": 0, "h": 1, "d": 24}
	longest := 0
	for _, a := range alerts(t) {
		for _, m := range regexp.MustCompile(`\[(\d+)([mhd])\b`).FindAllStringSubmatch(a.Expr, -1) {
			if n, err := strconv.Atoi(m[1]); a.Alert == alert && assert.NoError(t, err) {
				longest = max(longest, n*hours[m[2]])
			}
		}
	}
	assert.Equal(t, longest, map[string]int{"six hours": 6, "three days": 72}[silent[1]])
}
