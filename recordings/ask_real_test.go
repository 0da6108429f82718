package recordings

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

func begin(t *testing.T, ctx context.Context, c *Client, w *standIn, id, room string) Started {
	t.Helper()
	w.open(room)
	s, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(room)})
	must(t, err)
	return s
}

func TestARecordingIsFoundByAnyOfItsIDs(t *testing.T) {
	t.Parallel()
	own := fresh("found")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	s := begin(t, ctx, c, w, own, own)
	for _, id := range []string{own, egress.WorkflowID(own), s.Info.Proto().GetEgressId()} {
		got, err := c.Find(ctx, id)
		must(t, err)
		if got != s.WorkflowID {
			t.Errorf("%s is %s, want %s", id, got, s.WorkflowID)
		}
	}
}

func TestAnUnknownIDIsNotFound(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	for _, id := range []string{"nobody", "egress/nobody"} {
		want := fmt.Sprintf("no recording has the ID %q", id)
		_, state := c.State(ctx, id)
		_, wait := c.Wait(ctx, id)
		_, stop := c.Stop(ctx, id)
		for _, err := range []error{state, wait, stop, c.Retry(ctx, id, "announce"), c.Skip(ctx, id, "announce")} {
			wantReason(t, err, egress.NotFound)
			if err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		}
	}
	_, err := c.State(ctx, "no such/id")
	wantReason(t, err, egress.Invalid)
}

// A Temporal that does not answer has not said that there is none.
func TestAnIDThatCannotBeLookedUpIsNotCalledUnknown(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	c.cfg.FindFor = time.Nanosecond
	_, err := c.Find(ctxOf(t, patience), "EG_nobody")
	wantReason(t, err, egress.Ambiguous)
}

func TestAnAdoptedEgressIsFoundByItsEgressID(t *testing.T) {
	t.Parallel()
	stray := fresh("EG_stray")
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: egress.WorkflowID(stray), TaskQueue: "nobody's"}, egress.WorkflowType, egress.Input{})
	must(t, err)
	got, err := c.Find(ctx, stray)
	must(t, err)
	if got != egress.WorkflowID(stray) {
		t.Errorf("got %s", got)
	}
	c.cfg.QueryFor = 200 * time.Millisecond
	v, err := c.State(ctx, stray)
	must(t, err)
	if !strings.HasPrefix(v.Problem, "no worker answered: ") || v.Workflow != "running" {
		t.Errorf("got %+v", v)
	}
}

func TestRoomsAreFoundWhateverTheirNames(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	prefix := fresh("named")
	for i, room := range []string{prefix + `it's "quoted"`, prefix + `back\slash\`, `' OR WorkflowType = 'x` + prefix, "日本語 🎥" + prefix, prefix + strings.Repeat("long é ", 60), "100%_" + prefix} {
		s := begin(t, ctx, c, w, fmt.Sprintf("%s-%d", prefix, i), room)
		ids := awaitRoom(t, ctx, c, room)
		if !slices.Equal(ids, []string{s.WorkflowID}) {
			t.Errorf("room %q is recorded by %v, want %s", room, ids, s.WorkflowID)
		}
	}
}

// awaitRoom asks until visibility knows the room.
func awaitRoom(t *testing.T, ctx context.Context, c *Client, room string) []string {
	t.Helper()
	for {
		ids, err := c.ByRoom(ctx, room)
		if err != nil {
			t.Fatalf("room %q: %v", room, err)
		}
		if len(ids) > 0 {
			return ids
		}
		if !c.pause(ctx) {
			t.Fatalf("room %q is never found", room)
		}
	}
}

func TestTheStateOfARunningRecordingIsItsWorkflows(t *testing.T) {
	t.Parallel()
	id := fresh("watched")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	s := begin(t, ctx, c, w, id, id)
	must(t, c.Retry(ctx, id, "announce"))
	must(t, c.Skip(ctx, id, "transcode"))
	v, err := c.State(ctx, id)
	must(t, err)
	if v.Phase != egress.Watching || v.NewsBy != egress.FromStart || v.EgressID != s.Info.Proto().GetEgressId() || v.Workflow != "running" ||
		v.Kind != egress.KindRoomComposite || v.Room != id || v.RequestID != id || v.Problem != "" {
		t.Errorf("got %+v", v)
	}
	if v.NextLook == nil || !v.NextLook.After(*v.NewsAt) {
		t.Errorf("got the next look at %v, and news at %v", v.NextLook, v.NewsAt)
	}
	if want := []string{"egress.retry_step announce", "egress.skip_step transcode"}; !slices.Equal(v.Done, want) {
		t.Errorf("got the steps %v, want %v", v.Done, want)
	}
}

func TestTheEndOfARecordingIsToldByAll(t *testing.T) {
	t.Parallel()
	id := fresh("ended")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	s := begin(t, ctx, c, w, id, id)
	info, err := c.Stop(ctx, s.Info.Proto().GetEgressId())
	must(t, err)
	if info.Proto().GetEgressId() != s.Info.Proto().GetEgressId() {
		t.Errorf("got %+v", info.Proto())
	}
	verdict, err := c.Wait(ctx, id)
	must(t, err)
	v, err := c.State(ctx, id)
	must(t, err)
	if verdict.Status != egress.Lost || v.Verdict == nil || v.Verdict.Status != egress.Lost || v.Phase != egress.Delivered || v.Workflow != "completed" {
		t.Errorf("got %+v and %+v", verdict, v)
	}
	if v.Memo == nil || v.Memo.Missed != egress.MissedUnclassified || v.ClosedAt == nil {
		t.Errorf("got the memo %+v, closed %v", v.Memo, v.ClosedAt)
	}
	_, err = c.Stop(ctx, id)
	wantReason(t, err, egress.AlreadyOver)
	if !strings.Contains(err.Error(), "egress with status LOST cannot be stopped by its workflow: where LiveKit still runs it, StopEgress at the front door") {
		t.Errorf("got %q", err)
	}
	for name, word := range map[string]func(context.Context, string, string) error{"retry": c.Retry, "skip": c.Skip} {
		err := word(ctx, id, "announce")
		wantReason(t, err, egress.AlreadyOver)
		if err.Error() != id+" ended as LOST, and no step of it waits" {
			t.Errorf("%s: got %q", name, err)
		}
	}
}

func TestARefusedStartIsShownAsOne(t *testing.T) {
	t.Parallel()
	id := fresh("refused")
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	_, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest("no such room")})
	wantReason(t, err, egress.NotFound)
	_, err = c.Wait(ctx, id)
	wantReason(t, err, egress.NotFound)
	if err.Error() != "not_found: requested room does not exist" {
		t.Errorf("got %q, want LiveKit's words", err)
	}
	v, err := c.State(ctx, id)
	must(t, err)
	if v.Workflow != "failed" || v.Problem != "not_found: requested room does not exist" {
		t.Errorf("got %+v", v)
	}
	_, err = c.Stop(ctx, id)
	wantReason(t, err, egress.AlreadyOver)
}

func TestAWebhookRepeatedIsOneSignal(t *testing.T) {
	t.Parallel()
	id := fresh("hooked")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	s := begin(t, ctx, c, w, id, id)
	for _, event := range []string{"EV_1", "EV_1", "EV_2", "EV_1", "EV_2"} {
		e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":"egress_updated","id":%q,"fieldOfANewerLiveKit":true}`, event))
		must(t, err)
		must(t, c.Signal(ctx, s.WorkflowID, egress.SignalObserved, event, e))
	}
	v, err := c.State(ctx, id)
	must(t, err)
	if want := []string{"signal EV_1", "signal EV_2"}; !slices.Equal(v.Done, want) {
		t.Errorf("got %v, want %v", v.Done, want)
	}
	var sent []string
	history := c.cfg.Temporal.GetWorkflowHistory(ctx, s.WorkflowID, s.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		must(t, err)
		for _, p := range e.GetWorkflowExecutionSignaledEventAttributes().GetInput().GetPayloads() {
			sent = append(sent, fmt.Sprintf("%s %s %s", p.GetMetadata()["encoding"], p.GetMetadata()["messageType"], p.GetData()))
		}
	}
	if len(sent) != 2 || !strings.HasPrefix(sent[0], "json/protobuf livekit.WebhookEvent {") || !strings.Contains(sent[0], `"fieldOfANewerLiveKit":true`) {
		t.Errorf("got %q", sent)
	}
	wantReason(t, c.Signal(ctx, "egress/nobody", egress.SignalObserved, "EV_1", egress.Event{}), egress.NotFound)
}

func TestListLetsThroughWhatItsFilterSays(t *testing.T) {
	t.Parallel()
	room := fresh("listed")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	began := time.Now().Add(-time.Minute)
	for i := range 3 {
		begin(t, ctx, c, w, fmt.Sprintf("%s-%d", room, i), room)
	}
	_, err := c.Stop(ctx, room+"-1")
	must(t, err)
	_, err = c.Wait(ctx, room+"-1")
	must(t, err)
	for name, tc := range map[string]struct {
		filter Filter
		want   int
	}{
		"all of a room":      {Filter{Room: room}, 3},
		"those still active": {Filter{Room: room, Active: true}, 2},
		"a kind":             {Filter{Room: room, Kind: egress.KindRoomComposite}, 3},
		"another kind":       {Filter{Room: room, Kind: egress.KindWeb}, 0},
		"a status":           {Filter{Room: room, Status: "EGRESS_ACTIVE"}, 2},
		"the verdict":        {Filter{Room: room, Status: egress.Lost}, 1},
		"the stuck":          {Filter{Room: room, Stuck: true}, 0},
		"the missed":         {Filter{Room: room, Missed: true}, 0},
		"since":              {Filter{Room: room, Since: began, Until: began.Add(time.Hour)}, 3},
		"before":             {Filter{Room: room, Until: began}, 0},
	} {
		if got := awaitRows(t, ctx, c, tc.filter, tc.want); got != tc.want {
			t.Errorf("%s: got %d rows, want %d", name, got, tc.want)
		}
	}
	for row, err := range c.List(ctx, Filter{Room: room, Active: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if row.EgressID == "" || row.Room != room || row.StartedAt.Before(began) || row.ClosedAt != nil || row.Stuck {
			t.Errorf("got %+v", row)
		}
		break
	}
}

// awaitRows asks until visibility, which lags, shows the wanted number of rows, or gives up after
// a while.
func awaitRows(t *testing.T, ctx context.Context, c *Client, f Filter, want int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		n, failed := 0, error(nil)
		for _, err := range c.List(ctx, f) {
			if failed = err; err == nil {
				n++
			}
		}
		if failed == nil && n == want {
			return n
		}
		if !c.pause(ctx) {
			must(t, failed)
			return n
		}
	}
}

func TestSearchAttributesAreMadeOnce(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	want := []string{"EgressEndedBy", "EgressId", "EgressKind", "EgressMissed", "EgressRoom", "EgressStatus", "EgressStuck"}
	if !slices.Equal(w.made, want) {
		t.Errorf("a new namespace lacked %v, want %v", w.made, want)
	}
	missing, err := c.EnsureSearchAttributes(ctxOf(t, patience))
	must(t, err)
	if len(missing) > 0 {
		t.Errorf("%v are missing again", missing)
	}
}
