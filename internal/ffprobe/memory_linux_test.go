package ffprobe

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// claiming returns an MP4 whose first track claims to have so many samples, each of the given size
// or, if that is 0, of sizes that a table would tell. Nothing in the file backs the claim.
func claiming(t *testing.T, media []byte, samples, size uint32) []byte {
	t.Helper()
	media = bytes.Clone(media)
	sizes, chunks := bytes.Index(media, []byte("stsz")), bytes.Index(media, []byte("stsc"))
	require.Positive(t, min(sizes, chunks))
	binary.BigEndian.PutUint32(media[sizes+8:], size)
	binary.BigEndian.PutUint32(media[sizes+12:], samples)
	binary.BigEndian.PutUint32(media[chunks+16:], samples) // all in one chunk
	return media
}

// Without a bound, ffprobe 5.1 takes 0.7 GB for this one.
func TestAFileThatClaimsMoreThanItHoldsGetsNoMemoryForIt(t *testing.T) {
	t.Parallel()
	p, media := real(t, "a.mp4")
	media = claiming(t, media, 20_000_000, 1)
	source, err := listen(t.Context(), int64(len(media)), from(media))
	require.NoError(t, err)
	defer source.close()
	cmd := exec.CommandContext(t.Context(), p.path, "-v", "error", "-show_entries", "format=duration", source.url)
	_ = run(cmd, memory, source.serve) // whether it then fails differs by version
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	require.True(t, source.asked.Load())
	require.Less(t, used.Maxrss, int64(3*memory>>10), "kB; its libraries count, too")
}

func TestAFileThatTakesTooMuchMemorySaysNothingOfTheMedia(t *testing.T) {
	t.Parallel()
	p, media := real(t, "a.mp4")
	media = claiming(t, media, 40_000_000, 0)
	_, err := p.Length(t.Context(), int64(len(media)), from(media))
	require.ErrorIs(t, err, syscall.ENOMEM)
	_, err = p.Length(t.Context(), large, func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(media[min(offset, int64(len(media))):])), nil
	})
	require.NotErrorIs(t, err, syscall.ENOMEM, "a large file gets more")
}
