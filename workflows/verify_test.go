package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// stored is an EgressInfo whose request names a store.
func stored(id string, s lk.EgressStatus) *lk.EgressInfo {
	m := message(id, s)
	m.Request = &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
		SegmentOutputs: []*lk.SegmentedFileOutput{{FilenamePrefix: "s", Output: &lk.SegmentedFileOutput_S3{S3: &lk.S3Upload{Bucket: "b"}}}},
	}}
	return m
}

// looking is a life whose media is looked for, for so long.
func looking(t *testing.T, wait time.Duration, verify func(activities.VerifyRequest) (activities.Verified, error)) *life {
	t.Helper()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.VerifyFor = egress.Duration(wait)
		return activities.Started{Info: infoOf(t, stored(egressID, lk.EgressStatus_EGRESS_STARTING)), Terms: terms}, nil
	}
	l.RegisterActivityWithOptions(func(_ context.Context, in activities.VerifyRequest) (activities.Verified, error) {
		return verify(in)
	}, activity.RegisterOptions{Name: "Verify"})
	return l
}

func ended(l *life, s lk.EgressStatus) {
	l.webhook(5*time.Second, egress.EventEnded, stored(egressID, s))
}

func found(m egress.Media, because string) activities.Verified {
	return activities.Verified{MediaReport: egress.MediaReport{Media: m, Because: because}}
}

// againIn is a look that could not be made, and is to be tried again after a wait.
func againIn(wait time.Duration, why egress.Reason) error {
	return temporal.NewApplicationErrorWithOptions("no look", string(why), temporal.ApplicationErrorOptions{NextRetryDelay: wait})
}

// Without the profile, its media would be looked for among local files.
func TestTheProfileIsKnownWhereTheStartsReplyIsLost(t *testing.T) {
	t.Parallel()
	var asked []activities.VerifyRequest
	l := looking(t, 0, func(in activities.VerifyRequest) (activities.Verified, error) {
		asked = append(asked, in)
		return found(egress.MediaPresent, ""), nil
	})
	l.worker.Terms.VerifyFor = egress.Duration(time.Minute)
	l.slowStart(20 * time.Second)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{}, failure(egress.TooLate, "gone")
	}
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)
	in := plainInput(t)
	in.Storage = "cold"

	l.mustRun(in)

	require.Len(t, asked, 1)
	require.Equal(t, "cold", asked[0].Storage)
}

func TestMediaIsLookedForBeforeAnybodyIsTold(t *testing.T) {
	t.Parallel()
	var asked []activities.VerifyRequest
	var l *life
	l = looking(t, 2*time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		require.Empty(t, l.announced)
		asked = append(asked, in)
		return found(egress.MediaMissing, "file a is not there"), nil
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.MediaMissing, v.Media)
	require.Equal(t, "file a is not there", v.MediaBecause)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, l.announced, 1)
	require.Len(t, asked, 1)
	require.Equal(t, requestID, asked[0].RequestID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), asked[0].Status)
	require.Equal(t, egress.Duration(2*time.Minute), asked[0].For)
	require.Equal(t, 1, asked[0].Part)
	require.False(t, asked[0].Behind)
	require.Equal(t, "its media is missing: file a is not there", l.state().Story[len(l.state().Story)-1].What)
}

func TestNobodyLooksWhereNobodyIsToLook(t *testing.T) {
	t.Parallel()
	l := looking(t, 0, func(activities.VerifyRequest) (activities.Verified, error) {
		t.Error("somebody looks")
		return activities.Verified{}, nil
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.MediaUnchecked, v.Media)
	require.Equal(t, "the settings say that nobody looks", v.MediaBecause)
}

// The store refuses us as it refused LiveKit, which says that it kept the media elsewhere.
func TestMediaInBackupStorageIsMissingThoughNobodyCanLook(t *testing.T) {
	t.Parallel()
	l := looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		return activities.Verified{MediaReport: egress.Unchecked("we are denied")}, nil
	})
	m := stored(egressID, lk.EgressStatus_EGRESS_COMPLETE)
	m.BackupStorageUsed = true
	l.webhook(5*time.Second, egress.EventEnded, m)
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.MediaMissing, v.Media)
	require.Equal(t, "we are denied; an upload failed, and LiveKit kept that in its backup storage", v.MediaBecause)
}

func TestPeopleAreToldOfMediaInBackupStorageWhileItsStoreIsDown(t *testing.T) {
	t.Parallel()
	var l *life
	l = looking(t, 0, func(in activities.VerifyRequest) (activities.Verified, error) {
		if in.Behind {
			return found(egress.MediaPresent, ""), l.downFor(time.Hour, 30*time.Minute)
		}
		return activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, nil
	})
	h := l.hook(true)
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.VerifyFor, terms.Notify = egress.Duration(time.Minute), true
		return activities.Started{Info: infoOf(t, stored(egressID, active)), Terms: terms}, nil
	}
	m := stored(egressID, complete)
	m.BackupStorageUsed = true
	l.webhook(5*time.Second, egress.EventEnded, m)
	l.at(time.Minute, func() { require.Equal(t, []string{"egress-notice/standup-1/media"}, h.begun) })

	l.mustRun(plainInput(t))

	require.Len(t, h.begun, 1)
}

func TestAStoreThatIsBackIsLookedAtBehindTheAnnouncement(t *testing.T) {
	t.Parallel()
	looks := 0
	l := looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		if !in.Behind {
			return activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, nil
		}
		if looks++; looks < 4 {
			return activities.Verified{}, temporal.NewApplicationError("the store does not answer", string(egress.Unreachable))
		}
		return found(egress.MediaPresent, ""), nil
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)
	endings := l.endings()
	l.at(6*time.Second, func() {
		require.Len(t, l.announced, 1, "nobody waits for the store")
		require.Equal(t, "the store does not answer", l.state().Media.Because)
		require.Len(t, *endings, 1, "it is reported and listed meanwhile")
	})
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.MediaPresent, v.Media)
	require.Equal(t, []string{egress.StepAnnounce, "verify"}, v.Delivered)
	require.Equal(t, 4, looks)
}

// What was found is in the step's input.
func TestTheStepsWaitForAStoreThatIsLookedAtBehindTheAnnouncement(t *testing.T) {
	t.Parallel()
	first := true
	s := withSteps(looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		switch {
		case !in.Behind:
			return activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, nil
		case first:
			first = false
			return activities.Verified{}, againIn(10*time.Minute, egress.Unreachable)
		}
		return found(egress.MediaPresent, ""), nil
	}), egress.Step{Name: "one"})
	s.activity("ONE", returns(nil))
	ended(s.life, lk.EgressStatus_EGRESS_COMPLETE)
	s.at(time.Minute, func() {
		require.Len(t, s.announced, 1)
		require.Empty(t, s.ran)
	})

	s.mustRun(plainInput(t))

	require.Equal(t, []string{"one"}, s.ran)
	require.Equal(t, egress.MediaPresent, s.inputs[0].Verdict.Media)
}

// Workers have no slot for another look, say.
func TestALookThatIsPutOffIsMadeBehindTheAnnouncement(t *testing.T) {
	t.Parallel()
	l := looking(t, 10*time.Second, func(in activities.VerifyRequest) (activities.Verified, error) {
		if !in.Behind {
			return activities.Verified{}, againIn(time.Hour, egress.HeldBack)
		}
		return found(egress.MediaPresent, ""), nil
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.MediaPresent, v.Media)
	require.Less(t, l.heard[0], time.Minute)
}

func TestAStoreThatStaysDownWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		word string
		want egress.Media
	}{
		"who mends it":      {egress.UpdateRetry, egress.MediaPresent},
		"who leaves it out": {egress.UpdateSkip, egress.MediaUnchecked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mended := false
			l := looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
				switch {
				case !in.Behind:
					return activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, nil
				case mended:
					return found(egress.MediaPresent, ""), nil
				}
				return activities.Verified{}, againIn(20*time.Hour, egress.Unreachable) // the fifth try would be after three days
			})
			ended(l, lk.EgressStatus_EGRESS_COMPLETE)
			told := error(nil)
			l.at(80*time.Hour, func() {
				require.Contains(t, l.state().Stuck, "step verify failed for good: no look")
				require.Equal(t, []string{"verify"}, l.state().AwaitsWord)
				mended = true
				l.update(tc.word, "word", &told, "verify")
			})
			v := l.mustRun(plainInput(t))
			require.NoError(t, told)
			require.Equal(t, tc.want, v.Media)
			require.Contains(t, slices.Concat(v.Delivered, v.Skipped), "verify")
			require.Equal(t, tc.word == egress.UpdateSkip, slices.Contains(v.Skipped, "verify"))
			require.Empty(t, l.state().Stuck)
		})
	}
}

func TestALookThatCannotBeMadeIsUnchecked(t *testing.T) {
	t.Parallel()
	l := looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		return activities.Verified{}, temporal.NewNonRetryableApplicationError("the request cannot be read", string(egress.Invalid), nil)
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.MediaUnchecked, v.Media)
	require.Equal(t, "could not be looked at: the request cannot be read", v.MediaBecause)
	require.Equal(t, []string{egress.StepAnnounce}, v.Delivered)
}

// It was sealed with a secret that was taken away too early, and may be put back.
func TestALookWhoseRequestCannotBeOpenedWaitsForAPerson(t *testing.T) {
	t.Parallel()
	back := false
	l := looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		if back {
			return found(egress.MediaMissing, "is not there"), nil
		}
		return activities.Verified{}, temporal.NewNonRetryableApplicationError("the request cannot be opened", string(egress.Sealed), nil)
	})
	ended(l, lk.EgressStatus_EGRESS_COMPLETE)
	told := error(nil)
	l.at(time.Hour, func() {
		require.Equal(t, []string{"verify"}, l.state().AwaitsWord)
		back = true
		l.update(egress.UpdateRetry, "word", &told, "verify")
	})
	v := l.mustRun(plainInput(t))
	require.NoError(t, told)
	require.Equal(t, egress.MediaMissing, v.Media)
}

func TestEachPartIsLookedForByItself(t *testing.T) {
	t.Parallel()
	var asked []int
	var stores []string
	l := looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		asked, stores = append(asked, in.Part), append(stores, in.Storage)
		if in.Part == 1 {
			return found(egress.MediaUnchecked, "left behind"), nil
		}
		return found(egress.MediaPresent, ""), nil
	})
	part := 0
	l.started = func(context.Context, activities.StartRequest) (activities.Started, error) {
		part++
		terms := terms()
		terms.VerifyFor, terms.Recover = egress.Duration(time.Minute), 1
		id := egressID
		terms.Storage = "hot"
		if part == 2 {
			id, terms.Storage = "EG_2", "cold"
		}
		return activities.Started{Info: infoOf(t, stored(id, lk.EgressStatus_EGRESS_ACTIVE)), Terms: terms}, nil
	}
	failed := stored(egressID, lk.EgressStatus_EGRESS_FAILED)
	failed.ErrorCode = 500
	l.webhook(5*time.Second, egress.EventEnded, failed)
	l.webhook(10*time.Second, egress.EventEnded, stored("EG_2", lk.EgressStatus_EGRESS_COMPLETE))
	v := l.mustRun(plainInput(t))
	require.Equal(t, []int{1, 2}, asked)
	require.Equal(t, []string{"hot", "cold"}, stores, "as each start filled it in")
	require.Equal(t, egress.MediaPresent, v.Media)
	require.Len(t, v.Parts, 2)
	require.Equal(t, "left behind", v.Parts[0].Media.Because)
	require.Equal(t, egress.MediaPresent, v.Parts[1].Media.Media)
}

func TestWhatWasFoundOfAPartStandsWhenTheNextOneIsRefused(t *testing.T) {
	t.Parallel()
	l := looking(t, time.Minute, func(activities.VerifyRequest) (activities.Verified, error) {
		return found(egress.MediaMissing, "x"), nil
	})
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		if in.Part > 1 {
			return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
		}
		terms := terms()
		terms.VerifyFor, terms.Recover = egress.Duration(time.Minute), 1
		return activities.Started{Info: infoOf(t, stored(egressID, active)), Terms: terms}, nil
	}
	ended(l, lk.EgressStatus_EGRESS_LIMIT_REACHED)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_LIMIT_REACHED"), v.Status)
	require.Equal(t, egress.MediaMissing, v.Media)
}

// LiveKit's egress service reports the end of a killed recorder with the names of the start.
func TestMediaOfAKilledRecorderIsLookedForUnderTheNamesThatItGave(t *testing.T) {
	t.Parallel()
	var asked []activities.VerifyRequest
	l := looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		asked = append(asked, in)
		return activities.Verified{MediaReport: egress.Unchecked("it failed")}, nil
	})
	named := func(s lk.EgressStatus, name string) *lk.EgressInfo {
		m := stored(egressID, s)
		m.SegmentResults = []*lk.SegmentsInfo{{PlaylistName: name}}
		return m
	}
	l.webhook(2*time.Second, egress.EventUpdated, named(active, "44.m3u8"))
	l.webhook(5*time.Second, egress.EventEnded, named(failed, "43.m3u8"))

	v := l.mustRun(plainInput(t))

	require.Len(t, asked, 1)
	require.Equal(t, egress.Status("EGRESS_FAILED"), asked[0].Status)
	require.Equal(t, "44.m3u8", asked[0].Info.Proto().GetSegmentResults()[0].GetPlaylistName())
	require.Equal(t, "43.m3u8", v.Info.Proto().GetSegmentResults()[0].GetPlaylistName(), "the verdict has LiveKit's own words")
}
