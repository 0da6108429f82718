package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

const bucket = "recordings"

// s3Store is a store that speaks S3's protocol, and can be late or down.
type s3Store struct {
	*httptest.Server
	backend *s3mem.Backend

	mu    sync.Mutex
	down  bool
	asked int
	// hanging is closed once a hanging store answers again.
	hanging chan struct{}
	// lateBy is how many requests arrive before the media is there.
	lateBy int
	held   map[string][]byte
}

func newS3Store(t *testing.T) *s3Store {
	t.Helper()
	s := &s3Store{backend: s3mem.New(), held: map[string][]byte{}}
	require.NoError(t, s.backend.CreateBucket(bucket))
	api := gofakes3.New(s.backend).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isDown() {
			panic(http.ErrAbortHandler) // the connection is cut
		}
		if h := s.hangs(); h != nil {
			select {
			case <-h:
			case <-r.Context().Done(): // the caller is gone
				return
			}
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// isDown counts a request, and makes late media appear.
func (s *s3Store) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.asked > s.lateBy {
		for path, media := range s.held {
			_ = s.put(path, media)
		}
		clear(s.held)
	}
	return s.down
}

func (s *s3Store) hangs() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hanging
}

// hang blocks every request until the returned function is called.
func (s *s3Store) hang() (answer func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hanging = make(chan struct{})
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.hanging)
		s.hanging = nil
	})
}

// asks returns the number of requests so far.
func (s *s3Store) asks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *s3Store) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// store accepts what LiveKit uploads.
func (s *s3Store) store(path string, media []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lateBy > 0 {
		s.held[path] = media
		return nil
	}
	return s.put(path, media)
}

func (s *s3Store) put(path string, media []byte) error {
	_, err := s.backend.PutObject(bucket, path, nil, bytes.NewReader(media), int64(len(media)), nil)
	return err
}

func (s *s3Store) text(t *testing.T, path string) string {
	t.Helper()
	o, err := s.backend.GetObject(bucket, path, nil)
	require.NoError(t, err)
	defer o.Contents.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(o.Contents)
	require.NoError(t, err)
	return b.String()
}

// newMediaWorld is a world whose LiveKit uploads to a store.
func newMediaWorld(t *testing.T, s *s3Store, change func(map[string]string)) *world {
	t.Helper()
	return newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Store = s.store
		environ["REELKEEPER_VERIFY_FOR"] = "30s"
		if change != nil {
			change(environ)
		}
	})
}

func (s *s3Store) upload() *livekit.S3Upload {
	return &livekit.S3Upload{AccessKey: "key", Secret: canary, Bucket: bucket, Endpoint: s.URL, ForcePathStyle: true, Region: "eu-west-1"}
}

// record starts an egress of a room that writes a file, segments and images to the store.
func (s *s3Store) record(w *world, room string) recordings.Started {
	w.t.Helper()
	started, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: &livekit.RoomCompositeEgressRequest{
		RoomName:       room,
		FileOutputs:    []*livekit.EncodedFileOutput{{Filepath: room + "/call.mp4", Output: &livekit.EncodedFileOutput_S3{S3: s.upload()}}},
		SegmentOutputs: []*livekit.SegmentedFileOutput{{FilenamePrefix: room + "/seg", PlaylistName: room + "/seg.m3u8", Output: &livekit.SegmentedFileOutput_S3{S3: s.upload()}}},
		ImageOutputs:   []*livekit.ImageOutput{{FilenamePrefix: room + "/img", CaptureInterval: 5, Output: &livekit.ImageOutput_S3{S3: s.upload()}}},
	}})
	require.NoError(w.t, err)
	if call, _ := w.calls.LoadAndDelete(room); call != time.Duration(0) {
		timer := time.AfterFunc(call.(time.Duration), func() { _ = w.fake.EndCall(room) })
		w.t.Cleanup(func() { timer.Stop() })
	}
	return started
}

func kinds(files []egress.MediaFile, m egress.Media) (list []string) {
	for _, f := range files {
		if f.Media == m {
			list = append(list, f.Kind+" "+f.Path)
		}
	}
	return list
}

// Each file of the result is looked for in the store that the request names, with the request's
// credentials.
func TestMediaThatIsThereIsPresent(t *testing.T) {
	t.Parallel()
	store := newS3Store(t)
	w := newMediaWorld(t, store, nil)
	w.startWorker()
	w.room("well", fakelivekit.RoomScript{Call: 2 * time.Second})
	started := store.record(w, "well")
	v := w.verdict("well")

	require.Equal(t, egress.MediaPresent, v.Media, v.MediaBecause)
	require.Empty(t, v.MediaBecause)
	require.Equal(t, []string{
		"file well/call.mp4", "playlist well/seg.m3u8", "segments well/seg", "images well/img", "manifest well/" + v.EgressID + ".json",
	}, kinds(v.Files, egress.MediaPresent))
	require.Len(t, w.consumer.told(started.Info.Proto().GetEgressId()), 1)
	require.NotContains(t, w.log.String(), canary)
	verifies := 0
	for _, e := range w.history("r-well") {
		require.NotContains(t, e.String(), canary)
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "Verify" {
			verifies++
		}
	}
	require.Equal(t, 1, verifies)
}

func TestMediaThatIsNotThereIsMissing(t *testing.T) {
	t.Parallel()
	store, hook := newS3Store(t), newChat(t, 0)
	w := newMediaWorld(t, store, func(environ map[string]string) {
		environ["REELKEEPER_VERIFY_FOR"], environ["REELKEEPER_NOTIFY_URL"] = "2s", hook.URL
	})
	w.startWorker()
	for room, fault := range map[string]fakelivekit.Fault{"gone": fakelivekit.MediaMissing, "hollow": fakelivekit.MediaEmpty} {
		w.room(room, fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fault}})
	}
	gone := store.record(w, "gone")
	store.record(w, "hollow")

	v := w.verdict("gone")
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status, "LiveKit's status is kept")
	require.Equal(t, egress.MediaMissing, v.Media)
	require.Contains(t, v.MediaBecause, "file gone/call.mp4 is not there")
	require.Len(t, w.consumer.told(gone.Info.Proto().GetEgressId()), 1)
	require.Equal(t, egress.MediaEmpty, w.verdict("hollow").Media)
	ofMedia := func(text string) bool { return strings.HasPrefix(text, "Media is not as it should be: ") }
	for room, found := range map[string]string{"gone": "its media is missing", "hollow": "its media is empty"} {
		w.want("people are told of "+room, func() bool {
			return slices.ContainsFunc(hook.said(), func(text string) bool {
				return ofMedia(text) && strings.Contains(text, "r-"+room) && strings.Contains(text, found)
			})
		})
	}
	said := hook.said()
	require.Len(t, slices.DeleteFunc(said, func(text string) bool { return !ofMedia(text) }), 2)
}

func TestMediaThatIsLateIsWaitedFor(t *testing.T) {
	t.Parallel()
	store := newS3Store(t)
	store.lateBy = 8 // more than one look
	w := newMediaWorld(t, store, nil)
	w.startWorker()
	w.room("late", fakelivekit.RoomScript{Call: 2 * time.Second})
	store.record(w, "late")
	v := w.verdict("late")
	require.Equal(t, egress.MediaPresent, v.Media, v.MediaBecause)
}

// toldWhileAway records the room "down", whose end is told while its store is away.
func toldWhileAway(t *testing.T, store *s3Store) (w *world, egressID string) {
	t.Helper()
	w = newMediaWorld(t, store, func(environ map[string]string) { environ["REELKEEPER_VERIFY_FOR"] = "1s" })
	w.startWorker()
	store.set(true)
	w.room("down", fakelivekit.RoomScript{Call: 2 * time.Second})
	id := store.record(w, "down").Info.Proto().GetEgressId()
	w.want("the consumer is told", func() bool { return len(w.consumer.told(id)) == 1 })
	return w, id
}

// A store that is down delays the announcement for its time and no longer; the look is repeated
// once the store is back.
func TestAStoreThatIsDownHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	store := newS3Store(t)
	w, id := toldWhileAway(t, store)
	s := w.state("down")
	require.Equal(t, egress.MediaUnchecked, s.Media.Media)
	require.Equal(t, egress.Settled, s.Phase, "the look is still to come")

	store.set(false)
	v := w.verdict("down")
	require.Equal(t, egress.MediaPresent, v.Media, v.MediaBecause)
	require.Contains(t, v.Delivered, "verify")
	require.Len(t, w.consumer.told(id), 1)
}

func TestSegmentsOfWhatFailedAreSalvaged(t *testing.T) {
	t.Parallel()
	store := newS3Store(t)
	w := newMediaWorld(t, store, nil)
	w.startWorker()
	w.room("broken", fakelivekit.RoomScript{Call: 6 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	store.record(w, "broken")
	v := w.verdict("broken")
	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	require.Equal(t, egress.MediaUnchecked, v.Media)
	require.Contains(t, v.MediaBecause, "segments were left behind at broken/seg")
	require.Equal(t, []string{"segments broken/seg", "salvage broken/seg-salvaged.m3u8"}, kinds(v.Files, egress.MediaPresent))
	require.Contains(t, store.text(t, "broken/seg-salvaged.m3u8"), "\nseg_00000.ts\n")
}

// LiveKit forgets the egress, whose worker goes on and uploads what it recorded.
func TestTheFileOfALostEgressIsFound(t *testing.T) {
	t.Parallel()
	store := newS3Store(t)
	w := newMediaWorld(t, store, func(environ map[string]string) { environ["REELKEEPER_LOST_AFTER"] = "5s" })
	w.startWorker()
	w.room("forgotten", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Forgotten}})
	store.record(w, "forgotten")
	v := w.verdict("forgotten")
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, egress.MediaUnchecked, v.Media)
	require.Contains(t, v.MediaBecause, "; file found at forgotten/call.mp4; images found at forgotten/img; ")
	require.Equal(t, []string{"file forgotten/call.mp4", "images forgotten/img", "segments forgotten/seg", "salvage forgotten/seg-salvaged.m3u8"}, kinds(v.Files, egress.MediaPresent))
}

// As recorded in tc-kill-handler: the end has the names of the start.
func TestSegmentsOfAKilledRecorderAreSalvagedUnderTheNamesInUse(t *testing.T) {
	t.Parallel()
	store := newS3Store(t)
	w := newMediaWorld(t, store, nil)
	w.startWorker()
	w.room("killed", fakelivekit.RoomScript{Call: 6 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-killed", Request: &livekit.ParticipantEgressRequest{
		RoomName: "killed", Identity: "alice",
		SegmentOutputs: []*livekit.SegmentedFileOutput{{PlaylistName: "killed/{publisher_identity}.m3u8", Output: &livekit.SegmentedFileOutput_S3{S3: store.upload()}}},
	}})
	require.NoError(t, err)
	v := w.verdict("killed")
	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	require.Equal(t, "killed/{publisher_identity}.m3u8", v.Info.Proto().GetSegmentResults()[0].GetPlaylistName())
	require.Equal(t, []string{"segments killed/alice", "salvage killed/alice-salvaged.m3u8"}, kinds(v.Files, egress.MediaPresent), v.MediaBecause)
}
