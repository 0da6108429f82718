package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheSizeOfPacketsTellsWhatIsToBeHeard(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		codec   string
		packets []int64
		want    egress.Sound
	}{
		"AAC, silent":                {"aac", []int64{23, 6, 6}, egress.SoundSilent},
		"AAC in MPEG-TS, silent":     {"aac", []int64{30, 13, 13}, egress.SoundSilent},
		"AAC, as large as it may be": {"aac", []int64{40}, egress.SoundSilent},
		"AAC, a byte more":           {"aac", []int64{41}, egress.SoundHeard},
		"AAC, once a sound":          {"aac", []int64{6, 6, 340, 6}, egress.SoundHeard},
		"Opus, silent":               {"opus", []int64{3, 3}, egress.SoundSilent},
		"Opus, as large as it may":   {"opus", []int64{8}, egress.SoundSilent},
		"Opus, a byte more":          {"opus", []int64{3, 9}, egress.SoundHeard},
		"no packets":                 {"aac", nil, ""},
		"a constant rate":            {"mp3", []int64{384}, ""},
		"samples, not encoded":       {"pcm_u8", []int64{4}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.Hear(tc.codec, tc.packets))
		})
	}
	require.True(t, egress.Audible("opus"))
	require.False(t, egress.Audible("mp3"))
}

func TestWhatWantsSoundIsToldByItsRequest(t *testing.T) {
	t.Parallel()
	all := []egress.Sound{egress.SoundSilent, egress.SoundAbsent}
	for request, want := range map[string][]egress.Sound{
		`"roomComposite":{}`:                                       all,
		`"roomComposite":{"audioOnly":true}`:                       all,
		`"roomComposite":{"videoOnly":true}`:                       nil,
		`"web":{}`:                                                 all,
		`"web":{"videoOnly":true}`:                                 nil,
		`"participant":{}`:                                         all,
		`"trackComposite":{"audioTrackId":"TR_a"}`:                 all,
		`"trackComposite":{"videoTrackId":"TR_v"}`:                 nil,
		`"track":{"trackId":"TR_v"}`:                               {egress.SoundSilent},
		`"egress":{"template":{}}`:                                 all,
		`"egress":{"template":{"videoOnly":true}}`:                 nil,
		`"egress":{"web":{}}`:                                      all,
		`"egress":{"web":{"videoOnly":true}}`:                      nil,
		`"egress":{"media":{"audio":{}}}`:                          all,
		`"egress":{"media":{"videoTrackId":"TR_v"}}`:               nil,
		`"egress":{}`:                                              nil,
		`"replay":{"template":{}}`:                                 all,
		`"replay":{"media":{"participantVideo":{"identity":"a"}}}`: nil,
		`"roomName":"standup"`:                                     nil,
	} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			info := resultOf(t, `{`+request+`,"fileResults":[{"filename":"a.mp4"}],"segmentResults":[{"playlistName":"p.m3u8"}]}`)
			wanted := egress.Wants(info, info.Destinations())
			require.Len(t, wanted, 3)
			require.Equal(t, want, wanted[0].Silence)
			require.Empty(t, wanted[1].Silence, "segments are not listened to")
			require.Empty(t, wanted[2].Silence, "segments are not listened to")
		})
	}
}
