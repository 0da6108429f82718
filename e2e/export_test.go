package e2e

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func TestVerdictsAreArchivedWholeAndReadBack(t *testing.T) {
	t.Parallel()
	const formula = `=HYPERLINK("http://evil.example")`
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Timings.MidRecording = 300 * time.Millisecond
		environ["REELKEEPER_HOLD_FOR"] = "off"
	})
	w.startWorker()
	ask := func(id, room string, again int) {
		_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: id, Request: composite(room), Recover: &again})
		require.NoError(t, err)
	}
	w.room(formula, fakelivekit.RoomScript{})
	w.room("dies", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
	w.room("parts", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	w.room("runs", fakelivekit.RoomScript{})
	ask("good", formula, 0)
	ask("lost", "dies", 0)
	ask("parts", "parts", 1)
	ask("runs", "runs", 0)
	require.NoError(t, w.fake.EndCall(formula))
	verdicts := map[string]egress.Verdict{}
	for _, id := range []string{"good", "lost", "parts"} {
		verdicts[id] = w.verdictOf(id)
	}
	require.Len(t, verdicts["parts"].Parts, 2)
	require.Equal(t, egress.Lost, verdicts["lost"].Status)
	var lines said
	w.want("all that are over are there", func() bool {
		lines = w.starter("", "export", "--since", "1h")
		return strings.Count(lines.out, "\n") == len(verdicts)
	})
	require.Zero(t, lines.status, lines.err)

	seen := map[string]bool{}
	for line := range strings.Lines(lines.out) {
		var v egress.Verdict
		require.NoError(t, json.Unmarshal([]byte(line), &v), line)
		want := verdicts[v.RequestID]
		seen[v.RequestID] = true
		require.Equal(t, want.Info.Proto().GetEgressId(), v.Info.Proto().GetEgressId())
		require.Equal(t, want.Info.Proto().GetFileResults(), v.Info.Proto().GetFileResults())
		require.Len(t, v.Parts, len(want.Parts))
		v.Info, want.Info, v.Parts, want.Parts = egress.Info{}, egress.Info{}, nil, nil
		require.Equal(t, want, v)
	}
	require.Len(t, seen, len(verdicts))

	path := filepath.Join(t.TempDir(), "verdicts.csv")
	written := w.starter("", "export", "--csv", "--out", path)
	require.Zero(t, written.status, written.err)
	require.Equal(t, "3 verdicts in "+path+"\n", written.err)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	table, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, len(verdicts)+1)
	for _, cells := range table[1:] {
		row := map[string]string{}
		for i, name := range table[0] {
			row[name] = cells[i]
		}
		want := verdicts[row["request_id"]]
		require.Equal(t, string(want.Status), row["status"])
		require.Equal(t, want.EgressID, row["egress_id"])
		require.Equal(t, want.Because, row["because"])
		require.Equal(t, strings.Join(want.Delivered, " "), row["delivered"])
		require.Len(t, strings.Fields(row["parts"]), len(want.Parts))
		switch row["request_id"] {
		case "good":
			require.Equal(t, "'"+formula, row["room"])
			require.Equal(t, "'"+want.Info.Proto().GetFileResults()[0].GetLocation(), row["locations"])
		case "parts":
			require.Equal(t, "parts", row["room"])
		}
	}
	where := w.starter("", "export", "--where", "EgressStatus = 'LOST'")
	require.Equal(t, 1, strings.Count(where.out, "\n"), where.err)
	require.Contains(t, where.out, `"request_id":"lost"`)
	wrong := w.starter("", "export", "--where", "Nonsense = 1")
	require.Equal(t, 2, wrong.status)
	require.True(t, strings.HasPrefix(wrong.err, "starter: --where: Temporal does not understand it: "), wrong.err)
	require.NoError(t, w.fake.EndCall("runs"))
}
