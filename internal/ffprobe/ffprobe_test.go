package ffprobe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// real returns ffprobe, if the machine has it, and media that plays for 3 s, with a tone.
func real(t *testing.T, name string) (*Prober, []byte) {
	t.Helper()
	return made(t, name, "-f", "lavfi", "-i", "sine=duration=3", "-f", "lavfi", "-i", "color=duration=3:size=64x64", "-shortest")
}

// made returns ffprobe, if the machine has it, and media made by ffmpeg.
func made(t *testing.T, name string, how ...string) (*Prober, []byte) {
	t.Helper()
	p, err := Find("")
	require.NoError(t, err)
	ffmpeg, err := exec.LookPath("ffmpeg")
	if p == nil || err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("ffprobe and ffmpeg must be there: in CI nothing is skipped for want of a tool")
		}
		t.Skip("this machine has no ffprobe or no ffmpeg")
	}
	path := filepath.Join(t.TempDir(), name)
	args := append(append([]string{"-v", "error"}, how...), path)
	out, err := exec.CommandContext(t.Context(), ffmpeg, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	media, err := os.ReadFile(path)
	require.NoError(t, err)
	return p, media
}

func from(media []byte) Read {
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(media[offset:])), nil
	}
}

// A playlist would name files and hosts; and nothing is said about formats that LiveKit may write
// one day.
func TestAnotherFormatIsNotPlayedAndNotCalledBroken(t *testing.T) {
	t.Parallel()
	p, _ := real(t, "a.mp4")
	_, flac := made(t, "a.flac", "-f", "lavfi", "-i", "sine=duration=3")
	playlist := []byte("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
	for name, media := range map[string][]byte{"a playlist": playlist, "another format": flac} {
		length, err := p.Length(t.Context(), int64(len(media)), from(media))
		require.Equal(t, egress.Internal, egress.ReasonOf(err), name)
		require.Zero(t, length)
	}
}

func TestMediaSaysHowLongItPlays(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"index-at-its-end.mp4", "a.ts", "a.mkv"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, media := real(t, name)
			length, err := p.Length(t.Context(), int64(len(media)), from(media))
			require.NoError(t, err)
			require.InDelta(t, 3, length.D().Seconds(), 0.2)
		})
	}
}

func TestMediaThatCannotBePlayedSaysWhy(t *testing.T) {
	t.Parallel()
	p, media := real(t, "a.mp4")
	for name, media := range map[string][]byte{"without its index": media[:len(media)/2], "a text": []byte("this is no media")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := p.Length(t.Context(), int64(len(media)), from(media))
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
			require.NotEmpty(t, e.Message)
			require.NotContains(t, e.Message, "127.0.0.1")
		})
	}
}

func TestAStoreThatFailsSaysNothingOfTheMedia(t *testing.T) {
	t.Parallel()
	p, media := real(t, "a.mp4")
	cut := errors.New("cut")
	_, err := p.Length(t.Context(), int64(len(media)), func(context.Context, int64) (io.ReadCloser, error) { return nil, cut })
	require.ErrorIs(t, err, cut)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = p.Length(ctx, int64(len(media)), func(ctx context.Context, _ int64) (io.ReadCloser, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAProgramThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Find("/no/such/ffprobe")
	require.EqualError(t, err, "REELKEEPER_FFPROBE: is not a program that can be run")
}

func TestTheLongestOfWhatFFprobeSaysCounts(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]time.Duration{
		`{"streams":[{"codec_type":"audio","duration":"2.5"},{"codec_type":"video","duration":"3.25"}],"format":{"duration":"3.0"}}`: 3250 * time.Millisecond,
		`{"streams":[{"codec_type":"audio"}],"format":{"duration":"7"}}`:                                                             7 * time.Second,
		`{"streams":[{"codec_type":"audio","duration":"N/A"}],"format":{"duration":"1e300"}}`:                                        0,
	} {
		got, _, err := parse([]byte(answer))
		require.NoError(t, err)
		require.Equal(t, want, got.D())
	}
	_, _, err := parse([]byte(`{"streams":[],"format":{"duration":"3"}}`))
	require.EqualError(t, err, "it has no audio and no video")
	_, _, err = parse([]byte(`no JSON`))
	require.ErrorContains(t, err, "ffprobe's answer")
}

func TestOnlyItsLastWordsAreKept(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"[mov @ 0x1] moov atom not found\nhttp://127.0.0.1:1/x: Invalid data found": "Invalid data found",
		"Killed\n": "Killed", "": "ffprobe cannot read it",
	} {
		require.Equal(t, want, lastWords(said))
	}
	var b bytes.Buffer
	l := &limited{&b, 3}
	for range 3 {
		n, err := l.Write([]byte("ab"))
		require.NoError(t, err)
		require.Equal(t, 2, n)
	}
	require.Equal(t, "aba", b.String())
}

func TestTheEndOfWhatFFprobeComplainsOfIsKept(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := &last{&b, 3}
	for _, said := range []string{"abcd", "ef", "g", "h"} {
		n, err := l.Write([]byte(said))
		require.NoError(t, err)
		require.Len(t, said, n)
	}
	require.Equal(t, "efgh", b.String(), "at least 3, and at most twice that")
}

func TestALackOfMemoryIsKnownByTheWordsOfEachLibrary(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]bool{
		"http://127.0.0.1:1/x: Cannot allocate memory\n":    true,
		"[mov] moov\nhttp://127.0.0.1:1/x: Out of memory\n": true, // musl's
		"": true,
		"http://127.0.0.1:1/x: Invalid data found when processing input\n": false,
	} {
		require.Equal(t, want, noMemory.MatchString(said), said)
	}
}

func TestAnFFprobeThatDoesNotWorkSaysNothingOfTheMedia(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"a library is missing": "echo 'ffprobe: error while loading shared libraries: libavdevice.so.59: cannot open shared object file' >&2; exit 127",
		"built without HTTP":   "echo 'http://127.0.0.1:1/x: Protocol not found' >&2; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "ffprobe")
			needs.Executable(t, path, "#!/bin/sh\n"+script+"\n")
			p, err := Find(path)
			require.NoError(t, err)
			_, err = p.Length(t.Context(), 5, func(context.Context, int64) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader([]byte("media"))), nil
			})
			require.Error(t, err)
			_, ofTheMedia := errors.AsType[*egress.Error](err)
			require.False(t, ofTheMedia, err.Error())
		})
	}
}
