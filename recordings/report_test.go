package recordings

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func hour(h int) time.Time { return time.Date(2026, 3, 4, h, 0, 0, 0, time.FixedZone("CET", 3600)) }

// settled returns a row of an egress that ended at an hour, and of which we heard that late.
func settled(id string, status egress.Status, by egress.Source, missed egress.Missed, ended int, late time.Duration) Row {
	closed := hour(ended).Add(time.Hour)
	return Row{
		RequestID: id, EgressID: "EG_" + id, Room: "daily", Status: status, EndedBy: by, Missed: missed, Workflow: "completed",
		StartedAt: hour(0), ClosedAt: &closed, AskedBy: egress.AskedBy("APIkey", "ann"),
		Memo: &egress.Memo{RoomID: "RM_" + id, EndedAt: hour(ended), Late: egress.Duration(late), Missed: missed},
	}
}

func TestAReportCountsEveryEgressOnce(t *testing.T) {
	t.Parallel()
	delivering := settled("e", "EGRESS_COMPLETE", egress.FromReconcile, egress.MissedDown, 5, 0)
	delivering.Workflow, delivering.ClosedAt, delivering.Memo, delivering.Stuck = "running", nil, nil, true
	rows := []Row{
		settled("a", "EGRESS_COMPLETE", egress.FromWebhook, "", 1, 40*time.Millisecond),
		settled("b", "EGRESS_COMPLETE", egress.FromPoll, egress.MissedSlow, 2, 21*time.Second),
		settled("c", "EGRESS_FAILED", egress.FromPoll, egress.MissedSlow, 3, 60*time.Second),
		settled("d", egress.Lost, egress.FromTimeout, egress.MissedUntried, 4, 0),
		delivering,
		{RequestID: "f", Workflow: "running", Status: "EGRESS_ACTIVE"},
		{RequestID: "g", Workflow: "running", Stuck: true},
		{RequestID: "h", Workflow: "failed"},
		{RequestID: "i", Workflow: "terminated"},
		{RequestID: "f", Workflow: "continuedasnew", Status: "EGRESS_ACTIVE"},
	}
	r := ReportOf(rows, hour(0), hour(10))
	counts := [...]int{r.Egresses, r.Running, r.Settled, r.Refused, r.BrokenOff, r.Missed, r.Lost, r.Stuck}
	if want := [...]int{9, 2, 5, 1, 1, 4, 1, 2}; counts != want {
		t.Errorf("got %v, want %v", counts, want)
	}
	if r.MissedRate != 0.8 || !r.Drift() {
		t.Errorf("got the rate %v", r.MissedRate)
	}
	if want := map[egress.Status]int{"EGRESS_COMPLETE": 3, "EGRESS_FAILED": 1, egress.Lost: 1}; !maps.Equal(r.Verdicts, want) {
		t.Errorf("got %v", r.Verdicts)
	}
	if want := map[egress.Source]int{egress.FromWebhook: 1, egress.FromPoll: 2, egress.FromTimeout: 1, egress.FromReconcile: 1}; !maps.Equal(r.EndedBy, want) {
		t.Errorf("got %v", r.EndedBy)
	}
	if want := map[egress.Missed]int{egress.MissedSlow: 2, egress.MissedUntried: 1, egress.MissedDown: 1}; !maps.Equal(r.Classes, want) {
		t.Errorf("got %v", r.Classes)
	}
	if want := (Lateness{egress.Duration(21 * time.Second), egress.Duration(time.Minute), egress.Duration(time.Minute)}); r.Lateness != want {
		t.Errorf("got %v, want %v without the lost one", r.Lateness, want)
	}
}

func TestTheMissedAreListedNewestFirstInUTC(t *testing.T) {
	t.Parallel()
	undelivered := settled("b", "EGRESS_COMPLETE", egress.FromPoll, egress.MissedDown, 9, 0)
	undelivered.Memo, undelivered.ClosedAt = nil, nil
	r := ReportOf([]Row{
		undelivered,
		settled("c", "EGRESS_COMPLETE", egress.FromPoll, egress.MissedSlow, 2, time.Second),
		settled("d", egress.Lost, egress.FromTimeout, egress.MissedUntried, 4, 0),
	}, hour(0), hour(10))
	var got []string
	for _, m := range r.Misses {
		b, err := json.Marshal(m)
		must(t, err)
		got = append(got, string(b))
	}
	want := []string{
		`{"date":"2026-03-04T03:00:00Z","room_id":"RM_d","room":"daily","egress_id":"EG_d","request_id":"d","status":"LOST","class":"never_tried","late":"0s","asked_by":{"api_key":"APIkey","identity":"ann"}}`,
		`{"date":"2026-03-04T01:00:00Z","room_id":"RM_c","room":"daily","egress_id":"EG_c","request_id":"c","status":"EGRESS_COMPLETE","class":"endpoint_slow","late":"1s","asked_by":{"api_key":"APIkey","identity":"ann"}}`,
		`{"date":"2026-03-03T23:00:00Z","room":"daily","egress_id":"EG_b","request_id":"b","status":"EGRESS_COMPLETE","class":"endpoint_down","late":"0s","asked_by":{"api_key":"APIkey","identity":"ann"}}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAReportOfNothingIsClean(t *testing.T) {
	t.Parallel()
	r := ReportOf(nil, hour(1), hour(2))
	if r.Drift() || r.Egresses != 0 || r.MissedRate != 0 || r.Misses == nil {
		t.Errorf("got %+v", r)
	}
	for name, row := range map[string]Row{
		"missed": {EndedBy: egress.FromPoll, Missed: egress.MissedLate}, "lost": {EndedBy: egress.FromStop, Status: egress.Lost}, "stuck": {Workflow: "running", Stuck: true},
		"broken off": {Workflow: "terminated"},
	} {
		if !ReportOf([]Row{row}, hour(1), hour(2)).Drift() {
			t.Errorf("%s is no drift", name)
		}
	}
}

func TestARunThatBrokeOffCountsUnlessItsRecordingWasTakenUp(t *testing.T) {
	t.Parallel()
	off := Row{RequestID: "a", EgressID: "EG_a", Workflow: "terminated", StartedAt: hour(2)}
	for name, tc := range map[string]struct {
		other   Row
		counted int
		settled int
	}{
		"by its request":             {Row{RequestID: "a", EgressID: "EG_a", Workflow: "completed", EndedBy: egress.FromPoll, StartedAt: hour(3)}, 0, 1},
		"under the ID of its egress": {Row{RequestID: "EG_a", EgressID: "EG_a", Workflow: "running", StartedAt: hour(3)}, 0, 0},
		"by a run before it":         {Row{RequestID: "a", EgressID: "EG_a", Workflow: "completed", EndedBy: egress.FromPoll, StartedAt: hour(1)}, 1, 1},
		"another recording":          {Row{RequestID: "b", EgressID: "EG_b", Workflow: "completed", EndedBy: egress.FromPoll, StartedAt: hour(3)}, 1, 1},
		"by a run that was refused":  {Row{RequestID: "a", Workflow: "failed", StartedAt: hour(3)}, 1, 0},
		"another without an egress":  {Row{RequestID: "b", Workflow: "failed", StartedAt: hour(3)}, 1, 0},
	} {
		r := ReportOf([]Row{tc.other, off}, hour(0), hour(9))
		if r.BrokenOff != tc.counted || r.Settled != tc.settled || r.Egresses != 1+tc.counted {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

// Temporal resets a closed run, as after a failover of a replicated namespace, or a person does.
func TestARecordingWhoseRunWasResetCountsOnce(t *testing.T) {
	t.Parallel()
	first := settled("a", "EGRESS_COMPLETE", egress.FromPoll, egress.MissedSlow, 2, time.Minute)
	first.RunID = "run-1"
	for name, tc := range map[string]struct {
		change func(again *Row)
		want   [4]int // egresses, settled, missed, running
	}{
		"it has settled":             {func(*Row) {}, [4]int{1, 1, 1, 0}},
		"it has not settled yet":     {func(r *Row) { r.Workflow, r.EndedBy, r.Missed, r.ClosedAt, r.Memo = "running", "", "", nil, nil }, [4]int{1, 0, 0, 1}},
		"it was terminated instead":  {func(r *Row) { r.Workflow, r.EndedBy, r.Missed, r.Memo = "terminated", "", "", nil }, [4]int{2, 1, 1, 0}},
		"of another egress":          {func(r *Row) { r.EgressID = "EG_b" }, [4]int{2, 2, 2, 0}},
		"of another request":         {func(r *Row) { r.RequestID = "b" }, [4]int{2, 2, 2, 0}},
		"before an egress had begun": {func(r *Row) { r.EgressID = "" }, [4]int{2, 2, 2, 0}},
	} {
		again := first
		again.RunID, again.StartedAt = "run-2", hour(4)
		tc.change(&again)
		for _, rows := range [][]Row{{again, first}, {first, again}} {
			r := ReportOf(rows, hour(0), hour(9))
			require.Equal(t, tc.want, [4]int{r.Egresses, r.Settled, r.Missed, r.Running}, name)
		}
	}
}

func TestAQuantileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, tc := range []struct {
		list []int
		q    float64
		want int
	}{
		{nil, 0.5, 0},
		{[]int{7}, 0, 7}, {[]int{7}, 0.5, 7}, {[]int{7}, 1, 7},
		{[]int{1, 2}, 0.5, 1}, {[]int{1, 2}, 0.51, 2}, {[]int{1, 2, 3}, 0.5, 2},
		{hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred[:99], 0.99, 99},
	} {
		if got := quantile(tc.list, tc.q); got != tc.want {
			t.Errorf("%v of %d: got %d, want %d", tc.q, len(tc.list), got, tc.want)
		}
	}
}

func TestAReportCoversWhatRanInItsTime(t *testing.T) {
	t.Parallel()
	id := fresh("report")
	c, w := real(t)
	w.open(id)
	ctx := ctxOf(t, patience)
	_, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id), AskedBy: egress.AskedBy("APIkey", "ann")})
	must(t, err)
	since := time.Now() // what began before and ended in it is part of it
	_, err = c.Stop(ctx, id)
	must(t, err)
	_, err = c.Wait(ctx, id)
	must(t, err)
	if n := awaitRows(t, ctx, c, Filter{Room: id, RanSince: since, Until: since}, 1); n != 1 {
		t.Errorf("got %d rows", n)
	}
	for row, err := range c.List(ctx, Filter{Room: id, RanSince: since}) {
		must(t, err)
		if row.Memo == nil || row.AskedBy == nil || *row.AskedBy != *egress.AskedBy("APIkey", "ann") {
			t.Errorf("got the memo %+v, asked by %+v", row.Memo, row.AskedBy)
		}
	}
	if n := awaitRows(t, ctx, c, Filter{Room: id, RanSince: time.Now().Add(time.Hour)}, 0); n != 0 {
		t.Errorf("it was over before, and is listed %d times", n)
	}
	r, err := c.Report(ctx, since, time.Now())
	must(t, err)
	if r.Egresses == 0 {
		t.Errorf("got %+v", r)
	}
}

// It is in the next report: a verdict falls into one of two adjacent spans.
func TestWhatClosesAfterItsSpanRunsInIt(t *testing.T) {
	t.Parallel()
	closes := settled("a", egress.Lost, egress.FromTimeout, egress.MissedUntried, 4, 0) // an hour later
	open := closes
	open.Workflow, open.ClosedAt = "running", nil // it may be corrected
	for _, tc := range []struct {
		row   Row
		until int
		want  [3]int
	}{
		{closes, 5, [3]int{1, 0, 0}}, {closes, 6, [3]int{0, 1, 1}},
		{open, 4, [3]int{1, 0, 0}}, {open, 5, [3]int{0, 1, 1}},
	} {
		r := ReportOf([]Row{tc.row}, hour(0), hour(tc.until))
		if got := [3]int{r.Running, r.Settled, r.Missed}; got != tc.want {
			t.Errorf("until %d: got %v, want %v", tc.until, got, tc.want)
		}
	}
}

// The run that it continued as began after the span, so no row of it is in the list.
func TestWhatContinuesAsNewAfterItsSpanRunsInIt(t *testing.T) {
	t.Parallel()
	closed := hour(6)
	first := Row{RequestID: "a", RunID: "1", EgressID: "EG_a", Workflow: "continuedasnew", StartedAt: hour(1), ClosedAt: &closed}
	second := Row{RequestID: "a", RunID: "2", EgressID: "EG_a", Workflow: "running", StartedAt: closed}
	for _, tc := range []struct {
		until  time.Time
		listed bool
		rows   []Row
	}{
		{hour(5), true, []Row{first}}, {hour(6), true, []Row{first}},
		{hour(7), false, []Row{first, second}}, {time.Time{}, false, []Row{first, second}},
	} {
		require.Equal(t, tc.listed, Filter{RanSince: hour(0), Until: tc.until}.letsThrough(first), tc.until)
		r := ReportOf(tc.rows, hour(0), tc.until)
		require.Equal(t, []int{1, 1}, []int{r.Egresses, r.Running}, tc.until)
	}
	require.True(t, Filter{Until: hour(5)}.letsThrough(first), "its successor is not in the list")
	require.False(t, Filter{Until: hour(7)}.letsThrough(first), "its successor is in the list")
	require.False(t, Filter{RanSince: hour(0), Until: hour(5), Room: "weekly"}.letsThrough(first))
}

// A recording whose first part is lost did not go well.
func TestAReportCountsEachPartOfARecording(t *testing.T) {
	t.Parallel()
	v := egress.Verdict{
		EgressID: "EG_2", Status: "EGRESS_COMPLETE", EndedBy: egress.FromWebhook, EndedAt: hour(5), HeardAt: hour(5), Media: egress.MediaPresent,
		Parts: []egress.Part{
			{Number: 1, EgressID: "EG_1", Status: egress.Lost, EndedBy: egress.FromTimeout, EndedAt: hour(3), HeardAt: hour(4), Missed: egress.MissedUntried},
			{Number: 2, EgressID: "EG_2", Status: "EGRESS_COMPLETE", EndedBy: egress.FromWebhook, EndedAt: hour(5), Media: &egress.MediaReport{Media: egress.MediaPresent}},
		},
	}
	require.Equal(t, "part 1, EG_1, ended as LOST", v.FailedPart())
	memo, closed := v.Memo(), hour(6)
	row := Row{RequestID: "r", EgressID: "EG_2", Room: "standup", Status: v.Status, EndedBy: v.EndedBy, Memo: &memo, ClosedAt: &closed}

	r := ReportOf([]Row{row}, hour(0), hour(10))

	require.Equal(t, 2, r.Egresses)
	require.Equal(t, 2, r.Settled)
	require.Equal(t, 1, r.Lost)
	require.Equal(t, map[egress.Status]int{egress.Lost: 1, "EGRESS_COMPLETE": 1}, r.Verdicts)
	require.Equal(t, map[egress.Media]int{egress.MediaUnchecked: 1}, r.Media, "nobody has looked at the first part")
	require.Equal(t, 1, r.Missed)
	require.Equal(t, []Miss{{
		Date: hour(3).UTC(), Late: egress.Duration(time.Hour), Room: "standup", EgressID: "EG_1", RequestID: "r", Status: egress.Lost, Class: egress.MissedUntried,
	}}, r.Misses)
	require.True(t, r.Drift())

	require.Equal(t, Lateness{}, r.Lateness, "nobody knows how late what is lost is")

	weekly, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomName: "weekly", RoomId: "RM_w"})
	require.NoError(t, err)
	v.Room, v.Parts[0].Info = "standup", weekly
	require.Empty(t, v.FailedPart(), "what another room lacks is no piece of this recording")
	memo = v.Memo()
	require.Equal(t, egress.MediaPresent, memo.Media)
	miss := ReportOf([]Row{row}, hour(0), hour(10)).Misses[0]
	require.Equal(t, []string{"weekly", "RM_w"}, []string{miss.Room, miss.RoomID})

	v.Parts[0].Info, v.Parts[0].Status = egress.Info{}, "EGRESS_COMPLETE"
	require.Empty(t, v.FailedPart())
	memo = v.Memo()
	require.Equal(t, egress.Duration(time.Hour), ReportOf([]Row{row}, hour(0), hour(10)).Lateness.Worst, "of the first part")
}

// A run that continued as new is not listed beside its successor with its last state.
func TestARunThatWentOnAsAnotherIsNotListed(t *testing.T) {
	t.Parallel()
	require.False(t, Filter{Stuck: true}.letsThrough(Row{Workflow: "continuedasnew", Stuck: true}))
	require.True(t, Filter{Stuck: true}.letsThrough(Row{Workflow: "running", Stuck: true}))
}
