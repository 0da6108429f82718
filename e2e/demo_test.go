package e2e

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// demoReport is what `dev demo --json` prints.
type demoReport struct {
	Accepted  int                `json:"accepted"`
	Settled   int                `json:"settled"`
	Delivered int                `json:"delivered"`
	Lost      int                `json:"lost"`
	Twins     int                `json:"twins"`
	EndedBy   map[string]int     `json:"ended_by"`
	Missed    *int               `json:"missed_webhooks"`
	Longest   *float64           `json:"longest_detection_seconds"`
	Seed      int                `json:"seed"`
	Verdicts  map[string]int     `json:"verdicts"`
	Classes   map[string]int     `json:"missed_by_class"`
	Faults    map[string]float64 `json:"faults"`
}

func demonstrate(t *testing.T, args ...string) demoReport {
	t.Helper()
	path, err := devtemporal.Path(t.Context(), os.Stderr)
	require.NoError(t, err)
	s := command(t, "dev", map[string]string{devtemporal.PathVariable: path}, "", append([]string{"demo", "--egresses", "8", "--json"}, args...)...)
	require.Zero(t, s.status, s.err)
	var r demoReport
	require.NoError(t, json.Unmarshal([]byte(s.out), &r), "exactly one JSON object: %s", s.out)
	require.Equal(t, []int{8, 8, 8, 0}, []int{r.Accepted, r.Settled, r.Delivered, r.Twins})
	return r
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestTheDemoKeepsItsPromise(t *testing.T) {
	t.Parallel()
	r := demonstrate(t, "--webhook-loss", "1", "--seed", "3")

	require.Equal(t, []int{3, 0, 8}, []int{r.Seed, r.Lost, r.Verdicts["EGRESS_COMPLETE"]})
	require.Zero(t, r.EndedBy["webhook"])
	require.Equal(t, 8, r.EndedBy["poll"]+r.EndedBy["stop"])
	require.NotNil(t, r.Missed)
	require.NotNil(t, r.Longest)
	require.Equal(t, *r.Missed, sum(r.Classes))
	require.Equal(t, map[string]float64{"webhook-lost": 1, "room-webhook-lost": 1}, r.Faults)
}

func TestTheDemoKeepsItsPromiseWhateverIsInjected(t *testing.T) {
	t.Parallel()
	r := demonstrate(t, "--seed", "7", "--fault", "zombie=0.4", "--fault", "reply-lost=0.3", "--fault", "webhook-repeated=0.3")

	require.Positive(t, r.Lost, "seed 7 makes zombies")
	require.Equal(t, r.Lost, r.Verdicts["LOST"])
	require.Equal(t, 8, sum(r.Verdicts))
	require.Equal(t, map[string]float64{"zombie": 0.4, "reply-lost": 0.3, "webhook-repeated": 0.3}, r.Faults)
}
