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

// From a file's first audio track, this many samples of this length are read, spread over it:
// packets are counted and weighed, not decoded.
const (
	samples = 8
	sample  = time.Second
)

// Sound says what can be heard in media of the given length, judged by samples of it. It is empty
// if the sizes of its packets do not tell, or if none come from its end: then ffprobe lacked the
// memory for the whole index. An error says nothing about the media.
func (p *Prober) Sound(ctx context.Context, size int64, length egress.Duration, read Read) (egress.Sound, error) {
	// Ask for the track first, since ffprobe would look for packets of a missing track up to the end of the file.
	told, err := p.ask(ctx, size, read, "-select_streams", "a:0", "-show_entries", "stream=codec_name,duration")
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
		"-show_entries", "stream=codec_name:packet=pts_time,size")
	if err != nil {
		return "", err
	}
	end := position(length.D(), samples-1).Seconds()
	if audio.length > 0 { // it may be shorter than the file
		end = min(end, audio.length-sample.Seconds())
	}
	if audio, err = understand(told); err != nil {
		return "", err
	}
	heard := egress.Hear(audio.codec, audio.packets)
	if heard == egress.SoundSilent && audio.until < end {
		return "", nil
	}
	return heard, nil
}

// intervals returns the samples' positions in ffprobe's format: each in the middle of its part.
func intervals(length time.Duration) string {
	all := make([]string, samples)
	for n := range all {
		all[n] = fmt.Sprintf("%.3f%%+%.3f", position(length, n).Seconds(), sample.Seconds())
	}
	return strings.Join(all, ",")
}

func position(length time.Duration, n int) time.Duration {
	return length * time.Duration(2*n+1) / (2 * samples)
}

// track is the first audio track of a file. Its codec is empty if there is none.
type track struct {
	codec   string
	length  float64 // seconds, or 0 if the file does not say
	packets []int64 // sizes in bytes
	until   float64 // seconds at which the last packet begins
}

// understand reads ffprobe's JSON.
func understand(b []byte) (track, error) {
	var told struct {
		Packets []struct {
			Size int64   `json:"size,string"`
			At   float64 `json:"pts_time,string"`
		} `json:"packets"`
		Streams []struct {
			Codec  string  `json:"codec_name"`
			Length float64 `json:"duration,string"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(b, &told); err != nil {
		return track{}, fmt.Errorf("ffprobe's answer: %w", err)
	}
	if len(told.Streams) == 0 {
		return track{}, nil
	}
	t := track{codec: cmp.Or(told.Streams[0].Codec, "unknown"), length: told.Streams[0].Length}
	for _, p := range told.Packets {
		t.packets, t.until = append(t.packets, p.Size), max(t.until, p.At)
	}
	return t, nil
}
