package ffprobe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// recordedFor is the length of the media in most of these tests.
const recordedFor = 40 * time.Second

// recorded returns media of 40 s: lavfi's sound, and a black picture.
func recorded(t *testing.T, name, sound string, how ...string) (*Prober, []byte) {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", sound, "-f", "lavfi", "-i", "color=size=64x64:rate=5", "-t", "40"}
	return made(t, name, append(args, how...)...)
}

func TestSilenceIsToldFromSound(t *testing.T) {
	t.Parallel()
	const nothing, tone, noise = "anullsrc=r=48000:cl=stereo", "sine=r=48000", "anoisesrc=r=48000:a=0.0001"
	late := tone + ",volume=0:enable='lt(t,30)'"
	aac, low, opus := []string{"-c:a", "aac", "-b:a", "128k"}, []string{"-c:a", "aac", "-b:a", "16k", "-ac", "1"}, []string{"-c:a", "libopus", "-b:a", "64k"}
	for _, tc := range []struct {
		file, sound string
		how         []string
		want        egress.Sound
	}{
		{"a.mp4", nothing, aac, egress.SoundSilent},
		{"a.mp4", nothing, low, egress.SoundSilent},
		{"a.ts", nothing, aac, egress.SoundSilent},
		{"a.mkv", nothing, opus, egress.SoundSilent},
		{"a.ogg", nothing, append(opus, "-vn"), egress.SoundSilent},
		{"a.mp4", tone, aac, egress.SoundHeard},
		{"a.mp4", tone, low, egress.SoundHeard},
		{"a.ts", tone, aac, egress.SoundHeard},
		{"a.mkv", tone, opus, egress.SoundHeard},
		{"a.mp4", noise, low, egress.SoundHeard},
		{"a.ogg", noise, append(opus, "-vn"), egress.SoundHeard},
		{"a.mp4", late, aac, egress.SoundHeard},
		{"a.mp4", nothing, []string{"-an"}, egress.SoundAbsent},
		{"a.wav", nothing, []string{"-vn"}, ""},
	} {
		t.Run(fmt.Sprint(tc.file, " of ", tc.sound, tc.how), func(t *testing.T) {
			t.Parallel()
			p, media := recorded(t, tc.file, tc.sound, tc.how...)
			heard, err := p.Sound(t.Context(), int64(len(media)), egress.Duration(recordedFor), from(media))
			require.NoError(t, err)
			require.Equal(t, tc.want, heard)
		})
	}
}

func TestAStoreThatFailsLeavesOpenWhatIsToBeHeard(t *testing.T) {
	t.Parallel()
	p, media := recorded(t, "a.mp4", "anullsrc")
	cut := errors.New("cut")
	heard, err := p.Sound(t.Context(), int64(len(media)), egress.Duration(recordedFor), func(context.Context, int64) (io.ReadCloser, error) { return nil, cut })
	require.ErrorIs(t, err, cut)
	require.Empty(t, heard)

	heard, err = p.Sound(t.Context(), 4, egress.Duration(recordedFor), from([]byte("text")))
	require.Error(t, err)
	require.Empty(t, heard)
}

func TestSamplesAreSpreadOverTheFile(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1.000%+1.000,3.000%+1.000,5.000%+1.000,7.000%+1.000,9.000%+1.000,11.000%+1.000,13.000%+1.000,15.000%+1.000", intervals(16*time.Second))
	require.True(t, strings.HasPrefix(intervals(24*time.Hour), "5400.000%+1.000,16200.000%+1.000,"))
}

func TestOfALongFileOnlySamplesAreRead(t *testing.T) {
	t.Parallel()
	p, media := made(t, "a.mp4", "-f", "lavfi", "-i", "anullsrc=r=48000", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-t", "100", "-c:v", "mjpeg", "-q:v", "2", "-c:a", "aac")
	read := &counted{}
	heard, err := p.Sound(t.Context(), int64(len(media)), egress.Duration(100*time.Second), func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(io.TeeReader(bytes.NewReader(media[offset:]), read)), nil
	})
	require.NoError(t, err)
	require.Equal(t, egress.SoundSilent, heard)
	t.Logf("%d of %d bytes were read", read.n.Load(), len(media))
	require.Less(t, read.n.Load(), int64(len(media))*2/3)
}

// Where there is no memory for the rest of its index, ffprobe says nothing, and skips the samples.
func TestAFileIsSilentOnlyIfItWasSampledToItsEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		packet, track string
		want          egress.Sound
	}{
		{`"pts_time":"14.99","size":"6"`, ``, ""},
		{`"pts_time":"15.01","size":"6"`, ``, egress.SoundSilent},
		{`"pts_time":"1.01","size":"99"`, ``, egress.SoundHeard},
		{`"pts_time":"14.48","size":"6"`, `,"duration":"14.5"`, egress.SoundSilent}, // its sound ends before its picture
		{`"pts_time":"13.48","size":"6"`, `,"duration":"14.5"`, ""},
		{`"pts_time":"14.99","size":"6"`, `,"duration":"16.0"`, ""},
	} {
		path := filepath.Join(t.TempDir(), "ffprobe")
		needs.Executable(t, path, fmt.Sprintf("#!/bin/sh\necho '{\"packets\":[{%s}],\"streams\":[{\"codec_name\":\"aac\"%s}]}'\n", tc.packet, tc.track))
		p, err := Find(path)
		require.NoError(t, err)
		heard, err := p.Sound(t.Context(), 5, egress.Duration(16*time.Second), from([]byte("media")))
		require.NoError(t, err)
		require.Equal(t, tc.want, heard, tc.packet)
	}
}

func TestWhatFFprobeSaysOfAudioIsUnderstood(t *testing.T) {
	t.Parallel()
	got, err := understand([]byte(`{"packets":[{"pts_time":"7.5","size":"6"},{"size":"341"}],"programs":[],"streams":[{"codec_name":"aac"}]}`))
	require.NoError(t, err)
	require.Equal(t, track{"aac", 0, []int64{6, 341}, 7.5}, got)
	got, err = understand([]byte(`{"streams":[{}]}`))
	require.NoError(t, err)
	require.Equal(t, "unknown", got.codec)
	got, err = understand([]byte(`{"streams":[]}`))
	require.NoError(t, err)
	require.Empty(t, got.codec)
	for _, answer := range []string{"no JSON", `{"packets":[{"size":"N/A"}],"streams":[{"codec_name":"aac"}]}`} {
		_, err = understand([]byte(answer))
		require.ErrorContains(t, err, "ffprobe's answer")
	}
}

// counted counts bytes.
type counted struct{ n atomic.Int64 }

// Write never fails.
func (c *counted) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}
