package egress

import (
	"slices"

	"github.com/livekit/protocol/livekit"
)

// Sound is what a file has to hear, as far as samples of it tell.
type Sound string

// What can be heard in a file. Empty where nobody could say.
const (
	SoundHeard  Sound = "heard"
	SoundSilent Sound = "silent" // there is audio, and nothing in it
	SoundAbsent Sound = "absent" // there is no audio
)

// words are what a file that ought to have sound says of itself.
func (s Sound) words() string {
	if s == SoundAbsent {
		return "is silent: it has no audio"
	}
	return "is silent where samples were taken"
}

// largestSilent is, by codec as ffprobe names it, the largest packet in bytes that silence
// is encoded to. Measured with ffmpeg 5.1 at 48 and 44.1 kHz, mono and stereo: AAC of
// 16 to 128 kb/s makes silence 4 to 6 bytes and a first packet of up to 23, in MPEG-TS 7
// more, where the largest of noise at -80 dB has 68 or more; Opus of 64 and 128 kb/s
// makes it 3 bytes and at 6 kb/s up to 7, where the largest of that noise has 11 at
// 6 kb/s and over 240 at 64. Other codecs say nothing by the size of their packets.
var largestSilent = map[string]int64{"aac": 40, "opus": 8}

// Audible reports whether the packets of a codec tell by their sizes what can be heard.
func Audible(codec string) bool { return largestSilent[codec] > 0 }

// Hear judges the sound of packets by their sizes in bytes. It is empty for a codec whose
// packets do not tell, and where there are none. One packet that is not silent is a sound.
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

// soundless is what would be silence in a file of this result: nothing where its request
// wants no sound or is not known. A track may be one of video, so that only audio that is
// there can be silent.
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

// sourceSounds reports whether the source has sound. One that is not known is taken to
// have none.
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
