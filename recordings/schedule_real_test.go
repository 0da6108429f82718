package recordings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

// Four tests use the namespace's schedule in sequence: no other test creates one.
func TestTheScheduleFollowsItsSetting(t *testing.T) { //nolint:paralleltest // as above
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	h := c.cfg.Temporal.ScheduleClient().GetHandle(ctx, egress.ReconcileSchedule)
	t.Cleanup(func() { _ = h.Delete(context.WithoutCancel(t.Context())) })

	must(t, c.EnsureReconcile(ctx, 0))
	if _, err := h.Describe(ctx); err == nil {
		t.Fatal("a schedule that is off was made")
	}
	if first, err := c.ReconcilingSince(ctx); err != nil || time.Since(first) > time.Minute {
		t.Errorf("without a schedule: since %s, %v", first, err)
	}

	// Two workers start at once.
	errs := make(chan error, 2)
	for range 2 {
		go func() { errs <- c.EnsureReconcile(ctx, time.Hour) }()
	}
	must(t, <-errs)
	must(t, <-errs)
	made, err := c.ReconcilingSince(ctx)
	must(t, err)
	d, err := h.Describe(ctx)
	must(t, err)
	var noted time.Time
	if !decode(c.data, d.Memo.GetFields()[memoMade], &noted) || !noted.Equal(made) || !noted.Before(d.Info.CreatedAt) {
		t.Errorf("noted as made at %s, known as %s, and the server got round to it at %s", noted, made, d.Info.CreatedAt)
	}

	for _, step := range []struct {
		every  time.Duration
		runs   time.Duration
		paused bool
	}{
		{time.Hour, time.Hour, false},
		{2 * time.Hour, 2 * time.Hour, false},
		{0, 2 * time.Hour, true},
		{0, 2 * time.Hour, true},
		{time.Hour, time.Hour, false},
	} {
		must(t, c.EnsureReconcile(ctx, step.every))
		d, err := h.Describe(ctx)
		must(t, err)
		if got := d.Schedule.Spec.Intervals[0].Every; got != step.runs || d.Schedule.State.Paused != step.paused {
			t.Errorf("every %s: got %s, paused %t", step.every, got, d.Schedule.State.Paused)
		}
		if d.Schedule.Policy.CatchupWindow != time.Hour {
			t.Errorf("rounds of the last %s are made up for", d.Schedule.Policy.CatchupWindow)
		}
		if d.Schedule.Policy.Overlap != enumspb.SCHEDULE_OVERLAP_POLICY_SKIP {
			t.Errorf("two rounds may run at once: %s", d.Schedule.Policy.Overlap)
		}
		if a, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction); !ok || a.ID != egress.ReconcileSchedule || a.StaticSummary == "" {
			t.Errorf("its rounds are not known by their name: %+v", d.Schedule.Action)
		} else if a.WorkflowRunTimeout != 2*time.Hour {
			t.Errorf("a round that nobody goes on with holds up all that follow: %s", a.WorkflowRunTimeout)
		}
		if round := c.argumentOf(&d.Schedule); round.Every.D() != step.runs {
			t.Errorf("a round of every %s takes itself for one of every %s", step.runs, round.Every)
		}
	}
	if again, err := c.ReconcilingSince(ctx); err != nil || !again.Equal(made) {
		t.Errorf("made %s, then %s, %v", made, again, err)
	}

	// What a person paused stays paused.
	must(t, h.Pause(ctx, client.SchedulePauseOptions{Note: "LiveKit is being moved"}))
	must(t, c.EnsureReconcile(ctx, 3*time.Hour))
	d, err = h.Describe(ctx)
	must(t, err)
	if !d.Schedule.State.Paused || d.Schedule.Spec.Intervals[0].Every != 3*time.Hour {
		t.Errorf("got %+v, every %s", d.Schedule.State, d.Schedule.Spec.Intervals[0].Every)
	}
}

func TestAWrongClockDoesNotSayWhatIsOld(t *testing.T) { //nolint:paralleltest // as above
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	schedules, done, err := c.schedules(ctx)
	must(t, err)
	defer done()
	for _, ahead := range []time.Duration{24 * time.Hour, -time.Hour} {
		h, err := schedules.Create(ctx, client.ScheduleOptions{
			ID: egress.ReconcileSchedule, Paused: true, Spec: scheduleSpec(time.Hour), Memo: map[string]any{memoMade: time.Now().Add(ahead)},
			Action: &client.ScheduleWorkflowAction{Workflow: egress.ReconcileType, TaskQueue: egress.TaskQueue},
		})
		must(t, err)
		if since, err := c.ReconcilingSince(ctx); err != nil || time.Since(since).Abs() > time.Minute {
			t.Errorf("since %s, %v", since, err)
		}
		must(t, h.Delete(ctx))
	}
}

// The name of the memo is that of the command in docs/backup.md.
func TestAPersonSaysSinceWhenEndsAreAnnounced(t *testing.T) { //nolint:paralleltest // as above
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	schedules, done, err := c.schedules(ctx)
	must(t, err)
	defer done()
	page, err := os.ReadFile(filepath.Join("..", "docs", "backup.md"))
	must(t, err)
	memo := regexp.MustCompile(`--schedule-memo '(\w+)="(.+)"'`).FindStringSubmatch(string(page))
	if memo == nil {
		t.Fatal("the page names no memo")
	}
	if _, err := time.Parse(time.RFC3339, memo[2]); err != nil {
		t.Error(err)
	}
	early := time.Now().Add(-5 * time.Hour).UTC()
	for _, tc := range []struct {
		value   any
		counts  bool
		ignored string
	}{
		{early.Format(time.RFC3339Nano), true, ""},
		{time.Now().Add(24 * time.Hour).Format(time.RFC3339), false, "not before the schedule was created"},
		{early.Format(time.DateOnly), false, "not a time such as"},
		{early.Unix(), false, "not a time such as"},
	} {
		h, err := schedules.Create(ctx, client.ScheduleOptions{
			ID: egress.ReconcileSchedule, Paused: true, Spec: scheduleSpec(time.Hour), Memo: map[string]any{memo[1]: tc.value},
			Action: &client.ScheduleWorkflowAction{Workflow: egress.ReconcileType, TaskQueue: egress.TaskQueue},
		})
		must(t, err)
		must(t, c.EnsureReconcile(ctx, 2*time.Hour)) // which sets the rest
		d, err := h.Describe(ctx)
		must(t, err)
		want := d.Info.CreatedAt
		if tc.counts {
			want = early
		}
		if since, err := c.ReconcilingSince(ctx); err != nil || !since.Equal(want) {
			t.Errorf("%v: since %s, want %s, %v", tc.value, since, want, err)
		}
		if s, err := c.ScheduleState(ctx, egress.ReconcileSchedule); err != nil || tc.counts != (s.Ignored == "") || !strings.Contains(s.Ignored, tc.ignored) {
			t.Errorf("%v: got %+v, %v", tc.value, s, err)
		}
		must(t, h.Delete(ctx))
	}
}

func TestAScheduleThatCannotBeAskedForIsNoneThatStands(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, since := c.ReconcilingSince(ctx)
	for _, err := range []error{c.EnsureReconcile(ctx, time.Hour), c.EnsureCanary(ctx, 0), since} {
		if err == nil {
			t.Error("nobody was asked, and all is well")
		}
	}
}

// A worker of another LiveKit project would consider this one's recordings lost.
func TestANamespaceIsOfTheProjectWhoseWorkersItHas(t *testing.T) { //nolint:paralleltest // as above
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	h := c.cfg.Temporal.ScheduleClient().GetHandle(ctx, egress.ReconcileSchedule)
	with := func(secret string, previous ...string) *Client {
		keys, err := seal.New(seal.Config{Secret: secret, Previous: previous})
		must(t, err)
		return New(Config{Temporal: c.cfg.Temporal, Namespace: namespace, Sealer: keys})
	}
	const ours, next = "a secret of LiveKit's", "the next secret of LiveKit's"
	t.Cleanup(func() { _ = h.Delete(context.WithoutCancel(ctx)) })
	must(t, makeSchedule(ctx, c.cfg.Temporal.ScheduleClient(), reconciling(""), time.Hour)) // as an earlier version made it
	for _, step := range []struct {
		who     *Client
		every   time.Duration
		refused bool
	}{
		{with(ours), time.Hour, false},
		{with("another project's"), time.Hour, true},
		{with("another project's"), 0, true},
		{with(ours, next), time.Hour, false}, // a rotation: docs/keys.md
		{with(next, ours), time.Hour, false},
		{with(ours, next), time.Hour, false},
		{with(next, ours), time.Hour, false},
		{with(ours), time.Hour, true},
		{with(next), 2 * time.Hour, false},
		{with(next), 0, false}, // it is paused, and the secret changes once more
		{with(ours, next), 0, false},
		{with(ours), 0, false},
	} {
		err := step.who.EnsureReconcile(ctx, step.every)
		if refused := egress.ReasonOf(err) == egress.Invalid; refused != step.refused || !refused && err != nil {
			t.Errorf("%+v: got %v", step, err)
		}
		s, err := step.who.ScheduleState(ctx, egress.ReconcileSchedule)
		must(t, err)
		if s.Others != step.refused {
			t.Errorf("%+v: got the state %+v", step, s)
		}
	}
	made, err := c.ReconcilingSince(ctx)
	must(t, err)
	must(t, h.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		s := in.Description.Schedule // as docs/keys.md has it
		s.Action = &client.ScheduleWorkflowAction{ID: egress.ReconcileSchedule, Workflow: egress.ReconcileType, TaskQueue: egress.TaskQueue}
		return &client.ScheduleUpdate{Schedule: &s}, nil
	}}))
	must(t, with("another project's").EnsureReconcile(ctx, time.Hour))
	if since, err := c.ReconcilingSince(ctx); err != nil || !since.Equal(made) {
		t.Errorf("what ended since %s is told, and now since %s (%v)", made, since, err)
	}
	must(t, h.Delete(ctx))

	// Two projects begin at once.
	errs := make(chan error, 2)
	for _, who := range []*Client{with(ours), with("another project's")} {
		go func() { errs <- who.EnsureReconcile(ctx, time.Hour) }()
	}
	if one, other := <-errs, <-errs; (one == nil) == (other == nil) || egress.ReasonOf(errors.Join(one, other)) != egress.Invalid {
		t.Errorf("two projects have the namespace: %v, %v", one, other)
	}
}

// locked is the codec of a worker, whose key may be lost.
type locked struct{ lost bool }

func (locked) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	encoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		inside, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		encoded[i] = &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/encrypted")}, Data: inside}
	}
	return encoded, nil
}

func (c locked) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		decoded[i] = p
		if string(p.GetMetadata()[converter.MetadataEncoding]) != "binary/encrypted" {
			continue
		}
		if c.lost {
			panic("the key is lost")
		}
		decoded[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(p.GetData(), decoded[i]); err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// The schedule's content is in the clear, whatever else its worker encrypts: it outlives every
// key. One that an earlier worker encrypted is read as long as its key is there.
func TestTheCanaryHasAScheduleOfItsOwn(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	encrypting, err := client.NewClientFromExistingWithContext(ctx, c.cfg.Temporal, client.Options{
		Namespace: namespace, DataConverter: converter.NewCodecDataConverter(payload.Converter(), locked{}),
	})
	must(t, err)
	t.Cleanup(encrypting.Close)
	workers := New(Config{Temporal: encrypting, Namespace: namespace, Codec: locked{lost: true}})
	earlier := New(Config{Temporal: encrypting, Namespace: namespace, Codec: locked{}})
	h := c.cfg.Temporal.ScheduleClient().GetHandle(ctx, egress.CanarySchedule)
	t.Cleanup(func() { _ = h.Delete(context.WithoutCancel(t.Context())) })
	must(t, makeSchedule(ctx, encrypting.ScheduleClient(), probing(), time.Hour))
	must(t, earlier.EnsureCanary(ctx, 2*time.Hour))
	must(t, h.Delete(ctx))

	must(t, c.EnsureCanary(ctx, 0))
	if _, err := c.ScheduleState(ctx, egress.CanarySchedule); egress.ReasonOf(err) != egress.NotFound {
		t.Fatalf("a canary that is off was scheduled: %v", err)
	}
	for _, step := range []struct {
		every, runs time.Duration
		paused      bool
	}{{time.Hour, time.Hour, false}, {0, time.Hour, true}, {2 * time.Hour, 2 * time.Hour, false}} {
		must(t, workers.EnsureCanary(ctx, step.every))
		s, err := c.ScheduleState(ctx, egress.CanarySchedule)
		must(t, err)
		if s.Every != step.runs || s.Paused != step.paused || s.Off != step.paused {
			t.Errorf("every %s: got %+v", step.every, s)
		}
	}
	d, err := h.Describe(ctx)
	must(t, err)
	if a, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction); !ok || a.Workflow != egress.CanaryType || a.TaskQueue != egress.TaskQueue || a.ID != egress.CanarySchedule || a.StaticSummary == "" || a.WorkflowRunTimeout != 10*time.Minute {
		t.Errorf("got the action %+v", d.Schedule.Action)
	}
}
