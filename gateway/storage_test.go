package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

const profileSecret = "CANARY-of-a-profile"

// storing gives the door profiles; main is the default.
func storing(c *gateway.Config) {
	c.Profiles = egress.Profiles{Default: "main", Named: map[string]*livekit.StorageConfig{
		"main": {Provider: &livekit.StorageConfig_S3{S3: &livekit.S3Upload{Bucket: "main-bucket", Secret: profileSecret}}},
		"cold": {Provider: &livekit.StorageConfig_Gcp{Gcp: &livekit.GCPUpload{Bucket: "cold-bucket", Credentials: profileSecret}}},
	}}
}

const toFiles = `{"room_name":"daily","file_outputs":[{"filepath":"a.mp4"}],"segment_outputs":[{"filename_prefix":"b"}]}`

func TestTheProfileThatACallerNamesGoesWithItsStartByName(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, storing)
	infoIn(t, b.call(t, "StartRoomCompositeEgress", toFiles, "X-Reelkeeper-Storage", "cold"))
	s := b.recordings.begun()[0]
	require.Equal(t, "cold", s.Storage)
	require.Equal(t, egress.StoreLocal, egress.Destinations(s.Request)[0].Upload.Store(), "the worker fills it in")
}

func TestANameThatNoProfileCanHaveIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, storing)
	w := b.call(t, "StartRoomCompositeEgress", toFiles, "X-Reelkeeper-Storage", "a b")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), `X-Reelkeeper-Storage: want the name of a profile`)
	require.Empty(t, b.recordings.begun())
}

func TestAStartPastTemporalGoesToItsProfileAndShowsNoneOfItsKeys(t *testing.T) {
	t.Parallel()
	for bucket, named := range map[string][]string{"main-bucket": nil, "cold-bucket": {"X-Reelkeeper-Storage", "cold"}} {
		t.Run(bucket, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil, storing)
				b.recordings.begin = gone
				w := b.call(t, "StartRoomCompositeEgress", toFiles, named...)
				infoIn(t, w)
				require.Len(t, b.liveKit.started(), 1)
				for _, d := range egress.Destinations(b.liveKit.started()[0]) {
					require.Contains(t, []string{d.Upload.S3.GetBucket(), d.Upload.GCP.GetBucket()}, bucket)
				}
				require.NotContains(t, w.Body.String(), profileSecret, "whatever LiveKit shows")
				require.Contains(t, w.Body.String(), bucket)
			})
		})
	}
}

func TestAStartPastTemporalIsRefusedWhereItsStorageIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body, named string
		change      func(*gateway.Config)
		status      int
		want        string
	}{
		"no profiles here":      {toFiles, "cold", func(*gateway.Config) {}, http.StatusServiceUnavailable, `needs the storage profile \"cold\", which is not known here`},
		"another one":           {toFiles, "hot", storing, http.StatusServiceUnavailable, `needs the storage profile \"hot\", which is not known here`},
		"beside its own bucket": {`{"room_name":"daily","file_outputs":[{"s3":{"bucket":"b"}}]}`, "cold", storing, http.StatusBadRequest, `but the request has a storage of its own: file_outputs[0].s3`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil, tc.change)
				b.recordings.begin = gone
				w := b.call(t, "StartRoomCompositeEgress", tc.body, "X-Reelkeeper-Storage", tc.named)
				require.Equal(t, tc.status, w.Code)
				require.Contains(t, w.Body.String(), tc.want)
				require.Empty(t, b.liveKit.started())
			})
		})
	}
}

func TestOneKeyForTwoProfilesOrPipelinesIsAConflictPastTemporalToo(t *testing.T) {
	t.Parallel()
	for header, named := range map[string]string{"X-Reelkeeper-Storage": "cold", "X-Reelkeeper-Pipeline": "archive"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			oneKeyFor(t, header, nil, []string{named})
		})
	}
}

// oneKeyFor makes two callers start the same request under one key, with different values of a
// header.
func oneKeyFor(t *testing.T, header string, names ...[]string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, storing)
		b.recordings.begin = gone
		release, codes := make(chan struct{}), make(chan int, 2)
		b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
			<-release
			return echo(r, "EG_direct"), nil
		}
		for _, named := range names {
			r, w := request(t.Context(), t, "StartRoomCompositeEgress", toFiles), httptest.NewRecorder()
			r.Header.Set("Idempotency-Key", "k")
			r.Header[header] = named
			go func() {
				b.door.ServeHTTP(w, r)
				codes <- w.Code
			}()
		}
		<-time.After(4 * time.Second) // both have begun, and one is at LiveKit
		close(release)
		require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, []int{<-codes, <-codes})
	})
}

func TestAForwardedStartGetsTheDefaultProfile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ method, body, want string }{
		"lists": {"StartRoomCompositeEgress",
			`{"room_name":"daily","hologram":1.0,"fileOutputs":[{"filepath":"a.mp4","depth":2.0}],"segment_outputs":[{"gcp":{"bucket":"own"}}],"image_outputs":[{}]}`,
			`{"room_name":"daily","hologram":1.0,"fileOutputs":[{"filepath":"a.mp4","depth":2.0,"s3":{"bucket":"main-bucket","secret":"` + profileSecret + `"}}],` +
				`"segment_outputs":[{"gcp":{"bucket":"own"}}],"image_outputs":[{"s3":{"bucket":"main-bucket","secret":"` + profileSecret + `"}}]`},
		"unified": {"StartEgress", `{"room_name":"daily","hologram":1.0,"outputs":[{"file":{"filepath":"a.mp4"}},{"stream":{}}]}`,
			`{"room_name":"daily","hologram":1.0,"outputs":[{"file":{"filepath":"a.mp4"},"storage":{"s3":{"bucket":"main-bucket","secret":"` + profileSecret + `"}}},{"stream":{}}]`},
		"unified, with one inside": {"StartEgress", `{"room_name":"daily","hologram":1.0,"outputs":[{"segments":{"gcp":{"bucket":"own"}}}]}`,
			`{"room_name":"daily","hologram":1.0,"outputs":[{"segments":{"gcp":{"bucket":"own"}},"storage":{"gcp":{"bucket":"own"}}}]`},
		"stores that only a newer LiveKit knows": {"StartRoomCompositeEgress",
			`{"room_name":"daily","file_outputs":[{"filepath":"a.mp4","vault": {"name":"own"}}],"image_outputs":[{"depth":{}}],"segment_outputs":[{"playlistName":"c.m3u8"}]}`,
			`{"room_name":"daily","file_outputs":[{"filepath":"a.mp4","vault":{"name":"own"}}],"image_outputs":[{"depth":{}}],` +
				`"segment_outputs":[{"playlistName":"c.m3u8","s3":{"bucket":"main-bucket","secret":"` + profileSecret + `"}}]`},
		"unified, with such stores": {"StartEgress",
			`{"room_name":"daily","outputs":[{"file":{"filepath":"a.mp4"},"storage":{"vault":{"name":"own"}}},{"segments":{},"keep":{}}]}`,
			`{"room_name":"daily","outputs":[{"file":{"filepath":"a.mp4"},"storage":{"vault":{"name":"own"}}},{"segments":{},"keep":{}}]`},
		"unified, with one of the whole request": {"StartEgress", `{"room_name":"daily","outputs":[{"file":{}}],"storage":{"vault":{"name":"own"}}}`,
			`{"room_name":"daily","outputs":[{"file":{}}],"storage":{"vault":{"name":"own"}}`},
		"an unknown field of that name": {"StartTrackEgress", `{"room_name":"daily","storage":"main","file":{}}`,
			`{"room_name":"daily","storage":"main","file":{"s3":{"bucket":"main-bucket","secret":"` + profileSecret + `"}}`},
		"its own": {"StartTrackEgress", `{"room_name":"daily","hologram":1.0,"file":{"gcp":{"bucket":"own"}}}`,
			`{"room_name":"daily","hologram":1.0,"file":{"gcp":{"bucket":"own"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, newerLiveKit(t), storing)
			w := b.call(t, tc.method, tc.body, "Idempotency-Key", "call-7")
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.JSONEq(t, tc.want+`,"webhooks":[{"url":"`+ours("call-7").GetUrl()+`","signing_key":"APIkey"}]}`, b.reached()[0].body)
			require.NotContains(t, w.Body.String(), profileSecret)
		})
	}
}

func TestAForwardedStartThatNamesAProfileIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, newerLiveKit(t), storing)
	w := b.call(t, "StartRoomCompositeEgress", newField, "X-Reelkeeper-Storage", "cold")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "X-Reelkeeper-Storage: cannot be filled into a request")
	require.Empty(t, b.reached())
}

func TestAListShowsNoKeysOfAProfile(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		list := &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{{
			Request: &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{
				{Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Bucket: "main-bucket", Secret: profileSecret}}}, {},
			}}},
		}}}
		answer, _ := proto.Marshal(list)
		w.Header().Set("Content-Type", "application/protobuf")
		_, _ = w.Write(answer)
	}), storing)
	w := b.call(t, "ListEgress", `{}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), "main-bucket")
	require.NotContains(t, w.Body.String(), profileSecret)
}
