package activities_test

import (
	"encoding/json"
	"testing"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

const profileSecret = "CANARY-of-a-profile"

// storing gives the worker profiles; main is the default.
func storing(c *activities.Config) {
	c.Profiles = egress.Profiles{Default: "main", Named: map[string]*lk.StorageConfig{
		"main": {Provider: &lk.StorageConfig_S3{S3: &lk.S3Upload{Bucket: "main-bucket", Secret: profileSecret}}},
		"cold": {Provider: &lk.StorageConfig_S3{S3: &lk.S3Upload{Bucket: "cold-bucket", Secret: profileSecret}}},
	}}
}

func toFile(upload *lk.S3Upload) egress.Request {
	f := &lk.EncodedFileOutput{Filepath: "{room_name}.mp4"}
	if upload != nil {
		f.Output = &lk.EncodedFileOutput_S3{S3: upload}
	}
	return &lk.RoomCompositeEgressRequest{RoomName: room, FileOutputs: []*lk.EncodedFileOutput{f}}
}

// sealedFor returns a start of a sealed request that names a profile, or none.
func sealedFor(t *testing.T, r egress.Request, storage string) activities.StartRequest {
	t.Helper()
	in, err := keys(t).SealRequest(requestID, r, storage, "")
	require.NoError(t, err)
	return activities.StartRequest{RequestID: requestID, Part: 1, Input: in}
}

func TestAStartGoesToItsProfileAndNamesIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request               egress.Request
		named, bucket, answer string
	}{
		"the default":  {toFile(nil), "", "main-bucket", "main"},
		"a named one":  {toFile(nil), "cold", "cold-bucket", "cold"},
		"none of ours": {toFile(&lk.S3Upload{Bucket: "own"}), "", "own", ""},
	} {
		for way, in := range map[string]activities.StartRequest{
			"sealed": sealedFor(t, tc.request, tc.named), "plain": {RequestID: requestID, Part: 1, Input: egress.Input{Plain: tc.request, Storage: tc.named}},
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					a := &api{onStart: accepts}
					s, err := start(t, a, in, storing)
					require.NoError(t, err)
					require.Equal(t, tc.bucket, egress.Destinations(a.sent[0])[0].Upload.S3.GetBucket())
					require.Equal(t, tc.answer, s.Terms.Storage)
					b, err := json.Marshal(s)
					require.NoError(t, err)
					require.NotContains(t, string(b), profileSecret)
				})
			})
		}
	}
}

func TestAProfileThatIsNotKnownIsRefusedBeforeLiveKitIsAsked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   activities.StartRequest
		want string
	}{
		"not known":    {sealedFor(t, toFile(nil), "hot"), `"hot" is not a profile; want one of cold, main`},
		"beside owned": {sealedFor(t, toFile(&lk.S3Upload{Bucket: "own"}), "cold"), `names the profile "cold", but the request has a storage of its own: file_outputs[0].s3`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{}
				_, err := start(t, a, tc.in, storing)
				ae, e := failed(t, err)
				require.True(t, ae.NonRetryable())
				require.Equal(t, egress.Error{Reason: egress.Invalid, Field: "storage", Message: tc.want}, e)
				require.Empty(t, a.log)
			})
		})
	}
}

// Another worker may have had the profile and started: what it started is not lost.
func TestALaterAttemptThatDoesNotHaveTheProfileBeginsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := plain(toFile(nil))
		in.Input.Storage = "gone"
		a := &api{onList: lists(ours(t, "EG_earlier"))}
		s, err := secondAttempt(t, a, in, storing)
		require.NoError(t, err)
		require.Equal(t, "EG_earlier", s.Info.Proto().GetEgressId())
		require.Equal(t, "gone", s.Terms.Storage, "that one filled it in")

		a = &api{onList: lists()}
		_, err = secondAttempt(t, a, in, storing)
		_, e := failed(t, err)
		require.Equal(t, egress.Invalid, e.Reason)
		require.Equal(t, "storage", e.Field)
		require.Empty(t, a.sent)

		in.Input.Again = true
		a = &api{onList: lists()}
		_, err = start(t, a, in, storing)
		_, e = failed(t, err)
		require.Equal(t, "storage", e.Field)
		require.Equal(t, []string{"0s list " + room}, a.log, "one look is enough where the run before has failed")

		a = &api{onList: func(n int) ([]*lk.EgressInfo, error) { return nil, map[bool]error{true: unreachable}[n == 1] }}
		_, err = start(t, a, in, storing)
		_, e = failed(t, err)
		require.Equal(t, "storage", e.Field)
		require.Greater(t, a.count["list"], 2, "what could not be looked for is searched")
	})
}
