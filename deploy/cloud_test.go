package deploy_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// billed are the actions of a recording with every webhook, as they were measured.
func billed(t *testing.T, length string) int {
	t.Helper()
	row := regexp.MustCompile(`(?m)^\| ` + length + ` \| all \| \d+ \| [\d.]+ \| \d+ \| (\d+) \|`).FindStringSubmatch(read(t, "docs/performance.md"))
	require.NotNil(t, row, "docs/performance.md has no row for %s", length)
	n, err := strconv.Atoi(row[1])
	require.NoError(t, err)
	return n
}

func TestWhatARecordingCostsInTheCloudIsWhatWasMeasured(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/temporal-cloud.md")
	base := billed(t, "10 s")
	assert.Contains(t, page, fmt.Sprintf("\n    %d                          start,", base))
	for _, row := range []struct {
		length      string
		alone, with int // looks
	}{{"10 s", 0, 0}, {"1 h", 11, 2}, {"4 h", 47, 5}, {"12 h", 143, 13}} {
		assert.Contains(t, page, fmt.Sprintf("\n| %s | %d, %d | %d, %d |\n", row.length, row.alone, base+row.alone, row.with, base+row.with))
	}
	assert.Equal(t, base+47, billed(t, "4 h"), "a look is an action")
}
