package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// LiveKit ends the recording of a room that goes on, as at a limit, or after a server was killed
// and restarted.
func TestARoomThatGoesOnAfterItsExpectedRecordingIsRecordedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		fake.Timings.MidRecording = 300 * time.Millisecond
		environ["REELKEEPER_EXPECT"], environ["REELKEEPER_EXPECT_AFTER"] = "standup-*", "1s"
		environ["REELKEEPER_EXPECT_START"] = "{room_name}.mp4"
	})
	w.startWorker()
	w.room("standup-7", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.LimitReached}})
	var paths []string
	w.want("a second recording has ended too early as well", func() bool {
		w.round(false)
		paths = nil
		for _, e := range w.fake.Egresses() {
			for _, f := range e.Info.GetRoomComposite().GetFileOutputs() {
				paths = append(paths, f.GetFilepath())
			}
		}
		return len(paths) >= 2
	})
	require.ElementsMatch(t, []string{"{room_name}.mp4", "{room_name}-again2.mp4"}, paths[:2])
	require.NoError(t, w.fake.EndCall("standup-7"))
}
