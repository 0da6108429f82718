package egress

import (
	"slices"

	"github.com/livekit/protocol/livekit"
)

// Sound says what can be heard in a file, judging by samples of it.
type Sound string

// What can be heard in a file. Empty if unknown.
const (
	SoundHeard  Sound = "heard"
	SoundSilent Sound = "silent" // there is audio, and nothing in it
	SoundAbsent Sound = "absent" // there is no audio
)

// words returns what to say of a file that should have sound and has none.
func (s Sound) words() string {
	if s == SoundAbsent {
		return "is silent: it has no audio"
	}
	return "is silent where samples were taken"
}

// largestSilent is the size in bytes of the largest packet that encodes silence, by codec as
// ffprobe names it. Measured with ffmpeg 5.1 at 48 and 44.1 kHz, mono and stereo: AAC at 16 to 128
// kb/s encodes silence in 4 to 6 bytes, its first packet in up to 23, and 7 more in MPEG-TS, while
// the largest packet of noise at -80 dB has 68 or more; Opus encodes silence in 3 bytes at 64 and
// 128 kb/s and in up to 7 at 6 kb/s, while the largest packet of that noise has over 240 at 64 and
// 11 at 6 kb/s. For other codecs, packet sizes tell nothing.
var largestSilent = map[string]int64{"aac": 40, "opus": 8}

// Audible reports whether a codec's packet sizes tell what can be heard.
func Audible(codec string) bool { return largestSilent[codec] > 0 }

// Hear judges the sound of packets by their sizes in bytes. It is empty if there are none, or if
// the codec's sizes tell nothing. A single packet that is not silent counts as sound.
func Hear(codec string, packets []int64) Sound {
	switch {
	case !Audible(codec) || len(packets) == 0:
		return ""
	case slices.Max(packets) > largestSilent[codec]:
		return SoundHeard
	default:
		return SoundSilent
	}
}

// soundless returns the findings that count as silence in a file of this result: none if its
// request wants no sound or is unknown. A track may be a video track, so for it only audio that
// exists can be silent.
func soundless(m *livekit.EgressInfo) []Sound {
	wants := false
	switch {
	case m.GetTrack() != nil:
		return []Sound{SoundSilent}
	case m.GetRoomComposite() != nil:
		wants = !m.GetRoomComposite().GetVideoOnly()
	case m.GetWeb() != nil:
		wants = !m.GetWeb().GetVideoOnly()
	case m.GetTrackComposite() != nil:
		wants = m.GetTrackComposite().GetAudioTrackId() != ""
	case m.GetParticipant() != nil:
		wants = true
	case m.GetEgress() != nil:
		wants = sourceSounds(m.GetEgress())
	case m.GetReplay() != nil:
		wants = sourceSounds(m.GetReplay())
	}
	if !wants {
		return nil
	}
	return []Sound{SoundSilent, SoundAbsent}
}

// sourced is a request of the kind that names one of three sources.
type sourced interface {
	GetTemplate() *livekit.TemplateSource
	GetWeb() *livekit.WebSource
	GetMedia() *livekit.MediaSource
}

// sourceSounds reports whether the source has sound. An unknown source is assumed to have none.
func sourceSounds(r sourced) bool {
	switch {
	case r.GetTemplate() != nil:
		return !r.GetTemplate().GetVideoOnly()
	case r.GetWeb() != nil:
		return !r.GetWeb().GetVideoOnly()
	default:
		return r.GetMedia().GetAudio() != nil
	}
}
