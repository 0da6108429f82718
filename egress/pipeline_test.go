package egress_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func pipelines() egress.Pipelines {
	return egress.Pipelines{Default: "standard", Named: map[string]egress.Pipeline{"standard": {Name: "standard"}, "archive": {Name: "archive"}}}
}

func TestAPipelineIsChosenByName(t *testing.T) {
	t.Parallel()
	noDefault := pipelines()
	noDefault.Default = ""
	for name, tc := range map[string]struct {
		of      egress.Pipelines
		asked   string
		want    string
		wantErr string
	}{
		"the default":             {pipelines(), "", "standard", ""},
		"another":                 {pipelines(), "archive", "archive", ""},
		"one that is not there":   {pipelines(), "gone", "standard", `pipeline: there is no "gone"; want one of archive, standard`},
		"no default":              {noDefault, "", "", ""},
		"another, and no default": {noDefault, "archive", "archive", ""},
		"of none":                 {egress.Pipelines{}, "", "", ""},
		"a name, of none":         {egress.Pipelines{}, "gone", "", `pipeline: this worker has no pipelines, so "gone" is unknown; set REELKEEPER_PIPELINE to their file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := tc.of.Choose(tc.asked)
			require.Equal(t, tc.want, p.Name)
			require.Equal(t, tc.wantErr, text(err))
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAStepsDefaults(t *testing.T) {
	t.Parallel()
	hour, second := egress.Duration(time.Hour), egress.Duration(time.Second)
	for name, tc := range map[string]struct{ step, want egress.Step }{
		"of nothing": {egress.Step{}, egress.Step{
			Timeout: hour / 6, For: 72 * hour, Backoff: egress.Backoff{First: second, Max: hour / 12},
		}},
		"of all that is said": {
			egress.Step{Timeout: hour, For: 2 * hour, Backoff: egress.Backoff{First: 2 * second, Max: 3 * second}},
			egress.Step{Timeout: hour, For: 2 * hour, Backoff: egress.Backoff{First: 2 * second, Max: 3 * second}},
		},
		"of a long first wait": {egress.Step{Backoff: egress.Backoff{First: hour}}, egress.Step{
			Timeout: hour / 6, For: 72 * hour, Backoff: egress.Backoff{First: hour, Max: hour},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.step.WithDefaults())
		})
	}
}

func TestAStepIsForItsEnds(t *testing.T) {
	t.Parallel()
	some := egress.Step{When: []egress.Status{"EGRESS_COMPLETE", egress.Lost}}
	for _, end := range egress.Ends() {
		require.True(t, egress.Step{}.RunsFor(end))
		require.Equal(t, end == "EGRESS_COMPLETE" || end == egress.Lost, some.RunsFor(end), end)
	}
	require.Len(t, egress.Ends(), 5)
	require.True(t, egress.Step{}.RunsFor("EGRESS_OF_TOMORROW"))
}

func TestTheNamesOfPipelinesAndSteps(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "standard-2.b_C": true, "9": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "-a": false, ".a": false, "a/b": false, "ä": false, "a\n": false,
	} {
		require.Equal(t, want, egress.ValidName(name), name)
	}
	for in, want := range map[string]string{
		`{"web":{"url":"https://x.example"},"pipeline":"archive"}`: "",
		`{"web":{"url":"https://x.example"},"pipeline":"a b"}`:     `pipeline: want 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit, got "a b"`,
	} {
		var input egress.Input
		require.NoError(t, input.UnmarshalJSON([]byte(in)))
		require.Equal(t, want, text(input.Validate("r")))
		again, err := input.MarshalJSON()
		require.NoError(t, err)
		require.JSONEq(t, in, string(again))
	}
	var input egress.Input
	require.ErrorContains(t, input.UnmarshalJSON([]byte(`{"pipeline":1}`)), "pipeline: ")
}
