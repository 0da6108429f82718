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
	dollars := func(actions int) string { return fmt.Sprintf("$%.2f", 1_000*float64(actions)*50/1_000_000) }
	for length, lasts := range map[string]time.Duration{"10 s": 10 * time.Second, "1 h": time.Hour, "4 h": 4 * time.Hour, "12 h": 12 * time.Hour} {
		alone := max(0, int(lasts/policy.LookActive.D())-1)
		with := min(alone, 1) + int(lasts.Round(watched)/watched)
		assert.Contains(t, page, fmt.Sprintf("\n| %s | %d, %d | %d, %d | %s, %s |\n", length, alone, base+alone, with, base+with, dollars(base+alone), dollars(base+with)))
	}
	assert.Equal(t, base+47, billed(t, "4 h"), "a look is an action")
}

// Temporal bills two actions for an act of a schedule, and the start of its workflow.
func TestWhatTheSchedulesCostInTheCloudIsWhatTheirRoundsTake(t *testing.T) {
	t.Parallel()
	const (
		act        = 3
		month      = 60 * 730
		rounds     = (act + 2) * month // its activity and a heartbeat
		canary     = (act + 1) * month
		report     = month
		recordings = 10_000
	)
	page := read(t, "docs/temporal-cloud.md")
	assert.Contains(t, page, fmt.Sprintf("rounds  = %d actions x 60 rounds an hour x 730 hours  = %s a month", act+2, thousands(rounds)))
	assert.Contains(t, page, fmt.Sprintf("canary  = %d actions x 60 probes an hour x 730 hours  = %s a month", act+1, thousands(canary)))
	assert.Contains(t, page, fmt.Sprintf("reports = 60 an hour x 730 hours                     =  %s a month", thousands(report)))
	assert.Contains(t, read(t, "README.md"), fmt.Sprintf("each month, %s for the schedules and at least %s for each starter", thousands(rounds+canary), thousands(report)))
	hour := billed(t, "10 s") + 1
	assert.Contains(t, page, fmt.Sprintf("(10,000 x %d + %s + %s + 2 x %s) / 1,000,000 = %.2f million", hour, thousands(rounds), thousands(canary), thousands(report),
		float64(recordings*hour+rounds+canary+2*report)/1_000_000))
}

// thousands writes a number under a million with its comma.
func thousands(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
