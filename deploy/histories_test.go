package deploy_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	section = regexp.MustCompile(`(?m)^## (.+)$`)
	version = regexp.MustCompile(`^v\d+\.\d+\.\d+[^ ,]*`)
	// workingTree matches the folder of histories that no release wrote: a working tree did, on the way
	// to the next one.
	workingTree = regexp.MustCompile(`^v\d+\.\d+$`)
)

func TestTheHistoriesOfEveryReleaseAreKept(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../workflows/testdata/histories/*/*.json")
	require.NoError(t, err)
	var recorded []string
	for _, file := range files {
		recorded = append(recorded, filepath.Base(filepath.Dir(file)))
	}
	assert.Empty(t, missing(read(t, "CHANGELOG.md"), slices.Compact(recorded)), "docs/releasing.md has how they are recorded")
}

// missing compares the versions of a changelog with the folders of histories. The newest section may still be without:
// they are recorded once its release is built.
func missing(changelog string, recorded []string) (faults []string) {
	var versions, over []string // over: a working tree's histories are no longer needed
	for n, m := range section.FindAllStringSubmatch(changelog, -1) {
		v := version.FindString(m[1])
		switch {
		case v == "" && (n > 0 || m[1] != "Unreleased"):
			faults = append(faults, m[1]+" is no version")
		case n > 0 && !slices.Contains(recorded, v):
			faults = append(faults, v+" has no histories")
			over = append(over, v)
		case slices.Contains(recorded, v):
			over = append(over, v)
		}
		versions = append(versions, v)
	}
	for _, folder := range recorded {
		next := workingTree.MatchString(folder) && !slices.ContainsFunc(over, func(v string) bool { return !older(v, folder) })
		if !next && !slices.Contains(versions, folder) {
			faults = append(faults, folder+" is of no release")
		}
	}
	return faults
}

// older reports whether a version is older than another one. v0.2 is older than v0.2.0.
func older(v, than string) bool {
	numbers := func(v string) (list []int) {
		release, _, _ := strings.Cut(strings.TrimPrefix(v, "v"), "-")
		for part := range strings.SplitSeq(release, ".") {
			n, _ := strconv.Atoi(part)
			list = append(list, n)
		}
		return list
	}
	return slices.Compare(numbers(v), numbers(than)) < 0
}

func TestAReleaseWithoutHistoriesIsFound(t *testing.T) {
	t.Parallel()
	const begun, first, second = "## Unreleased\n\n", "## v0.1.0, 2027-01-31\n\nThe first.\n", "## v0.2.0, 2027-02-28\n\n- More.\n\n"
	for name, tc := range map[string]struct {
		changelog string
		recorded  []string
		want      []string
	}{
		"no release yet":                    {begun, []string{"v0.1"}, nil},
		"the first, not yet recorded":       {first, []string{"v0.1"}, nil},
		"the first":                         {first, []string{"v0.1.0"}, nil},
		"work goes on after it":             {begun + first, []string{"v0.1.0"}, nil},
		"the second, not yet recorded":      {second + first, []string{"v0.1.0"}, nil},
		"the second":                        {second + first, []string{"v0.1.0", "v0.2.0"}, nil},
		"working trees' in the first's way": {first, []string{"v0.1", "v0.1.0"}, []string{"v0.1 is of no release"}},
		"working trees' instead":            {begun + first, []string{"v0.1"}, []string{"v0.1.0 has no histories", "v0.1 is of no release"}},
		"none of the first":                 {second + first, []string{"v0.2.0"}, []string{"v0.1.0 has no histories"}},
		"none of the second":                {begun + second + first, []string{"v0.1.0"}, []string{"v0.2.0 has no histories"}},
		"none at all":                       {begun + first, nil, []string{"v0.1.0 has no histories"}},
		"of what was never released":        {first, []string{"v0.1.0", "v0.3.0"}, []string{"v0.3.0 is of no release"}},
		"of a working tree, for the next":   {begun + first, []string{"v0.1.0", "v0.2"}, nil},
		"until that is recorded":            {second + first, []string{"v0.1.0", "v0.2"}, nil},
		"and no longer":                     {begun + second + first, []string{"v0.1.0", "v0.2", "v0.2.0"}, []string{"v0.2 is of no release"}},
		"of a working tree, for an old one": {begun + second + first, []string{"v0.1", "v0.1.0", "v0.2.0"}, []string{"v0.1 is of no release"}},
		"a heading that is no version":      {begun + "## 0.1.0\n", []string{"v0.1"}, []string{"0.1.0 is no version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, missing(tc.changelog, tc.recorded))
		})
	}
}
