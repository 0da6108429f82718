package activities_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// live returns the request to verify segments with a live playlist beside the whole one.
func live(t *testing.T) activities.VerifyRequest {
	t.Helper()
	in := verifying(t, wellDone, 0)
	result := proto.CloneOf(in.Info.Proto())
	result.FileResults, result.SegmentResults[0].LivePlaylistName = nil, "s/live.m3u8"
	info, err := egress.NewInfo(result)
	require.NoError(t, err)
	in.Info = info
	in.Input.Plain = &livekit.RoomCompositeEgressRequest{RoomName: "room", SegmentOutputs: []*livekit.SegmentedFileOutput{{
		FilenamePrefix: "s/seg", PlaylistName: "s/p.m3u8", LivePlaylistName: "s/live.m3u8", SegmentDuration: 6,
	}}}
	return in
}

// LiveKit finishes both playlists as the egress ends, and only then.
func TestAPlaylistThatWasNeverFinishedIsPresentAndFlagged(t *testing.T) {
	t.Parallel()
	const ended = "#EXT-X-ENDLIST\n"
	for name, tc := range map[string]struct {
		change func(map[string][]byte)
		why    string
		files  []bool // whether each is unfinished
	}{
		"both are finished": {func(map[string][]byte) {}, "", []bool{false, false, false}},
		"neither is": {func(m map[string][]byte) {
			for _, name := range []string{"s/p.m3u8", "s/live.m3u8"} {
				m[name] = bytes.ReplaceAll(m[name], []byte(ended), nil)
			}
		}, "playlist s/p.m3u8 is there, but without #EXT-X-ENDLIST: players take it for a live one; " +
			"playlist s/live.m3u8 is there, but without #EXT-X-ENDLIST: players take it for a live one", []bool{true, true, false}},
		"it is long": {func(m map[string][]byte) {
			m["s/p.m3u8"] = append([]byte(strings.Repeat("#EXT-X-PROGRAM-DATE-TIME:2026-03-01T10:00:00Z\n", 1000)), m["s/p.m3u8"]...)
		}, "", []bool{false, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &objects{at: whole()}
			store.at["s/live.m3u8"] = []byte("#EXTINF:4,\nseg_00001.ts\n" + ended)
			tc.change(store.at)

			got, err := verify(t, store, nil, live(t))

			require.NoError(t, err)
			require.Equal(t, egress.MediaPresent, got.Media)
			require.Equal(t, tc.why, got.Because)
			var files []bool
			for _, f := range got.Files {
				files = append(files, f.Unfinished)
			}
			require.Equal(t, tc.files, files)
		})
	}
}

// readless says what is there, and lets nobody read it.
type readless struct {
	*objects
	err error
}

func (r readless) Read(context.Context, string, int64) (io.ReadCloser, error) { return nil, r.err }

func TestAPlaylistThatNobodyMayReadIsUnchecked(t *testing.T) {
	t.Parallel()
	store := readless{&objects{at: whole()}, &egress.Error{Reason: egress.Denied, Message: "the store answers 403"}}
	got, err := verify(t, store, nil, verifying(t, wellDone, 0))
	require.NoError(t, err)
	require.Equal(t, egress.MediaUnchecked, got.Media)
	require.Contains(t, got.Because, "playlist s/p.m3u8 could not be looked at: the store answers 403")
}
