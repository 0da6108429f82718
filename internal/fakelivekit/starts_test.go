package fakelivekit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// given starts a recording in the background, and gives up when told to.
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
	if err := giveUp(); err == nil {
		t.Error("the reply came")
	}
	if got := f.Egresses(); len(got) != 0 {
		t.Errorf("accepted %v", got)
	}
}

func TestAClientThatGivesUpLaterHasARecording(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartReply = time.Hour })
	f.room("daily", fakelivekit.RoomScript{})
	giveUp := f.given("daily")
	id := f.only().Info.EgressId
	if err := giveUp(); err == nil {
		t.Error("the reply came")
	}
	f.active(id)
	f.endCall("daily")
	if got := f.ended(id).EgressInfo.Status; got != livekit.EgressStatus_EGRESS_COMPLETE {
		t.Errorf("got %v", got)
	}
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
	if got := f.ended(id).EgressInfo.Status; got != livekit.EgressStatus_EGRESS_ABORTED {
		t.Errorf("got %v", got)
	}
	require.NoError(t, <-done)
	if got, _ := f.endpoint.all(named(webhook.EventEgressStarted, id)); len(got) != 0 {
		t.Errorf("came: %v", names(got))
	}
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
	if err := <-done; codeOf(err) != twirp.NotFound {
		t.Errorf("got %v", err)
	}
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
	if len(ids) != 200 || len(f.Egresses()) != 200 {
		t.Errorf("%d IDs, %d egresses", len(ids), len(f.Egresses()))
	}
}

func TestStartingTwiceMakesTwoEgresses(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	if a, b := f.record("daily"), f.record("daily"); a == b {
		t.Errorf("one ID for two starts: %s", a)
	}
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
	if s3.AccessKey != "{access_key}" || s3.Secret != "{secret}" || s3.Tagging != "token=1" || s3.Proxy.Password != "kept" {
		t.Errorf("one output: %v", s3)
	}
	two := person("daily")
	two.FileOutputs = []*livekit.EncodedFileOutput{{Filepath: "a.mp4", Output: upload()}, {Filepath: "b.mp4", Output: upload()}}
	if info, err = f.egress.StartParticipantEgress(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if s3 := info.GetParticipant().FileOutputs[0].GetS3(); s3.Secret != "topsecret" {
		t.Errorf("two outputs: %v", s3)
	}
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
	if len(got) != 2 || got[0].Url != "rtmp://a.example/live/{abc...jkl}" || got[0].Status != livekit.StreamInfo_FINISHED || got[1].Status != livekit.StreamInfo_ACTIVE {
		t.Errorf("streams %v", got)
	}
	_, err = f.stop(info.EgressId)
	require.NoError(t, err)
	end := f.ended(info.EgressId)
	if end.Room.Sid != "" || end.EgressInfo.StreamResults[1].Status != livekit.StreamInfo_FINISHED {
		t.Errorf("ended %v", end)
	}
	_, err = f.egress.UpdateStream(t.Context(), &livekit.UpdateStreamRequest{EgressId: info.EgressId})
	if codeOf(err) != twirp.FailedPrecondition {
		t.Errorf("afterwards: %v", err)
	}
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
	if err := change(info.EgressId); codeOf(err) != twirp.NotFound {
		t.Errorf("without a room: %v", err)
	}
	if err := change("EG_unknown"); codeOf(err) != twirp.NotFound {
		t.Errorf("unknown: %v", err)
	}
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
		slices.Sort(got)
		slices.Sort(l.want)
		if !slices.Equal(got, l.want) {
			t.Errorf("%s: %v, want %v", name, got, l.want)
		}
	}
	if _, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{EgressId: "EG_unknown"}); codeOf(err) != twirp.NotFound {
		t.Errorf("unknown ID: %v", err)
	}
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
	if got := f.Egresses(); len(got) != 1 || got[0].Info.Status != livekit.EgressStatus_EGRESS_COMPLETE {
		t.Errorf("in truth %v", got)
	}
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
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info.SourceType != c.source || info.RoomName != c.room || info.FileResults[0].Filename != "x.ogg" {
			t.Errorf("%s: %v", name, info)
		}
		f.active(info.EgressId)
	}
}

// The same faults for the same seed is what lets a failed run be repeated.
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
	if first != again {
		t.Errorf("seed 7 struck\n%s, then\n%s", first, again)
	}
	if first == other {
		t.Errorf("seeds 7 and 8 both struck\n%s", first)
	}
}

func TestAStreamURLWithoutAKeyIsRefusedAndQuotedWhole(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	_, err := f.egress.StartWebEgress(t.Context(), &livekit.WebEgressRequest{
		Url:           "https://example.com",
		StreamOutputs: []*livekit.StreamOutput{{Urls: []string{"rtmps://a.example/live/abcdefghijkl", "rtmps://a.example/mnopqrstuvwx"}}},
	})
	if codeOf(err) != twirp.InvalidArgument || !strings.Contains(err.Error(), "invalid url rtmps://a.example/mnopqrstuvwx: rtmp urls must be") {
		t.Errorf("got %v", err)
	}
}
