package e2e

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// The list that an operator in a support thread compiled by hand: date, room ID, egress ID.
func TestTheReportListsTheMissedAndWhoAskedForThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		leisurely(fake, environ)
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "off" // what goes past Temporal has another request ID
	})
	w.startWorker()
	lost := fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}}
	w.room("typed", lost)
	w.room("asked", lost)
	w.room("told", fakelivekit.RoomScript{})

	ids := map[string]string{}
	for _, room := range []string{"asked", "told"} {
		info, err := w.agent().StartRoomCompositeEgress(w.ctx(), composite(room).(*livekit.RoomCompositeEgressRequest))
		require.NoError(t, err)
		ids[info.GetEgressId()] = room
	}
	started := w.starter("", "start", "room-composite", "--room", "typed", "--file", "x.mp4", "--id", "typed")
	require.Zero(t, started.status, started.err)
	for id, room := range ids {
		require.NoError(t, w.fake.EndCall(room))
		w.starter("", "wait", id)
	}
	require.NoError(t, w.fake.EndCall("typed"))
	require.Zero(t, w.starter("", "wait", "typed").status)

	w.want("all are settled", func() bool { return w.running() == 0 })
	report := w.starter("", "report", "--csv")
	require.Equal(t, 3, report.status)
	require.Equal(t, "starter: 2 missed, 0 lost, 0 stuck, 0 broken off, 0 without their media\n", report.err)
	lines, err := csv.NewReader(strings.NewReader(report.out)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"date", "room_id", "room", "egress_id", "class", "late_seconds", "status", "request_id", "api_key", "identity"}, lines[0])
	for _, line := range lines[1:] {
		ended, err := time.Parse(time.RFC3339, line[0])
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), ended, 2*time.Minute)
		require.True(t, strings.HasPrefix(line[1], "RM_"), line)
		require.Contains(t, []string{"typed", "asked"}, line[2])
		require.True(t, strings.HasPrefix(line[3], egress.EgressIDPrefix), line)
		require.Contains(t, egress.Misses(), egress.Missed(line[4]))
		require.Equal(t, apiKey, line[8])
		require.Equal(t, line[2] == "typed", line[7] == "typed")
		require.Equal(t, line[2] == "typed", line[9] != "", "the user at the command line; an SDK's own token names nobody")
	}
	require.Equal(t, 2, w.starter("", "list", "--lost", "--status", "EGRESS_ACTIVE").status)
	require.Equal(t, "no recordings\n", w.starter("", "list", "--lost").out)
}

// The canary of the webhooks' way, with everything that ships, until Ctrl-C.
func TestTheDoctorWatchesUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.answered("the doctor finds all well", func() error {
		once := w.starter("", "doctor", "--only", "webhook", "--only", "livekit", "--only", "clock")
		if once.status != 0 {
			return fmt.Errorf("status %d: %s%s", once.status, once.out, once.err)
		}
		return nil
	})

	cmd := exec.CommandContext(t.Context(), binary(t, "starter"), "doctor", "--watch", "--every", "1s")
	for name, value := range w.environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Regexp(t, `Z (ok|warn) `+w.door.URL+`/webhooks/livekit\S* answered 200`, lines.Text()) // a slow answer warns
	w.door.Close()
	require.True(t, lines.Scan())
	for strings.Contains(lines.Text(), " answered 200 ") {
		require.True(t, lines.Scan())
	}
	require.Regexp(t, `Z (ok|warn) -> fail `+w.door.URL+`/webhooks/livekit\S* cannot be reached: (the connection is refused|.*(EOF|connection reset|server closed))`,
		lines.Text()) // the probe in progress is cut, which is not a change
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.False(t, lines.Scan())
	require.NoError(t, cmd.Wait(), "to be told to stop is no failure")
}
