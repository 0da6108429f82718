package ffprobe

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAnMP3SaysHowLongItPlays(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string][]string{"constant": {"-b:a", "64k"}, "variable": {"-q:a", "4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, media := made(t, "a.mp3", append([]string{"-f", "lavfi", "-i", "sine=duration=3"}, rate...)...)
			length, err := p.Length(t.Context(), int64(len(media)), from(media))
			require.NoError(t, err)
			require.InDelta(t, 3, length.D().Seconds(), 0.2)
		})
	}
}

// guessed returns ffprobe, and an MP3 of 50 s without a header, loud for 10 s and then silent, as
// LiveKit's egress service wrote them: for ffprobe it plays for much less.
func guessed(t *testing.T) (*Prober, []byte) {
	t.Helper()
	return made(t, "a.mp3", "-f", "lavfi", "-i", "anoisesrc=d=10:a=0.5", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono",
		"-filter_complex", "[1]atrim=duration=40[s];[0][s]concat=n=2:v=0:a=1", "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0")
}

func TestALengthThatFFprobeGuessesIsNone(t *testing.T) {
	t.Parallel()
	p, media := guessed(t)
	length, err := p.Length(t.Context(), int64(len(media)), from(media))
	require.NoError(t, err)
	require.Zero(t, length.D())
}

func TestAStoreThatFailsAfterFFprobeSaysNothingOfAnMP3(t *testing.T) {
	t.Parallel()
	cut := errors.New("cut")
	for name, read := range map[string]Read{
		"at once": func(context.Context, int64) (io.ReadCloser, error) { return nil, cut },
		"then":    func(context.Context, int64) (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(cut)), nil },
	} {
		_, err := countsFrames(t.Context(), read)
		require.ErrorIs(t, err, cut, name)
		require.NotEqual(t, egress.Invalid, egress.ReasonOf(err), name)
	}
}
