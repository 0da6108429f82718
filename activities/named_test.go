package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// As recorded in tc-kill-handler: LiveKit's egress service reports the end of a killed recorder
// with the names of the start, a second before those in use.
func TestSegmentsOfAKilledRecorderAreFoundUnderTheNamesThatItGaveThem(t *testing.T) {
	t.Parallel()
	request := &livekit.RoomCompositeEgressRequest{
		RoomName:       "room",
		SegmentOutputs: []*livekit.SegmentedFileOutput{{PlaylistName: "s/{time}.m3u8", LivePlaylistName: "s/live-{time}.m3u8"}},
	}
	var state egress.State
	for _, heard := range []struct {
		status livekit.EgressStatus
		time   string
	}{
		{livekit.EgressStatus_EGRESS_STARTING, "2026-11-23T153643"},
		{livekit.EgressStatus_EGRESS_ACTIVE, "2026-11-23T153644"},
		{livekit.EgressStatus_EGRESS_FAILED, "2026-11-23T153643"},
	} {
		info, err := egress.NewInfo(&livekit.EgressInfo{
			EgressId: "EG_1", Status: heard.status, Request: &livekit.EgressInfo_RoomComposite{RoomComposite: request},
			SegmentResults: []*livekit.SegmentsInfo{{PlaylistName: "s/" + heard.time + ".m3u8", LivePlaylistName: "s/live-" + heard.time + ".m3u8"}},
		})
		require.NoError(t, err)
		require.Equal(t, egress.Moved, state.Observe(egress.Observation{Info: info, HeardAt: time.Unix(200, 0)}))
	}
	const base = "s/2026-11-23T153644"
	store := &objects{at: map[string][]byte{
		base + "_00000.ts": []byte("ab"), base + "_00001.ts": []byte("cd"),
		"s/live-2026-11-23T153644.m3u8": []byte("#EXTINF:3,\n2026-11-23T153644_00000.ts\n#EXTINF:3,\n2026-11-23T153644_00001.ts\n"),
	}}
	in := verifying(t, state.Status, 0)
	in.Input, in.Info = egress.Input{Plain: request}, state.MediaInfo()

	got, err := verify(t, store, nil, in)

	require.NoError(t, err)
	require.Contains(t, got.Because, "2 segments were left behind at "+base+", 6s in all by LiveKit's own playlist")
	require.Len(t, got.Files, 2)
	require.Equal(t, base+"-salvaged.m3u8", got.Files[1].Path)
}

// A room's name may be one that a playlist cannot hold as it is.
func TestALaterAttemptReadsItsPlaylistOfSegmentsWithUnusualNames(t *testing.T) {
	t.Parallel()
	const base = "s/#general: 100%"
	store := &objects{at: map[string][]byte{base + "_00000.ts": []byte("ab"), base + "_00001.ts": []byte("cd")}}
	request := &livekit.RoomCompositeEgressRequest{RoomName: "#general: 100%", SegmentOutputs: []*livekit.SegmentedFileOutput{{FilenamePrefix: "s/{room_name}"}}}
	info, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomName: request.GetRoomName(), Request: &livekit.EgressInfo_RoomComposite{RoomComposite: request}})
	require.NoError(t, err)
	in := verifying(t, "EGRESS_FAILED", 0)
	in.Input, in.Info = egress.Input{Plain: request}, info
	for _, says := range []string{"a playlist of them is " + base + "-salvaged.m3u8", "which was there with 2 of them"} {
		got, err := verify(t, store, nil, in)
		require.NoError(t, err)
		require.Contains(t, got.Because, says)
		require.Len(t, got.Files, 2)
		require.Equal(t, base+"-salvaged.m3u8", got.Files[1].Path)
		require.Equal(t, 2*egress.Duration(4*time.Second), got.Files[1].Length)
	}
}
