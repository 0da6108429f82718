package egress_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAReportSaysWhyOfEachFileUntilItIsLong(t *testing.T) {
	t.Parallel()
	bad := egress.MediaFile{Media: egress.MediaMissing}
	var r egress.MediaReport
	r.Add(egress.MediaFile{Media: egress.MediaPresent}, "")
	require.Empty(t, r.Because)
	r.Add(bad, "file a\nis not there")
	require.Equal(t, "file a is not there", r.Because, "in one line")
	r.Add(egress.MediaFile{Media: egress.MediaPresent}, "")
	r.Add(bad, "file b　c is not there")
	require.Equal(t, "file a is not there; file b　c is not there", r.Because, "by its own name")

	for length, more := range map[int]bool{999: true, 1000: false} {
		long := egress.MediaReport{Media: egress.MediaMissing, Because: strings.Repeat("x", length)}
		long.Add(bad, strings.Repeat("y", 400))
		require.Equal(t, more, strings.HasSuffix(long.Because, "; "+strings.Repeat("y", 297)+"…"), length)
		require.Equal(t, !more, len(long.Because) == length, length)
	}
}

func TestWhatIsNotedOfAnEarlierPartLeavesACopyOfTheStateAsItWas(t *testing.T) {
	t.Parallel()
	s := egress.State{Part: 2, Shared: egress.Shared{Parts: []egress.Part{{Number: 1}}}}
	before := s
	s.NoteMedia(1, egress.Unchecked("nobody can"), moment(1))
	require.Nil(t, before.Parts[0].Media)
	require.Equal(t, &egress.MediaReport{Media: egress.MediaUnchecked, Because: "nobody can"}, s.Parts[0].Media)
	require.Empty(t, s.Story, "that nobody looked is no news")
}

func TestThatSomeFilesWereLookedAtIsNews(t *testing.T) {
	t.Parallel()
	s := egress.State{Part: 1}
	s.NoteMedia(1, egress.MediaReport{Media: egress.MediaUnchecked, Because: "one is locked", Files: []egress.MediaFile{{Media: egress.MediaPresent}}}, moment(1))
	require.Len(t, s.Story, 1)
	require.Equal(t, "its media is unchecked: one is locked", s.Story[0].What)
	require.Equal(t, moment(1), s.Story[0].At)
}

func TestPeopleAreToldOfTheMediaOfThePartThatItIsAbout(t *testing.T) {
	t.Parallel()
	report := func(m egress.Media) *egress.MediaReport { return &egress.MediaReport{Media: m, Because: "so"} }
	for part, want := range []string{"its media is truncated: so", "its media is empty: so", "", "its media is truncated: so"} {
		s := egress.State{Terms: egress.Terms{Notify: true}, Part: 3, ID: "EG_3", Media: report(egress.MediaTruncated)}
		s.Parts = []egress.Part{{Number: 1, EgressID: "EG_1", Media: report(egress.MediaEmpty)}, {Number: 2, EgressID: "EG_2"}}
		n, due := s.Notice(egress.ConcernMedia, part, "r-1", egress.Summary{})
		require.True(t, due)
		require.Equal(t, want, n.Because)
		require.Equal(t, fmt.Sprintf("EG_%d", cmp.Or(part, 3)), n.EgressID)
	}
}
