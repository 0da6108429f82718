package fakelivekit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"golang.org/x/sync/errgroup"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// given starts a recording in the background, which gives up when told to.
func (f *fake) given(room string) (giveUp func() error) {
	ctx, cancel := context.WithCancel(f.Context())
	done := make(chan error, 1)
	go func() {
		_, err := f.egress.StartParticipantEgress(ctx, person(room))
		done <- err
	}()
	return func() error {
		cancel()
		return <-done
	}
}

func TestAClientThatGivesUpBeforeAWorkerHasItsStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartClaim = time.Hour })
	f.room("daily", fakelivekit.RoomScript{})
	giveUp := f.given("daily")
	f.waitUntil("the call", func() bool { return f.Calls()["StartParticipantEgress"] == 1 })
	require.Error(t, giveUp(), "the reply came")
	require.Empty(t, f.Egresses())
}

func TestAClientThatGivesUpLaterHasARecording(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartReply = time.Hour })
	f.room("daily", fakelivekit.RoomScript{})
	giveUp := f.given("daily")
	id := f.only().Info.EgressId
	require.Error(t, giveUp(), "the reply came")
	f.active(id)
	f.endCall("daily")
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, f.ended(id).EgressInfo.Status)
}

func TestASlowStartWhoseRoomIsGoneIsHeardOfOnlyAtItsEnd(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartSlow = 6 * time.Second })
	f.room("daily", always(fakelivekit.StartSlow))
	done := make(chan error, 1)
	go func() {
		_, err := f.egress.StartParticipantEgress(f.Context(), person("daily"))
		done <- err
	}()
	id := f.only().Info.EgressId
	f.deleteRoom("daily")
	require.Equal(t, livekit.EgressStatus_EGRESS_ABORTED, f.ended(id).EgressInfo.Status)
	require.NoError(t, <-done)
	f.untold(named(webhook.EventEgressStarted, id))
}

func TestARoomThatIsDeletedWhileAStartLooksForAWorkerIsNotFound(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.HoldStarts()
	done := make(chan error, 1)
	go func() {
		_, err := f.egress.StartParticipantEgress(f.Context(), person("daily"))
		done <- err
	}()
	f.waitUntil("the call", func() bool { return f.Calls()["StartParticipantEgress"] == 1 })
	f.deleteRoom("daily")
	f.ReleaseStarts()
	require.Equal(t, twirp.NotFound, codeOf(<-done))
}

func TestTwoHundredStartsAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	var mu sync.Mutex
	ids := map[string]bool{}
	var g errgroup.Group
	for range 200 {
		g.Go(func() error {
			info, err := f.egress.StartParticipantEgress(t.Context(), person("daily"))
			mu.Lock()
			defer mu.Unlock()
			ids[info.GetEgressId()] = true
			return err
		})
	}
	require.NoError(t, g.Wait())
	f.deleteRoom("daily")
	f.await(200, named(webhook.EventEgressEnded, ""))
	require.Len(t, ids, 200)
	require.Len(t, f.Egresses(), 200)
}

func TestStartingTwiceMakesTwoEgresses(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	require.NotEqual(t, f.record("daily"), f.record("daily"))
}

func TestTheEchoIsRedactedAsFarAsLiveKitDoesIt(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	upload := func() *livekit.EncodedFileOutput_S3 {
		return &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{
			AccessKey: "AKIAEXAMPLE", Secret: "topsecret", Bucket: "rec", Tagging: "token=1",
			Proxy: &livekit.ProxyConfig{Url: "http://proxy", Password: "kept"},
		}}
	}
	one := person("daily")
	one.FileOutputs[0].Output = upload()
	info, err := f.egress.StartParticipantEgress(t.Context(), one)
	require.NoError(t, err)
	s3 := info.GetParticipant().FileOutputs[0].GetS3()
	require.Equal(t, []string{"{access_key}", "{secret}", "token=1", "kept"}, []string{s3.AccessKey, s3.Secret, s3.Tagging, s3.Proxy.Password})
	two := person("daily")
	two.FileOutputs = []*livekit.EncodedFileOutput{{Filepath: "a.mp4", Output: upload()}, {Filepath: "b.mp4", Output: upload()}}
	info, err = f.egress.StartParticipantEgress(t.Context(), two)
	require.NoError(t, err)
	require.Equal(t, "topsecret", info.GetParticipant().FileOutputs[0].GetS3().Secret, "of two outputs")
}

func TestStreamsAreUpdatedAndRedacted(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	info, err := f.egress.StartWebEgress(t.Context(), &livekit.WebEgressRequest{
		Url:           "https://example.com",
		StreamOutputs: []*livekit.StreamOutput{{Urls: []string{"rtmp://a.example/live/abcdefghijkl"}}},
	})
	require.NoError(t, err)
	f.active(info.EgressId)
	info, err = f.egress.UpdateStream(t.Context(), &livekit.UpdateStreamRequest{
		EgressId: info.EgressId, AddOutputUrls: []string{"rtmp://b.example/live/mnopqrstuvwx"}, RemoveOutputUrls: []string{"rtmp://a.example/live/abcdefghijkl"},
	})
	require.NoError(t, err)
	got := info.StreamResults
	require.Len(t, got, 2)
	require.Equal(t, "rtmp://a.example/live/{abc...jkl}", got[0].Url)
	require.Equal(t, livekit.StreamInfo_FINISHED, got[0].Status)
	require.Equal(t, livekit.StreamInfo_ACTIVE, got[1].Status)
	_, err = f.stop(info.EgressId)
	require.NoError(t, err)
	end := f.ended(info.EgressId)
	require.Empty(t, end.Room.Sid)
	require.Equal(t, livekit.StreamInfo_FINISHED, end.EgressInfo.StreamResults[1].Status)
	require.Equal(t, twirp.FailedPrecondition, codeOf(errorOf(f.egress.UpdateStream(t.Context(), &livekit.UpdateStreamRequest{EgressId: info.EgressId}))))
}

func TestLayoutsAreChangedThroughTheRecorder(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	info, err := f.egress.StartRoomCompositeEgress(t.Context(), composite("daily"))
	require.NoError(t, err)
	f.await(1, isRecorder("participant_joined"))
	change := func(id string) error {
		_, err := f.egress.UpdateLayout(t.Context(), &livekit.UpdateLayoutRequest{EgressId: id, Layout: "grid"})
		return err
	}
	require.NoError(t, change(info.EgressId))
	f.deleteRoom("daily")
	require.Equal(t, twirp.NotFound, codeOf(change(info.EgressId)))
	require.Equal(t, twirp.NotFound, codeOf(change("EG_unknown")))
}

func TestListsAreFiltered(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("one", fakelivekit.RoomScript{})
	f.room("two", fakelivekit.RoomScript{})
	a, b, c := f.record("one"), f.record("one"), f.record("two")
	f.active(a)
	_, err := f.stop(a)
	require.NoError(t, err)
	f.ended(a)
	for name, l := range map[string]struct {
		req  *livekit.ListEgressRequest
		want []string
	}{
		"all":              {&livekit.ListEgressRequest{}, []string{a, b, c}},
		"active":           {&livekit.ListEgressRequest{Active: true}, []string{b, c}},
		"one room":         {&livekit.ListEgressRequest{RoomName: "one"}, []string{a, b}},
		"active in a room": {&livekit.ListEgressRequest{RoomName: "one", Active: true}, []string{b}},
		"no such room":     {&livekit.ListEgressRequest{RoomName: "three"}, nil},
		"by ID":            {&livekit.ListEgressRequest{EgressId: a, Active: true}, []string{a}},
		"a page token":     {&livekit.ListEgressRequest{PageToken: &livekit.TokenPagination{Token: "ignored"}}, []string{a, b, c}},
	} {
		resp, err := f.egress.ListEgress(t.Context(), l.req)
		require.NoError(t, err)
		var got []string
		for _, info := range resp.Items {
			got = append(got, info.EgressId)
		}
		require.ElementsMatch(t, l.want, got, name)
	}
	require.Equal(t, twirp.NotFound, codeOf(errorOf(f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{EgressId: "EG_unknown"}))))
}

func TestAnEndedEgressIsRememberedForADay(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.Remember = 50 * time.Millisecond })
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.active(id)
	f.deleteRoom("daily")
	f.waitUntil("deleted from LiveKit's store", func() bool {
		_, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{EgressId: id})
		return codeOf(err) == twirp.NotFound
	})
	require.Len(t, f.Egresses(), 1, "in truth")
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, f.Egresses()[0].Info.Status)
}

func TestUnifiedStartsKnowTheirSource(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	p := play{fake: f, recording: recording{T: t}}
	outputs := []*livekit.Output{{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: "x", FileType: livekit.EncodedFileType_OGG}}}}
	for name, c := range map[string]struct {
		req    *livekit.StartEgressRequest
		source livekit.EgressSourceType
		room   string
	}{
		"a page":         {&livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Web{Web: &livekit.WebSource{Url: "https://example.com"}}}, 0, ""},
		"a mix of audio": {&livekit.StartEgressRequest{RoomName: "daily", Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{AudioOnly: true}}}, 1, "daily"},
		"a template":     {&livekit.StartEgressRequest{RoomName: "daily", Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{}}}, 0, "daily"},
		"a person":       {&livekit.StartEgressRequest{RoomName: "daily", Source: &livekit.StartEgressRequest_Media{Media: &livekit.MediaSource{}}}, 1, "daily"},
	} {
		c.req.Outputs = outputs
		info, err := p.unified(c.req)
		require.NoError(t, err, name)
		require.Equal(t, c.source, info.SourceType, name)
		require.Equal(t, c.room, info.RoomName, name)
		require.Equal(t, "x.ogg", info.FileResults[0].Filename, name)
		f.active(info.EgressId)
	}
}

// Equal faults for equal seeds allow a failed run to be repeated.
func TestTheSameSeedStrikesTheSameEgresses(t *testing.T) {
	t.Parallel()
	struck := func(seed uint64) string {
		f := start(t, func(cfg *fakelivekit.Config) {
			cfg.Seed = seed
			cfg.Faults = map[fakelivekit.Fault]float64{fakelivekit.Failed: 0.5, fakelivekit.NoEcho: 0.5, fakelivekit.Aborted: 0.2}
		})
		f.room("daily", fakelivekit.RoomScript{})
		for range 12 {
			f.record("daily")
		}
		var all string
		for _, r := range f.Egresses() {
			all += fmt.Sprint(r.Faults)
		}
		return all
	}
	first, again, other := struck(7), struck(7), struck(8)
	require.Equal(t, first, again)
	require.NotEqual(t, first, other)
}

func TestAStreamURLWithoutAKeyIsRefusedAndQuotedWhole(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	_, err := f.egress.StartWebEgress(t.Context(), &livekit.WebEgressRequest{
		Url:           "https://example.com",
		StreamOutputs: []*livekit.StreamOutput{{Urls: []string{"rtmps://a.example/live/abcdefghijkl", "rtmps://a.example/mnopqrstuvwx"}}},
	})
	require.Equal(t, twirp.InvalidArgument, codeOf(err))
	require.ErrorContains(t, err, "invalid url rtmps://a.example/mnopqrstuvwx: rtmp urls must be")
}
