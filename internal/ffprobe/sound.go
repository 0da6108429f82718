package ffprobe

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Of a file's first audio, so many samples of such a length are read, spread over it:
// packets are counted and weighed, not decoded.
const (
	samples = 8
	sample  = time.Second
)

// Sound is what can be heard in media that plays for so long, where samples of it were
// taken. It is empty where the size of its packets does not tell. An error says nothing of
// the media.
func (p *Prober) Sound(ctx context.Context, size int64, length egress.Duration, read Read) (egress.Sound, error) {
	// Asked before, since ffprobe would look for the packets of audio that is not there up to the end of the file.
	told, err := p.ask(ctx, size, read, "-select_streams", "a:0", "-show_entries", "stream=codec_name")
	if err != nil {
		return "", err
	}
	audio, err := understand(told)
	switch {
	case err != nil:
		return "", err
	case audio.codec == "":
		return egress.SoundAbsent, nil
	case !egress.Audible(audio.codec):
		return "", nil
	}
	told, err = p.ask(ctx, size, read, "-select_streams", "a:0", "-read_intervals", intervals(length.D()),
		"-show_entries", "stream=codec_name:packet=size")
	if err != nil {
		return "", err
	}
	audio, err = understand(told)
	return egress.Hear(audio.codec, audio.packets), err
}

// intervals is where the samples are, as ffprobe takes it: each in the middle of its part.
func intervals(length time.Duration) string {
	all := make([]string, samples)
	for n := range all {
		at := length * time.Duration(2*n+1) / (2 * samples)
		all[n] = fmt.Sprintf("%.3f%%+%.3f", at.Seconds(), sample.Seconds())
	}
	return strings.Join(all, ",")
}

// track is the first audio of a file. It has no codec where there is none.
type track struct {
	codec   string
	packets []int64 // sizes in bytes
}

// understand reads ffprobe's JSON.
func understand(b []byte) (track, error) {
	var told struct {
		Packets []struct {
			Size int64 `json:"size,string"`
		} `json:"packets"`
		Streams []struct {
			Codec string `json:"codec_name"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(b, &told); err != nil {
		return track{}, fmt.Errorf("ffprobe's answer: %w", err)
	}
	if len(told.Streams) == 0 {
		return track{}, nil
	}
	t := track{codec: cmp.Or(told.Streams[0].Codec, "unknown")}
	for _, p := range told.Packets {
		t.packets = append(t.packets, p.Size)
	}
	return t, nil
}
