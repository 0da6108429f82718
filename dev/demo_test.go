package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func written(d demo) (all []string) {
	for _, p := range d.plan() {
		b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(p.request)
		all = append(all, fmt.Sprintf("%s %s %s %s %x", p.id, p.room, p.call, egress.KindOf(p.request), b))
	}
	return all
}

func TestAPlanIsTheSameForTheSameSeedAndAnotherForAnother(t *testing.T) {
	t.Parallel()
	require.Equal(t, written(demo{egresses: 20, seed: 7}), written(demo{egresses: 20, seed: 7}))
	require.NotEqual(t, written(demo{egresses: 20, seed: 7}), written(demo{egresses: 20, seed: 8}))
	require.Equal(t, written(demo{egresses: 20, seed: 7})[:5], written(demo{egresses: 5, seed: 7}), "a shorter run begins alike")
}

func TestTheSeedDecidesHowLongCallsTake(t *testing.T) {
	t.Parallel()
	lengths := func(seed uint64) (all []time.Duration) {
		for _, p := range (&demo{egresses: 20, seed: seed}).plan() {
			all = append(all, p.call)
		}
		return all
	}
	require.Equal(t, lengths(7), lengths(7))
	require.NotEqual(t, lengths(7), lengths(8))
}

func TestAPlanHoldsKindsInTurnWithNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := demo{egresses: 40, seed: 3}
	kinds, ids, rooms := map[egress.Kind]int{}, map[string]bool{}, map[string]bool{}
	for _, p := range d.plan() {
		kinds[egress.KindOf(p.request)]++
		ids[p.id], rooms[p.name()] = true, true
		require.NoError(t, egress.ValidateRequestID(p.id))
		require.Equal(t, egress.Summarize(p.request).Room, p.room)
		require.GreaterOrEqual(t, p.call, shortestCall)
		require.Less(t, p.call, longestCall)
	}
	require.Equal(t, map[egress.Kind]int{egress.KindRoomComposite: 10, egress.KindParticipant: 10, egress.KindEgress: 10, egress.KindWeb: 10}, kinds)
	require.Len(t, ids, 40)
	require.Len(t, rooms, 40)
}

func recording(recorded bool, urls ...string) fakelivekit.Recording {
	r := &livekit.RoomCompositeEgressRequest{}
	for _, u := range urls {
		r.Webhooks = append(r.Webhooks, &livekit.WebhookConfig{Url: u})
	}
	return fakelivekit.Recording{Recorded: recorded, Info: &livekit.EgressInfo{Request: &livekit.EgressInfo_RoomComposite{RoomComposite: r}}}
}

// unechoed is a recording of a server that is too old to know per-request webhooks.
func unechoed(url string) fakelivekit.Recording {
	r := recording(true)
	r.Request = &livekit.RoomCompositeEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: url}}}
	return r
}

func TestTwinsAreWhatRecordsBesideAnotherOfItsRequest(t *testing.T) {
	t.Parallel()
	ours := func(id string) string { return "http://127.0.0.1:7980/webhooks/livekit/" + id + "/1/mac" }
	for name, tc := range map[string]struct {
		recorded []fakelivekit.Recording
		want     int
	}{
		"none":                            {nil, 0},
		"one of each":                     {[]fakelivekit.Recording{recording(true, ours("a")), recording(true, ours("b"))}, 0},
		"two of one":                      {[]fakelivekit.Recording{recording(true, ours("a")), recording(true, ours("b")), recording(true, ours("a"))}, 1},
		"three of one":                    {[]fakelivekit.Recording{recording(true, ours("a")), recording(true, ours("a")), recording(true, ours("a"))}, 2},
		"two of two":                      {[]fakelivekit.Recording{recording(true, ours("a")), recording(true, ours("b")), recording(true, ours("a")), recording(true, ours("b"))}, 2},
		"one that never recorded":         {[]fakelivekit.Recording{recording(true, ours("a")), recording(false, ours("a"))}, 0},
		"two, and LiveKit echoes nothing": {[]fakelivekit.Recording{unechoed(ours("a")), unechoed(ours("a"))}, 1},
		"those that are not ours":         {[]fakelivekit.Recording{recording(true, "http://consumer/hook"), recording(true), recording(true)}, 0},
		"beside a webhook of the caller":  {[]fakelivekit.Recording{recording(true, "http://consumer/hook", ours("a")), recording(true, ours("a"))}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, twins(tc.recorded))
		})
	}
}

func TestThePromiseIsBrokenByAnyOneThatIsNotThereOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		r    report
		kept bool
	}{
		"kept":                   {report{Accepted: 3, Settled: 3, Delivered: 3}, true},
		"kept, with one lost":    {report{Accepted: 3, Settled: 3, Delivered: 3, Lost: 1, Missed: 2}, true},
		"nothing accepted":       {report{}, false},
		"one not settled":        {report{Accepted: 3, Settled: 2, Delivered: 2}, false},
		"one not delivered once": {report{Accepted: 3, Settled: 3, Delivered: 2}, false},
		"a twin":                 {report{Accepted: 3, Settled: 3, Delivered: 3, Twins: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.kept, tc.r.broken() == nil)
		})
	}
	require.ErrorContains(t, report{Accepted: 1, Seed: 4711}.broken(), "seed 4711", "so that it can be run again")
}

// told returns a consumer that has been told of these egresses.
func told(ids ...string) *consumer {
	c := &consumer{ended: map[string]int{}}
	for _, id := range ids {
		c.ended[id]++
	}
	return c
}

func outcome() ([]row, *consumer) {
	verdict := func(s egress.Status, by egress.Source, late time.Duration, missed egress.Missed) egress.Verdict {
		return egress.Verdict{Status: s, EndedBy: by, Late: egress.Duration(late), Missed: missed}
	}
	return []row{
		{name: "call-1", kind: egress.KindRoomComposite, egressID: "EG_1", accepted: true, settled: true, delivered: 1, verdict: verdict("EGRESS_COMPLETE", egress.FromWebhook, 100*time.Millisecond, "")},
		{name: "call-2", kind: egress.KindParticipant, egressID: "EG_2", accepted: true, settled: true, delivered: 1, verdict: verdict("EGRESS_COMPLETE", egress.FromPoll, 2500*time.Millisecond, egress.MissedLate)},
		{name: "call-3", kind: egress.KindWeb, egressID: "EG_3", accepted: true, settled: true, delivered: 2, verdict: verdict(egress.Lost, egress.FromTimeout, time.Second, egress.MissedUnclassified)},
		{name: "call-4", kind: egress.KindWeb, egressID: "EG_4", accepted: true, err: fmt.Errorf("it still runs")},
		{name: "call-5", kind: egress.KindWeb, err: fmt.Errorf("LiveKit said no")},
	}, told("EG_1", "EG_2", "EG_3", "EG_3")
}

func TestTheReportCountsWhatBecameOfEachRecording(t *testing.T) {
	t.Parallel()
	rows, c := outcome()
	r := (&demo{seed: 7, faults: rates{"zombie": 0.2, "rerun": 0}}).summarize(rows, nil, c)
	require.Equal(t, report{
		Accepted: 4, Settled: 3, Delivered: 2, Lost: 1, Missed: 2, Longest: 2.5, Seed: 7,
		EndedBy: map[egress.Source]int{
			egress.FromStart: 0, egress.FromWebhook: 1, egress.FromPoll: 1, egress.FromReconcile: 0, egress.FromStop: 0, egress.FromTimeout: 1,
		},
		Verdicts: map[egress.Status]int{
			"EGRESS_COMPLETE": 2, "EGRESS_FAILED": 0, "EGRESS_ABORTED": 0, "EGRESS_LIMIT_REACHED": 0, egress.Lost: 1,
		},
		Classes: map[egress.Missed]int{
			egress.MissedDown: 0, egress.MissedSlow: 0, egress.MissedRefused: 0, egress.MissedUntried: 0, egress.MissedLate: 1, egress.MissedUnclassified: 1,
		},
		Faults: rates{"zombie": 0.2},
	}, r)
	require.Error(t, r.broken())
}

func TestTheReportIsATableForPeopleAndOneObjectForScripts(t *testing.T) {
	t.Parallel()
	rows, c := outcome()
	var table, object bytes.Buffer
	d := &demo{seed: 7, faults: rates{"zombie": 0.25}, stdout: &table}
	require.NoError(t, d.print(rows, d.summarize(rows, nil, c)))
	for _, want := range []string{"call-1", "EG_2", "LOST", "2 times", "it still runs", "2.5 s", "4 accepted, 3 settled (1 by webhook, 1 by poll, 1 by timeout), 2 delivered exactly once, 1 lost, 0 twins.", "Verdicts: 2 EGRESS_COMPLETE, 1 LOST.", "2 egress_ended webhooks were missed (1 late, 1 unclassified)", "Seed 7."} {
		require.Contains(t, table.String(), want)
	}
	d.stdout, d.asJSON = &object, true
	require.NoError(t, d.print(rows, d.summarize(rows, nil, c)))
	require.Equal(t, 1, strings.Count(object.String(), "\n"))
	require.JSONEq(t, `{"accepted":4,"settled":3,"delivered":2,"lost":1,"twins":0,"missed_webhooks":2,"longest_detection_seconds":2.5,"seed":7,
		"ended_by":{"start":0,"webhook":1,"poll":1,"reconcile":0,"stop":0,"timeout":1},
		"verdicts":{"EGRESS_COMPLETE":2,"EGRESS_FAILED":0,"EGRESS_ABORTED":0,"EGRESS_LIMIT_REACHED":0,"LOST":1},
		"missed_by_class":{"endpoint_down":0,"endpoint_slow":0,"refused":0,"never_tried":0,"late":1,"unclassified":1},
		"faults":{"zombie":0.25}}`, object.String())
}

func TestProgressIsPlainLinesWhereThereIsNoTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, 2)
	p.say("%s: starting", "call-1")
	p.done("%s: %s", "call-1", "EGRESS_COMPLETE")
	p.stop()
	require.Equal(t, "call-1: starting\ncall-1: EGRESS_COMPLETE\n", out.String())
}

func TestTheDemosConsumerCountsOnlyWhatLiveKitCouldHaveSent(t *testing.T) {
	t.Parallel()
	c, err := newConsumer()
	require.NoError(t, err)
	t.Cleanup(c.close)
	res, err := http.Post(c.url(), "application/webhook+json", strings.NewReader(`{"event":"egress_ended","egressInfo":{"egressId":"EG_1"}}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode, "it is not signed")
	require.Zero(t, c.count("EG_1"))
	for event, status := range map[string]int{egress.EventStarted: 400, egress.EventEnded: 200} {
		require.Equal(t, status, sign(t, c.url(), event))
	}
	require.Equal(t, 1, c.count("EG_1"))
}
