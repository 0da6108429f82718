package egress_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestADeepRoundComesEveryQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	each := func(d time.Duration) egress.Reconciliation {
		return egress.Reconciliation{Every: egress.Duration(d)}
	}
	quarter := noon.Truncate(egress.DeepEvery)
	for name, tc := range map[string]struct {
		r    egress.Reconciliation
		at   time.Time
		last time.Time
		want bool
	}{
		"the first of all, at the quarter":     {each(time.Minute), quarter, time.Time{}, true},
		"the first of all, in its minute":      {each(time.Minute), quarter.Add(59 * time.Second), time.Time{}, true},
		"the first of all, later":              {each(time.Minute), quarter.Add(time.Minute), time.Time{}, false},
		"the first of all, asked for":          {egress.Reconciliation{Deep: true}, quarter.Add(time.Minute), time.Time{}, true},
		"one started by hand":                  {egress.Reconciliation{}, quarter.Add(time.Minute), time.Time{}, false},
		"a quarter after the last":             {each(time.Minute), noon, noon.Add(-15 * time.Minute), true},
		"a quarter, and the schedule is early": {each(time.Minute), noon, noon.Add(-15*time.Minute + 30*time.Second), true},
		"a minute too soon":                    {each(time.Minute), noon, noon.Add(-14 * time.Minute), false},
		"the last deep one failed":             {each(time.Minute), noon, noon.Add(-16 * time.Minute), true},
		"rounds that are seldom":               {each(time.Hour), noon, noon.Add(-time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.r.DeepDue(tc.at, tc.last))
		})
	}
}

func TestTheCommandOfADeepRoundIsTheOneInTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "reconciler.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "\n"+egress.DeepRoundCommand+"\n")
}

func TestALiveKitEgressIsReadForTheComparison(t *testing.T) {
	t.Parallel()
	second := func(n int) int64 { return noon.Add(time.Duration(n) * time.Second).UnixNano() }
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	hook := func(token string) *livekit.EgressInfo_Web {
		return &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: "https://us" + token}}}}
	}
	streamed := func(files []*livekit.EncodedFileOutput) *livekit.EgressInfo_RoomComposite {
		return &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{
			FileOutputs: files, StreamOutputs: []*livekit.StreamOutput{{Urls: []string{"rtmp://a/b"}}},
		}}
	}
	track := func(r *livekit.TrackEgressRequest) *livekit.EgressInfo_Track {
		return &livekit.EgressInfo_Track{Track: r}
	}
	ours := func(t egress.Token) bool { return t.MAC == "good" }
	for name, tc := range map[string]struct {
		info *livekit.EgressInfo
		want egress.Listed
	}{
		"running since its start":    {&livekit.EgressInfo{EgressId: "EG_1", RoomName: "r", RoomId: "RM", Status: active, StartedAt: second(1), UpdatedAt: second(9)}, egress.Listed{ID: "EG_1", Room: "r", RoomID: "RM", Status: active, Since: at(1)}},
		"not started, but updated":   {&livekit.EgressInfo{EgressId: "EG_1", UpdatedAt: second(9)}, egress.Listed{ID: "EG_1", Since: at(9)}},
		"over since its end":         {&livekit.EgressInfo{EgressId: "EG_1", Status: finished, StartedAt: second(1), EndedAt: second(5), UpdatedAt: second(9)}, egress.Listed{ID: "EG_1", Status: finished, Since: at(5)}},
		"over, and no end is said":   {&livekit.EgressInfo{EgressId: "EG_1", Status: finished, StartedAt: second(1), UpdatedAt: second(9)}, egress.Listed{ID: "EG_1", Status: finished, Since: at(9)}},
		"nothing is said":            {&livekit.EgressInfo{}, egress.Listed{}},
		"our token":                  {&livekit.EgressInfo{EgressId: "EG_1", Request: hook("/webhooks/livekit/r-1/1/good")}, egress.Listed{ID: "EG_1", RequestID: "r-1"}},
		"another's token":            {&livekit.EgressInfo{EgressId: "EG_1", Request: hook("/webhooks/livekit/r-1/1/bad")}, egress.Listed{ID: "EG_1", Others: true}},
		"streamed alone":             {&livekit.EgressInfo{EgressId: "EG_1", StreamResults: []*livekit.StreamInfo{{Url: "rtmp://a/b"}}, Request: streamed(nil)}, egress.Listed{ID: "EG_1", KeepsNothing: true}},
		"streamed and kept":          {&livekit.EgressInfo{EgressId: "EG_1", StreamResults: []*livekit.StreamInfo{{Url: "rtmp://a/b"}}, Request: streamed([]*livekit.EncodedFileOutput{{Filepath: "a.mp4"}})}, egress.Listed{ID: "EG_1"}},
		"streamed, by a newer start": {&livekit.EgressInfo{EgressId: "EG_1", StreamResults: []*livekit.StreamInfo{{}}, FileResults: []*livekit.FileInfo{{}}}, egress.Listed{ID: "EG_1"}},
		"… to segments and files":    {&livekit.EgressInfo{EgressId: "EG_1", StreamResults: []*livekit.StreamInfo{{}}, FileResults: []*livekit.FileInfo{{}}, SegmentResults: []*livekit.SegmentsInfo{{}}}, egress.Listed{ID: "EG_1"}},
		"… to images and files":      {&livekit.EgressInfo{EgressId: "EG_1", StreamResults: []*livekit.StreamInfo{{}}, FileResults: []*livekit.FileInfo{{}}, ImageResults: []*livekit.ImagesInfo{{}}}, egress.Listed{ID: "EG_1"}},
		"… and there is the file":    {&livekit.EgressInfo{EgressId: "EG_1", StreamResults: []*livekit.StreamInfo{{}}, FileResults: []*livekit.FileInfo{{}}, Request: streamed([]*livekit.EncodedFileOutput{{Filepath: "a.mp4"}})}, egress.Listed{ID: "EG_1"}},
		"to a websocket":             {&livekit.EgressInfo{EgressId: "EG_1", Request: track(&livekit.TrackEgressRequest{Output: &livekit.TrackEgressRequest_WebsocketUrl{WebsocketUrl: "wss://a"}})}, egress.Listed{ID: "EG_1", KeepsNothing: true}},
		"of a track, to a file":      {&livekit.EgressInfo{EgressId: "EG_1", Request: track(&livekit.TrackEgressRequest{Output: &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{}}})}, egress.Listed{ID: "EG_1"}},
		"a webhook of the caller's":  {&livekit.EgressInfo{EgressId: "EG_1", Request: hook("/hook")}, egress.Listed{ID: "EG_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.ListedAs(tc.info, ours))
		})
	}
}

func TestTheSameNewsIsTheSameEvent(t *testing.T) {
	t.Parallel()
	event := func(id string, s livekit.EgressStatus, updated int64) *livekit.WebhookEvent {
		e, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: id, Status: s, UpdatedAt: updated, Request: &livekit.EgressInfo_RoomComposite{
			RoomComposite: &livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{{Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Secret: "CANARY"}}}}},
		}})
		require.NoError(t, err)
		require.NotContains(t, string(e.Raw()), "CANARY")
		return e.Proto()
	}
	first := event("EG_1", active, 1)
	require.Equal(t, egress.EventUpdated, first.GetEvent())
	require.Equal(t, egress.EventEnded, event("EG_1", finished, 1).GetEvent())
	require.Equal(t, first.GetId(), event("EG_1", active, 2).GetId())
	require.NotEqual(t, first.GetId(), event("EG_1", ending, 1).GetId())
	require.NotEqual(t, first.GetId(), event("EG_2", active, 1).GetId())
	require.True(t, strings.HasPrefix(first.GetId(), "EV_"))
}

// LiveKit runs an egress twice under its ID, and it fails twice.
func TestTheEndOfASecondRunIsAnotherEvent(t *testing.T) {
	t.Parallel()
	end := func(at int64, run int32) *livekit.EgressInfo {
		return &livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", Status: livekit.EgressStatus_EGRESS_FAILED, StartedAt: 1, EndedAt: at, RetryCount: run}
	}
	listed := map[string]bool{}
	for _, m := range []*livekit.EgressInfo{end(2, 0), end(3, 0), end(3, 1)} {
		e, err := egress.ListedEvent(m)
		require.NoError(t, err)
		listed[e.Proto().GetId()] = true
	}
	require.Len(t, listed, 3, "Temporal drops a signal that it has had")

	told := map[string]bool{}
	for _, corrects := range []egress.Status{"", "EGRESS_FAILED", egress.Lost} {
		info, err := egress.NewInfo(end(3, 0))
		require.NoError(t, err)
		s := egress.State{Phase: egress.Settled, ID: "EG_1", Latest: info, Outcome: egress.Outcome{Status: "EGRESS_FAILED"}, Corrects: corrects}
		e, err := s.Announcement()
		require.NoError(t, err)
		told[e.Proto().GetId()] = true
	}
	require.Len(t, told, 2, "a consumer drops an event that it has had")
}

func TestAStrayThatHasEndedIsSettledByItsFirstNews(t *testing.T) {
	t.Parallel()
	e, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: "EG_1", Status: finished, EndedAt: noon.UnixNano()})
	require.NoError(t, err)
	o, _, err := egress.ObserveListed(e, noon.Add(time.Minute))
	require.NoError(t, err)
	s := &egress.State{Phase: egress.Requested, Part: 1, Started: true}
	require.Equal(t, egress.Moved, s.Observe(o))
	require.Equal(t, egress.Settled, s.Phase)
	v := s.Verdict("EG_1", egress.Summary{})
	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.NotEmpty(t, v.Missed)
	require.Equal(t, egress.Duration(time.Minute), v.Late)
}

func TestAnActiveEgressIsLeftAloneForLongerWhileItIsWatched(t *testing.T) {
	t.Parallel()
	p := egress.DefaultPolicy()
	for every, want := range map[time.Duration]time.Duration{
		time.Minute: 6 * time.Hour, 5 * time.Minute: 6 * time.Hour, 5*time.Minute + 1: 0, 0: 0, -1: 0,
	} {
		got, ok := p.Watched(egress.Duration(every), 2, 0.5)
		require.Equal(t, want > 0, ok, every)
		require.Equal(t, want, got, every)
	}
}

func TestWhatBeganTogetherIsNotLookedAtTogetherHoursLater(t *testing.T) {
	t.Parallel()
	p := egress.DefaultPolicy()
	for _, tc := range []struct {
		n      int
		spread float64
		want   time.Duration
	}{
		{1, 0, 4*minute + 30*time.Second}, {1, 0.5, 182*minute + 30*time.Second}, {1, 1, 360*minute + 30*time.Second},
		{2, 0, 324 * minute}, {2, 1, 396 * minute},
		{3, 0.5, 360 * minute},
	} {
		got, ok := p.Watched(egress.Duration(minute), tc.n, tc.spread)
		require.True(t, ok)
		require.InDelta(t, tc.want, got, 1, tc)
	}
}

func TestWhatIsToldOfARoundIsBounded(t *testing.T) {
	t.Parallel()
	var list []string
	for range 2 * egress.MaxWords {
		list = egress.AppendBounded(list, "word")
	}
	require.Len(t, list, egress.MaxWords)
	r := egress.Round{}
	for _, d := range egress.Deeds() {
		r.Count(d)
	}
	require.Equal(t, egress.Round{Adopted: 1, Nudged: 1, Twins: 1, Parts: 1, Suspected: 1, Quarantined: 1}, r)
}

func TestWhyAWebhookWasMissedGoesWithWhatTheReconcilerSaw(t *testing.T) {
	t.Parallel()
	e, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", Status: complete, EndedAt: noon.UnixNano()})
	require.NoError(t, err)
	with, err := e.WithMissed(egress.MissedDown, "it was away")
	require.NoError(t, err)
	for _, tc := range []struct {
		event   egress.Event
		class   egress.Missed
		because string
	}{{with, egress.MissedDown, "it was away"}, {e, egress.MissedUnclassified, ""}} {
		o, _, err := egress.ObserveListed(tc.event, noon.Add(minute))
		require.NoError(t, err)
		s := watched(t)
		require.Equal(t, egress.Moved, s.Observe(o))
		require.Equal(t, egress.Settled, s.Phase)
		v := s.Verdict("r", egress.Summary{})
		require.Equal(t, tc.class, v.Missed)
		require.Equal(t, tc.because, v.MissedBecause)
	}
}

// Of our closed workflows, a deep round reads only those that may concern what LiveKit still
// lists.
func TestADeepRoundReadsAsFarBackAsLiveKitsListGoes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixNano() }
	for name, tc := range map[string]struct {
		listed []*livekit.EgressInfo
		want   time.Duration
	}{
		"nothing is listed":            {nil, time.Minute},
		"the first one began":          {[]*livekit.EgressInfo{{StartedAt: ago(time.Hour), EndedAt: ago(time.Minute)}, {StartedAt: ago(3 * time.Hour)}}, 3*time.Hour + time.Minute},
		"one never began":              {[]*livekit.EgressInfo{{EndedAt: ago(time.Hour)}}, 76 * time.Minute},
		"one of which nothing is said": {[]*livekit.EgressInfo{{StartedAt: ago(time.Hour)}, {}}, egress.Remembered},
		"one has run for days":         {[]*livekit.EgressInfo{{StartedAt: ago(72 * time.Hour)}}, 25 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, now.Add(-tc.want), egress.ClosedSince(tc.listed, now))
		})
	}
}

func TestAfterAGapNothingThatIsRememberedCounts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	long := at.Add(-24 * time.Hour)
	for name, tc := range map[string]struct {
		every time.Duration
		last  egress.Round
		want  time.Time
	}{
		"each minute":              {time.Minute, egress.Round{At: at.Add(-time.Minute), Anew: long}, long},
		"rounds were slow":         {time.Minute, egress.Round{At: at.Add(-15 * time.Minute), Anew: long}, long},
		"a gap":                    {time.Minute, egress.Round{At: at.Add(-16 * time.Minute), Anew: long}, at},
		"one was left out":         {time.Hour, egress.Round{At: at.Add(-2 * time.Hour), Anew: long}, long},
		"a gap of the seldom ones": {time.Hour, egress.Round{At: at.Add(-3 * time.Hour), Anew: long}, at},
		"none before it":           {time.Minute, egress.Round{}, at},
	} {
		got := egress.Reconciliation{Every: egress.Duration(tc.every)}.Anew(at, tc.last)
		require.Equal(t, tc.want, got, name)
	}
}
