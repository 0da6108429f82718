package ffprobe

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stalled is media whose first byte does not arrive until it, or the player, is let go.
func stalled(media []byte, asked chan<- struct{}, letGo <-chan struct{}) Read {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		select {
		case asked <- struct{}{}:
		default:
		}
		select {
		case <-letGo:
			return io.NopCloser(bytes.NewReader(media[offset:])), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Each holds the index of its media in memory.
func TestAFewFFprobesRunAtATimeAndTheNextWaitsWithinItsOwnTime(t *testing.T) {
	t.Parallel()
	p, media := real(t, "a.mp4")
	letGo := make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	release := sync.OnceFunc(func() { close(letGo) })
	defer release()
	results := make(chan error, places)
	for range places {
		asked := make(chan struct{}, 1)
		running.Go(func() {
			_, err := p.Length(t.Context(), int64(len(media)), stalled(media, asked, letGo))
			results <- err
		})
		<-asked
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	asked := make(chan struct{}, 1)
	_, err := p.Length(ctx, int64(len(media)), stalled(media, asked, nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "wait for a place")
	require.Empty(t, asked)

	release()
	for range places {
		require.NoError(t, <-results)
	}
	length, err := p.Length(t.Context(), int64(len(media)), from(media))
	require.NoError(t, err, "they gave their places back")
	require.InDelta(t, 3, length.D().Seconds(), 0.2)
}

func TestAProbeThatIsCutOffSaysThatItsTimeWasUp(t *testing.T) {
	t.Parallel()
	p, media := real(t, "a.mp4")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	length, err := p.Length(ctx, int64(len(media)), stalled(media, make(chan struct{}, 1), nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, length)
}

func TestOfLargeFilesOneIsProbedAtATime(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 1, share(large-1))
	require.EqualValues(t, places, share(large))
}
