package deploy_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// billed returns the billed actions of a recording with every webhook, as measured.
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
	policy := egress.DefaultPolicy()
	watched, ok := policy.Watched(egress.Duration(time.Minute), 2, 0.5)
	require.True(t, ok)
	for length, lasts := range map[string]time.Duration{"10 s": 10 * time.Second, "1 h": time.Hour, "4 h": 4 * time.Hour, "12 h": 12 * time.Hour} {
		alone := max(0, int(lasts/policy.LookActive.D())-1)
		with := min(alone, 1) + int(lasts.Round(watched)/watched)
		assert.Contains(t, page, fmt.Sprintf("\n| %s | %d, %d | %d, %d |\n", length, alone, base+alone, with, base+with))
	}
	assert.Equal(t, base+47, billed(t, "4 h"), "a look is an action")
}
