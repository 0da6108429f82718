package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// in returns the mutants of a function's body, without the function's name.
func in(t *testing.T, body string) (all []string) {
	t.Helper()
	mutants, err := mutantsOf("rule.go", []byte("package rule\n\nfunc rule() {\n"+body+"\n}\n"))
	require.NoError(t, err)
	for _, m := range mutants {
		all = append(all, strings.TrimPrefix(m.String(), "`rule.go` `rule`: "))
	}
	return all
}

func TestEachPlaceIsChangedInTheWaysThatATestShouldNotice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"an equality":               {"_ = a == b", []string{"`_ = a == b` → removed", "`a == b` → `a != b`"}},
		"a bound":                   {"x := a < b", []string{"`a < b` → `a <= b`", "`a < b` → `a >= b`"}},
		"a sum":                     {"x := a + b", []string{"`a + b` → `a - b`"}},
		"both sides of and":         {"x := a && b", []string{"`a && b` → `a`", "`a && b` → `b`"}},
		"both sides of or":          {"x := a || b", []string{"`a || b` → `a`", "`a || b` → `b`"}},
		"a negation":                {"x := !a", []string{"`!a` → `a`"}},
		"a number, in its line":     {"x := f(3)", []string{"`x := f(3)` → `x := f(4)`"}},
		"a truth, in its line":      {"x := f(true)", []string{"`x := f(true)` → `x := f(false)`"}},
		"a condition":               {"if f() {\n}", []string{"`f()` → `!f()`"}},
		"a case without a tag":      {"switch {\ncase f():\n}", []string{"`f()` → `!f()`"}},
		"a case of several values":  {"switch x {\ncase a, b:\n}", []string{"`a` → removed", "`b` → removed"}},
		"a case of one value":       {"switch x {\ncase a:\n}", nil},
		"a call":                    {"f()", []string{"`f()` → removed"}},
		"an assignment of several":  {"a, b = c, d", []string{"`a, b = c, d` → removed", "`a, b = c, d` → `_, b = c, d`", "`a, b = c, d` → `a, _ = c, d`"}},
		"a return":                  {"return", []string{"`return` → removed"}},
		"the same twice":            {"f()\nf()", []string{"`f()` → removed", "`f()` → removed (2)"}},
		"what is listed in a value": {"x := T{A: a, B: b}", []string{"`A: a` → removed", "`B: b` → removed"}},
		"a declaration":             {"x := a", nil},
		"a text":                    {`x := "a"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, in(t, tc.body))
		})
	}
}

const (
	ruleSource = `package rule

import "time"

const limit = 3

func Over(n int, at time.Time) (over bool, why string) {
	if n > limit && !at.IsZero() {
		return true, "over"
	}
	if n < 0 {
		return true, "below"
	}
	return false, ""
}

func Reset(n *int) { *n = 0 }
`
	ruleTest = `package rule

import ("testing"; "time")

func TestOver(t *testing.T) {
	for n, want := range map[int]bool{0: false, 3: false, 4: true, -1: true} {
		if got, why := Over(n, time.Now()); got != want || got != (why != "") { t.Error(n) }
	}
	if got, _ := Over(4, time.Time{}); got { t.Error("no time") }
	n := 1
	if Reset(&n); n != 0 { t.Error(n) }
}
`
)

// module makes a package with one rule, whose test may have gaps.
func module(t *testing.T, test string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module rule\n\ngo 1.26\n", "rule.go": ruleSource, "rule_test.go": test} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}

func mutate(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), args, &out, &err)
	return status, out.String(), err.String()
}

func TestMutantsThatNoTestNoticesAreNamedUntilTheyAreExplained(t *testing.T) {
	t.Parallel()
	dir := module(t, strings.Replace(ruleTest, `if got, _ := Over(4, time.Time{}); got { t.Error("no time") }`, "", 1))
	status, stdout, stderr := mutate(t, dir)
	require.Equal(t, 1, status, stderr)
	const survivor = "`rule.go` `Over`: `n > limit && !at.IsZero()` → `n > limit`"
	require.Contains(t, stdout, "SURVIVED "+filepath.Join(dir, "rule.go")+":8: "+survivor+"\n")
	require.Contains(t, stdout, "1 survived, 1 of them not explained. ")

	explained := filepath.Join(t.TempDir(), "mutation.md")
	require.NoError(t, os.WriteFile(explained, []byte("- "+survivor+": nobody minds.\n"), 0o600))
	status, stdout, stderr = mutate(t, "-explained", explained, dir)
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "explained ")
	require.Contains(t, stdout, "1 survived, 0 of them not explained. ")
}

func TestMutantsInAndOutsideOfFunctionsAreKilledByATestThatNotices(t *testing.T) {
	t.Parallel()
	dir := module(t, ruleTest)
	status, stdout, stderr := mutate(t, dir)
	require.Zero(t, status, stdout)
	require.Contains(t, stderr, "killed "+filepath.Join(dir, "rule.go")+":5: `rule.go` `limit`: `const limit = 3` → `const limit = 4`\n")
	require.Contains(t, stderr, "`rule.go` `Reset`: `*n = 0` → removed\n")
	require.Contains(t, stdout, "0 survived")
	require.Contains(t, stdout, "1 more did not compile", "the last return")
	source, err := os.ReadFile(filepath.Join(dir, "rule.go"))
	require.NoError(t, err)
	require.Equal(t, ruleSource, string(source), "the source is as it was")
}

func TestWhatCannotBeWorkedOnIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"no package":                       {nil, "want one package's folder, got 0"},
		"a folder without Go":              {[]string{t.TempDir()}, "there is nothing to change"},
		"a pattern that is none":           {[]string{"-files", "(", "."}, "-files: "},
		"an explanation that is not there": {[]string{"-explained", "nowhere.md", "."}, "-explained: "},
		"tests that fail by themselves":    {[]string{module(t, "package rule\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) { t.Fatal(\"red\") }\n")}, "fail without any change"},
		"tests that do not compile":        {[]string{module(t, "package rule\n\nvar x = y\n")}, "it does not compile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := mutate(t, tc.args...)
			require.Equal(t, 2, status)
			require.Contains(t, stderr, tc.says)
			require.Empty(t, stdout)
		})
	}
}

func TestWhatIsExplainedCanStillBeChanged(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/mutation.md")
	require.NoError(t, err)
	ofEgress, ofWorkflows, found := strings.Cut(string(text), "\n## Elsewhere\n")
	require.True(t, found)
	for dir, explained := range map[string]string{"../../egress": ofEgress, "../../workflows": ofWorkflows} {
		mutants, err := options{dir: dir, files: regexp.MustCompile(`.`)}.mutants()
		require.NoError(t, err)
		for line := range strings.Lines(explained) {
			if strings.HasPrefix(line, "- ") {
				require.True(t, slices.ContainsFunc(mutants, func(m mutant) bool { return strings.HasPrefix(line, "- "+m.String()+": ") }), line)
			}
		}
	}
}
