package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestNobodyLooksWhereNothingCanBeSeen(t *testing.T) {
	t.Parallel()
	const s3 = `{"roomComposite":{"fileOutputs":[{"filepath":"a.mp4","s3":{"bucket":"b","accessKey":"{access_key}"}}]}}`
	const segments = `{"roomComposite":{"segmentOutputs":[{"filenamePrefix":"a","s3":{"bucket":"b"}}]}}`
	const local = `{"roomComposite":{"file":{"filepath":"/out/a.mp4"}}}`
	const complete, failed = egress.Status("EGRESS_COMPLETE"), egress.Status("EGRESS_FAILED")
	on := egress.Terms{VerifyFor: egress.Duration(time.Minute)}
	files := egress.Terms{VerifyFor: egress.Duration(time.Minute), LocalFiles: true}
	for name, tc := range map[string]struct {
		terms   egress.Terms
		body    string
		status  egress.Status
		adopted bool
		because string // empty: it can be checked
	}{
		"a store":                {on, s3, complete, false, ""},
		"at its limit":           {on, s3, "EGRESS_LIMIT_REACHED", false, ""},
		"off":                    {egress.Terms{}, s3, complete, false, "the settings say that nobody looks"},
		"no request":             {on, `{}`, complete, false, "LiveKit does not show its request"},
		"a stream alone":         {on, `{"roomComposite":{"stream":{"urls":["rtmp://a/b"]}}}`, complete, false, "it writes no files"},
		"a local file":           {on, local, complete, false, "file names no store, and REELKEEPER_LOCAL_FILES is not set"},
		"a local file of ours":   {files, local, complete, false, ""},
		"Ali's":                  {on, `{"roomComposite":{"file":{"aliOSS":{"bucket":"b"}}}}`, complete, false, "file.aliOSS is Alibaba Cloud's, which cannot be read from here"},
		"adopted, keys masked":   {on, s3, complete, true, "it was started without us, and LiveKit masks the keys of file_outputs[0].s3"},
		"adopted, ours masked":   {on, `{"web":{"fileOutputs":[{"s3":{"bucket":"b","secret":"{redacted}","region":"eu"}}]}}`, complete, true, "it was started without us, and LiveKit masks the keys of file_outputs[0].s3"},
		"adopted, Google's":      {on, `{"web":{"fileOutputs":[{"gcp":{"bucket":"b","credentials":"{credentials}"}}]}}`, complete, true, "it was started without us, and LiveKit masks the keys of file_outputs[0].gcp"},
		"adopted, Azure's":       {on, `{"web":{"fileOutputs":[{"azure":{"containerName":"b","accountKey":"{account_key}"}}]}}`, complete, true, "it was started without us, and LiveKit masks the keys of file_outputs[0].azure"},
		"adopted, no keys":       {on, segments, complete, true, ""},
		"adopted, local":         {files, local, complete, true, ""},
		"failed":                 {on, s3, failed, false, "no media is expected of an egress that ended as EGRESS_FAILED"},
		"failed segments":        {on, segments, failed, false, ""},
		"lost segments":          {on, segments, egress.Lost, false, ""},
		"a lost file":            {on, s3, egress.Lost, false, ""},
		"lost, keys masked":      {on, s3, egress.Lost, true, "it was started without us, and LiveKit masks the keys of file_outputs[0].s3"},
		"one of two can be seen": {on, `{"roomComposite":{"fileOutputs":[{"filepath":"a"},{"filepath":"a","gcp":{"bucket":"b"}}]}}`, complete, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := egress.State{Terms: tc.terms, Latest: resultOf(t, tc.body), Outcome: egress.Outcome{Status: tc.status}}
			because, ok := s.Lookable(tc.adopted)
			require.Equal(t, tc.because, because)
			require.Equal(t, tc.because == "", ok)
		})
	}
}

func TestOnlyForFilesOfALostEgressAStoreIsNotAskedUntilItAnswers(t *testing.T) {
	t.Parallel()
	for body, insists := range map[string]bool{
		`{"web":{"fileOutputs":[{"s3":{"bucket":"b"}}]}}`:                                          false,
		`{"web":{"fileOutputs":[{"s3":{"bucket":"b"}}],"segmentOutputs":[{"s3":{"bucket":"b"}}]}}`: true,
	} {
		s := egress.State{Latest: resultOf(t, body), Outcome: egress.Outcome{Status: egress.Lost}}
		require.Equal(t, insists, s.Insists(), body)
		s.Status = "EGRESS_COMPLETE"
		require.True(t, s.Insists(), body)
	}
}

// LiveKit says so itself, whether or not somebody can look. With several outputs it may be true of
// only one.
func TestMediaInLiveKitsBackupStorageIsMissingWhereItIsNotFound(t *testing.T) {
	t.Parallel()
	ofSize := func(n int64) []egress.MediaFile {
		return []egress.MediaFile{{Kind: egress.OutputFile, Size: n, Want: 5}, {Kind: egress.OutputSegments, Size: 8, Want: 7}}
	}
	const kept = "an upload failed, and LiveKit kept that in its backup storage"
	for name, tc := range map[string]struct{ found, want egress.MediaReport }{
		"it is there":       {egress.MediaReport{Media: egress.MediaPresent, Files: ofSize(5)}, egress.MediaReport{Media: egress.MediaPresent, Because: kept, Files: ofSize(5)}},
		"another is there":  {egress.MediaReport{Media: egress.MediaPresent, Files: ofSize(9)}, egress.MediaReport{Media: egress.MediaMissing, Because: kept, Files: ofSize(9)}},
		"it is not":         {egress.MediaReport{Media: egress.MediaMissing, Because: "is not there"}, egress.MediaReport{Media: egress.MediaMissing, Because: "is not there; " + kept}},
		"a part of it is":   {egress.MediaReport{Media: egress.MediaTruncated}, egress.MediaReport{Media: egress.MediaTruncated, Because: kept}},
		"the store says no": {egress.Unchecked("we are denied"), egress.MediaReport{Media: egress.MediaMissing, Because: "we are denied; " + kept}},
	} {
		s := egress.State{Latest: resultOf(t, `{"backupStorageUsed":true}`), Outcome: egress.Outcome{Status: "EGRESS_COMPLETE"}}
		require.Equal(t, tc.want, s.WithBackup(tc.found), name)
		s.Latest = resultOf(t, `{}`)
		require.Equal(t, tc.found, s.WithBackup(tc.found), name)
	}
}

func TestWhatIsFoundIsNotedOfItsPart(t *testing.T) {
	t.Parallel()
	missing := egress.MediaReport{Media: egress.MediaMissing, Because: "file a is not there"}
	s := egress.State{Part: 2, Shared: egress.Shared{Parts: []egress.Part{{Number: 1}}}}
	s.NoteMedia(1, missing, moment(1))
	require.Nil(t, s.Media)
	require.Equal(t, &missing, s.Parts[0].Media)
	require.Equal(t, "of part 1, its media is missing: file a is not there", s.Story[0].What)

	present := egress.MediaReport{Media: egress.MediaPresent, Files: []egress.MediaFile{{Size: 5}, {Size: 7}}}
	s.NoteMedia(2, present, moment(2))
	require.Equal(t, &present, s.Media)
	require.Equal(t, "its media is present: 2 found, 12 bytes in all", s.Story[1].What)

	silent := egress.MediaReport{Media: egress.MediaPresent, Because: "file a is silent: it has no audio"}
	require.Equal(t, "its media is present: file a is silent: it has no audio", silent.String())
	require.False(t, silent.Media.Alarming())

	s.NoteMedia(2, egress.Unchecked("nobody can"), moment(3))
	require.Equal(t, egress.MediaUnchecked, s.Media.Media)
	require.Len(t, s.Story, 2, "that nobody looked is no news")

	s.NoteMedia(7, present, moment(4))
	require.Len(t, s.Story, 2, "there is no such part")
}

func TestPeopleAreToldOfMediaThatIsNotAsItShouldBe(t *testing.T) {
	t.Parallel()
	s := egress.State{Terms: egress.Terms{Notify: true}, ID: "EG_1", Phase: egress.Settled, Outcome: egress.Outcome{Status: "EGRESS_COMPLETE"}, Part: 2}
	s.Parts = []egress.Part{{Number: 1, Media: &egress.MediaReport{Media: egress.MediaPresent}}}
	s.Media = &egress.MediaReport{Media: egress.MediaEmpty, Because: "file a holds nothing", Files: []egress.MediaFile{{Path: "a"}}}
	n, due := s.Notice(egress.ConcernMedia, 0, "r-1", egress.Summary{Kind: egress.KindWeb})
	require.True(t, due)
	require.Equal(t, "its media is empty: file a holds nothing", n.Because)
	require.Contains(t, n.Text(), "Media is not as it should be: egress EG_1 (web).\nFound: its media is empty: file a holds nothing.")
	require.Contains(t, n.Text(), "`starter show r-1`")
	_, again := s.Notice(egress.ConcernMedia, 0, "r-1", egress.Summary{})
	require.False(t, again)

	v := s.Verdict("r-1", egress.Summary{})
	require.Equal(t, egress.MediaEmpty, v.Media)
	require.Equal(t, "file a holds nothing", v.MediaBecause)
	require.Equal(t, s.Media.Files, v.Files)
	require.Equal(t, "file a holds nothing", v.Memo().MediaBecause)

	s.Parts[0].Media = &egress.MediaReport{Media: egress.MediaMissing, Because: "file b is not there"}
	v = s.Verdict("r-1", egress.Summary{})
	require.Equal(t, egress.MediaEmpty, v.Media, "the verdict's own is that of the last part")
	require.Equal(t, egress.MediaMissing, v.Memo().Media, "a report is to count it whichever part lacks it")
	require.Equal(t, "part 1: file b is not there", v.Memo().MediaBecause)
	s.Media.Media = egress.MediaPresent
	_, _, alarming := s.Verdict("r-1", egress.Summary{}).Alarming()
	require.True(t, alarming)
	s.Parts[0].Media = nil
	_, _, alarming = s.Verdict("r-1", egress.Summary{}).Alarming()
	require.False(t, alarming)
}
