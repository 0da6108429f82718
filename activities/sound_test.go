package activities_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// errOutOfTime is how a probe ends at its deadline.
var errOutOfTime = fmt.Errorf("probe media: %w", context.DeadlineExceeded)

// listener says what can be heard in all media, and reads its first bytes.
type listener struct {
	player
	sound  egress.Sound
	cannot error
	heard  []string
}

func (l *listener) Sound(ctx context.Context, size int64, _ egress.Duration, read activities.Reading) (egress.Sound, error) {
	body, err := read(ctx, 0)
	if err != nil {
		return "", err
	}
	defer body.Close()
	media, err := io.ReadAll(io.LimitReader(body, size))
	l.heard = append(l.heard, string(media))
	return l.sound, errors.Join(err, l.cannot)
}

// verifier returns Temporal's environment for one attempt.
func verifier(t *testing.T, store activities.Bucket, by activities.Player) (*testsuite.TestActivityEnvironment, *activities.Verification) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	v := activities.NewVerification(activities.VerificationConfig{
		Opener: keys(t), Player: by, Open: func(context.Context, egress.Destination) (activities.Bucket, error) { return store, nil },
	})
	env.RegisterActivity(v)
	return env, v
}

// Half of the time may be too short for the first look; by the next, others' ffprobes are done.
func TestWhatCouldNotBePlayedInTimeIsPlayedByTheNextLookWhileThereIsTime(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]activities.Player{
		"nor its length told": player{err: errOutOfTime},
		"nor its sound heard": &listener{player: player{length: egress.Duration(time.Minute)}, cannot: errOutOfTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(t, &objects{at: whole()}, with, verifying(t, wellDone, time.Minute))
			var failed *temporal.ApplicationError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, string(egress.StillGoing), failed.Type())
			require.Contains(t, failed.Message(), "in time")

			got, err := verify(t, &objects{at: whole()}, with, verifying(t, wellDone, 0))
			require.NoError(t, err)
			require.Equal(t, egress.MediaPresent, got.Media, "it is there all the same")
		})
	}
}

// The later look has less time and, on a busy worker, no slot.
func TestALookThatSeesLessKeepsWhatTheOneBeforeHasSeen(t *testing.T) {
	t.Parallel()
	const (
		unheard  = "file a.mp4 is there, but could not be listened to in time"
		unplayed = "file a.mp4 is there, but whether it plays could not be checked in time"
		short    = "file a.mp4 plays for 9s of 1m0s"
	)
	down := &objects{err: &egress.Error{Reason: egress.Unreachable}}
	there, longer := &objects{at: whole()}, &objects{at: whole()}
	longer.at["a.mp4"] = []byte("a longer media")
	plays, cut, hurried := player{length: egress.Duration(time.Minute)}, player{length: egress.Duration(9 * time.Second)}, player{err: errOutOfTime}
	unlistened := func() *listener { return &listener{player: plays, cannot: errOutOfTime} } // each remembers what it heard
	for name, tc := range map[string]struct {
		first *objects
		by    activities.Player
		then  *objects
		with  activities.Player
		want  egress.Media
		why   string
		again bool
	}{
		"it cannot look":                         {there, unlistened(), down, plays, egress.MediaPresent, unheard, false},
		"it has no time to play":                 {there, unlistened(), there, hurried, egress.MediaPresent, unheard, false},
		"it listens":                             {there, unlistened(), there, &listener{player: plays, sound: egress.SoundHeard}, egress.MediaPresent, "", false},
		"it finds what is wrong":                 {there, unlistened(), there, cut, egress.MediaTruncated, short, false},
		"what was cut short has no time to play": {there, cut, there, hurried, egress.MediaTruncated, short, false},
		"what was cut short is there anew":       {longer, cut, there, hurried, egress.MediaPresent, unplayed, false},
		"what was missing is there":              {&objects{}, plays, there, hurried, egress.MediaPresent, unplayed, false},
		"what was cut short cannot be looked at": {there, cut, down, plays, egress.MediaUnchecked, down.err.Error(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var kept *egress.MediaReport
			env, act := verifier(t, tc.first, tc.by)
			env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&kept) })
			_, err := env.ExecuteActivity(act.Verify, verifying(t, wellDone, time.Minute))
			require.Error(t, err)
			require.NotNil(t, kept)

			env, act = verifier(t, tc.then, tc.with)
			env.SetHeartbeatDetails(kept)
			value, err := env.ExecuteActivity(act.Verify, verifying(t, wellDone, 0))
			require.NoError(t, err)
			var got activities.Verified
			require.NoError(t, value.Get(&got))
			require.Equal(t, tc.want, got.Media)
			require.Equal(t, tc.why, got.Because)
			require.Equal(t, tc.again, got.Again)
		})
	}
}

func TestSilentMediaIsPresentAndFlagged(t *testing.T) {
	t.Parallel()
	plays := player{length: egress.Duration(time.Minute)}
	for name, tc := range map[string]struct {
		with   listener
		quiet  bool // the request wants no sound
		why    string
		listen bool // somebody listened
	}{
		"a sound":            {listener{player: plays, sound: egress.SoundHeard}, false, "", true},
		"silence":            {listener{player: plays, sound: egress.SoundSilent}, false, "file a.mp4 is silent where samples were taken", true},
		"no audio":           {listener{player: plays, sound: egress.SoundAbsent}, false, "file a.mp4 is silent: it has no audio", true},
		"nobody can say":     {listener{player: plays, cannot: errors.New("no memory")}, false, "", true},
		"no time to listen":  {listener{player: plays, cannot: errOutOfTime}, false, "file a.mp4 is there, but could not be listened to in time", true},
		"no sound is wanted": {listener{player: plays, sound: egress.SoundSilent}, true, "", false},
		"it has no length":   {listener{sound: egress.SoundSilent}, false, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := verifying(t, wellDone, 0)
			m := in.Info.Proto()
			m.GetRoomComposite().VideoOnly = tc.quiet
			info, err := egress.NewInfo(m)
			require.NoError(t, err)
			in.Info = info
			got, err := verify(t, &objects{at: whole()}, &tc.with, in)
			require.NoError(t, err)
			require.Equal(t, egress.MediaPresent, got.Media)
			require.Equal(t, tc.why, got.Because)
			require.Equal(t, strings.Contains(tc.why, "silent"), got.Files[0].Silent)
			if tc.listen {
				require.Equal(t, []string{"media"}, tc.with.heard, "the file alone")
			} else {
				require.Empty(t, tc.with.heard)
			}
		})
	}
}
