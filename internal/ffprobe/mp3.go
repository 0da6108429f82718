package ffprobe

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// headerWithin is how many bytes of an MP3 are searched for the header that counts its frames. That
// is in the first frame, behind the tags.
const headerWithin = 64 << 10

// countsFrames reports whether an MP3 has a header that counts its frames: Xing, called Info where
// the bitrate is constant, or VBRI. Without it, how long an MP3 plays is known only to who has read
// all of it. LiveKit's egress service writes it since its pull request 1187; before that, the
// bitrate varied, too.
func countsFrames(ctx context.Context, read Read) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	media, err := read(ctx, 0)
	if err != nil {
		return false, fmt.Errorf("read an MP3's head: %w", err)
	}
	defer func() { _ = media.Close() }()
	head, err := io.ReadAll(io.LimitReader(media, headerWithin))
	if err != nil {
		return false, fmt.Errorf("read an MP3's head: %w", err)
	}
	for _, header := range []string{"Xing", "Info", "VBRI"} {
		if bytes.Contains(head, []byte(header)) {
			return true, nil
		}
	}
	return false, nil
}
