package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/fakes3"
)

// newStoredWorld makes a world with a store that knows one key, and with storage profiles for it.
// It tests storages as it ships.
func newStoredWorld(t *testing.T, change func(environ map[string]string)) (*world, *fakes3.Store) {
	t.Helper()
	store, err := fakes3.New(map[string]string{"key": canary}, "recordings")
	require.NoError(t, err)
	at := httptest.NewServer(store)
	t.Cleanup(at.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(canary+"\n"), 0o600))
	profile := func(bucket, key string) string {
		return "{s3: {bucket: " + bucket + ", access_key: " + key + ", secret: '${file:" + secret + "}', session_token: '${PROFILE_TOKEN}', region: eu-west-1, endpoint: " + at.URL + ", force_path_style: true}}"
	}
	file := filepath.Join(t.TempDir(), "storage.yaml")
	require.NoError(t, os.WriteFile(file, []byte("default: good\nprofiles:\n  good: "+profile("recordings", "key")+
		"\n  nobucket: "+profile("none", "key")+"\n  nokey: "+profile("recordings", "nobody")+"\n"), 0o600))
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_STORAGE"], environ["REELKEEPER_PREFLIGHT"], environ["PROFILE_TOKEN"] = file, "new", canary
		environ["REELKEEPER_VERIFY_FOR"] = "2s" // nothing is uploaded, so all is missing
		if change != nil {
			change(environ)
		}
	})
	return w, store
}

// askStored starts a recording through the door, as an agent does, under a key, and with a storage
// profile if one is given.
func (w *world) askStored(r *livekit.RoomCompositeEgressRequest, key, profile string) (*livekit.EgressInfo, error) {
	header := http.Header{"Idempotency-Key": {key}}
	if profile != "" {
		header.Set("X-Reelkeeper-Storage", profile)
	}
	ctx, err := twirp.WithHTTPRequestHeaders(w.ctx(), header)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return w.agent().StartRoomCompositeEgress(lksdk.WithFailover(ctx, false), r)
}

func TestABadBucketIsRefusedByTheDoorBeforeLiveKitHearsOfIt(t *testing.T) {
	t.Parallel()
	w, store := newStoredWorld(t, nil)
	w.startWorker()
	request := func(profile func(*livekit.S3Upload)) *livekit.RoomCompositeEgressRequest {
		u := &livekit.S3Upload{Bucket: "recordings", AccessKey: "key", Secret: canary, Region: "eu-west-1", ForcePathStyle: true, Endpoint: w.storeAt()}
		profile(u)
		return &livekit.RoomCompositeEgressRequest{RoomName: "room", FileOutputs: []*livekit.EncodedFileOutput{
			{Filepath: "calls/{room_name}.mp4", Output: &livekit.EncodedFileOutput_S3{S3: u}},
		}}
	}
	for field, change := range map[string]func(*livekit.S3Upload){
		"bucket":     func(u *livekit.S3Upload) { u.Bucket = "none" },
		"access_key": func(u *livekit.S3Upload) { u.AccessKey = "nobody" },
		"secret":     func(u *livekit.S3Upload) { u.Secret = "another" },
	} {
		w.want("it is refused for its "+field, func() bool {
			before := w.fake.Calls()["StartRoomCompositeEgress"]
			_, err := w.askStored(request(change), "one-key", "")
			var te twirp.Error
			require.ErrorAs(t, err, &te)
			if tooSlow(te) {
				return false
			}
			require.Equal(t, twirp.InvalidArgument, te.Code())
			require.True(t, strings.HasPrefix(te.Msg(), "file_outputs[0].s3."+field+": "), te.Msg())
			require.Equal(t, before, w.fake.Calls()["StartRoomCompositeEgress"], "LiveKit has heard of it")
			return true
		})
	}
	require.Regexp(t, `(?m)^reelkeeper_preflight_total\{[^}]*outcome="refused"[^}]*\} ([3-9]|\d\d+)$`, w.metrics(), "more where an answer was slow")

	w.room("room", fakelivekit.RoomScript{})
	info, err := w.askStored(request(func(*livekit.S3Upload) {}), "one-key", "")
	require.NoError(t, err, "the key is free again")
	require.Len(t, w.fake.Egresses(), 1)
	require.Equal(t, info.GetEgressId(), w.fake.Egresses()[0].Info.GetEgressId())
	keys, err := store.Keys("recordings")
	require.NoError(t, err)
	require.Empty(t, keys, "no probe stays")
}

// tooSlow reports whether a store, or all of us, may have answered slowly: then the refusal is
// about a missing room or a timeout, and not the store's.
func tooSlow(err twirp.Error) bool {
	return slices.Contains([]twirp.ErrorCode{twirp.NotFound, twirp.Unavailable, twirp.DeadlineExceeded}, err.Code())
}

// storeAt is the endpoint that the profiles name.
func (w *world) storeAt() string {
	b, err := os.ReadFile(w.environ["REELKEEPER_STORAGE"])
	require.NoError(w.t, err)
	_, rest, _ := strings.Cut(string(b), "endpoint: ")
	at, _, _ := strings.Cut(rest, ",")
	return at
}

func TestAnAgentWithoutKeysRecordsToAProfile(t *testing.T) {
	t.Parallel()
	w, _ := newStoredWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	for key, profile := range map[string]string{"by-default": "", "by-name": "good"} {
		info, err := w.askStored(composite("room").(*livekit.RoomCompositeEgressRequest), key, profile)
		require.NoError(t, err)
		require.Equal(t, "{secret}", info.GetRoomComposite().GetFileOutputs()[0].GetS3().GetSecret(), "as LiveKit shows it")
		w.want("it has its profile", func() bool { // a webhook may have answered before the worker
			v, err := w.client.State(w.ctx(), key)
			return err == nil && v.Storage == "good"
		})
	}
	for _, e := range w.fake.Egresses() {
		require.Equal(t, "recordings", egress.Destinations(e.Request.(egress.Request))[0].Upload.S3.GetBucket())
	}
	_, err := w.askStored(composite("room").(*livekit.RoomCompositeEgressRequest), "unknown", "cold")
	require.ErrorContains(t, err, `storage: "cold" is not a profile; want one of good, nobucket, nokey`)
	require.Len(t, w.fake.Egresses(), 2)
}

func TestADeletionThatIsDeniedIsInTheStory(t *testing.T) {
	t.Parallel()
	w, store := newStoredWorld(t, nil)
	store.Deny(http.MethodDelete, "AccessDenied")
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	w.start("room")
	w.want("it is told", func() bool { // a webhook may have answered before the worker
		return slices.ContainsFunc(w.state("room").Story, func(b egress.Beat) bool { return strings.HasPrefix(b.What, "a probe stays in its storage: ") })
	})
	require.Regexp(t, `(?m)^reelkeeper_preflight_total\{[^}]*outcome="undeleted"[^}]*\} 1$`, w.metrics())
}
