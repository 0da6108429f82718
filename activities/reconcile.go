package activities

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// atOnce is how many measures of a round run concurrently: each takes a few calls to Temporal.
const atOnce = 16

// Lister is what the reconciler needs of LiveKit. Errors are egress.Errors.
type Lister interface {
	All(ctx context.Context, active bool) (items []*livekit.EgressInfo, calls int, err error)
	Get(ctx context.Context, egressID string) (*livekit.EgressInfo, error)
	Present(ctx context.Context, room, identity string) (bool, error)
	Room(ctx context.Context, name, sid string) (*livekit.Room, error)
	Rooms(ctx context.Context) ([]*livekit.Room, error)
}

// Registry is what the reconciler needs of Temporal.
type Registry interface {
	Running(ctx context.Context) ([]egress.Ours, error)
	Changed(ctx context.Context, since time.Time) ([]egress.Ours, error)
	Completed(ctx context.Context, since time.Time) ([]egress.Ours, error)
	ReconcilingSince(ctx context.Context) (time.Time, error)
	Tell(ctx context.Context, requestID string, e egress.Event) (told bool, err error)
	AdoptListed(ctx context.Context, requestID string, x egress.Extras, e egress.Event) (adopted bool, err error)
	Record(ctx context.Context, key string, r egress.Request) (begun, over bool, err error)
	Stranded(ctx context.Context, since time.Time) (map[string]int64, error)
}

// Verifier recognizes our own tokens.
type Verifier interface {
	Verify(t egress.Token) bool
}

// ReconcilerConfig configures the reconciler.
type ReconcilerConfig struct {
	// Grace is how long a difference must have lasted before the reconciler acts on it.
	Grace egress.Duration
	// Policy says how often to look for the recorder of an active egress. Default: never.
	Policy egress.Policy
	// Shown remembers which recorders LiveKit has shown as participants. Default: a new one.
	Shown  *Shown
	Expect egress.Expectation
	// Endpoint knows how our webhook endpoint fared. Default: nobody does, and missed webhooks are
	// not classified.
	Endpoint Endpoint
}

// Reconciler holds the activity that compares LiveKit's list with ours.
type Reconciler struct {
	cfg      ReconcilerConfig
	livekit  Lister
	temporal Registry
	macs     Verifier
	roster   roster
}

// NewReconciler returns the activity.
func NewReconciler(cfg ReconcilerConfig, l Lister, r Registry, v Verifier) *Reconciler {
	if cfg.Shown == nil {
		cfg.Shown = &Shown{}
	}
	return &Reconciler{cfg: cfg, livekit: l, temporal: r, macs: v}
}

// RoundRequest is the argument of Reconcile.
type RoundRequest struct {
	At       time.Time `json:"at"` // the schedule's time for this round
	Deep     bool      `json:"deep"`
	Anew     time.Time `json:"anew,omitzero"`      // as Round.Anew
	SoughtAt time.Time `json:"sought_at,omitzero"` // Round.SoughtAt of the last round

	Stranded map[string]time.Time `json:"stranded,omitempty"` // and its Round.Stranded
}

// Reconcile does one round: it looks at both sides, plans, and acts. Every measure is harmless
// twice: an adoption goes by a workflow ID, which is unique, and a signal by an event ID. So an
// attempt that follows a dead one looks anew, and resumes after the last egress that the earlier
// one is known to have dealt with.
func (a *Reconciler) Reconcile(ctx context.Context, in RoundRequest) (egress.Round, error) {
	r := a.resume(ctx, in)
	calls, failed := r.Round.Calls, r.Round.Failed
	a.roster.begin(in.Anew)
	err := r.run(ctx)
	if err == nil {
		a.roster.end(in.At)
	}
	r.Round.Took = egress.Duration(r.clock().Sub(r.Began).Round(time.Millisecond))
	r.count(ctx, r.Round.Calls-calls, r.Round.Failed-failed, err)
	return r.Round, toTemporal(err)
}

// round is a round under way.
type round struct {
	*Reconciler
	progress

	clock   func() time.Time // Temporal's, in this attempt
	reports func() reports   // the endpoint's, asked for at the first end
	infos   map[string]*livekit.EgressInfo
	shallow bool       // ended egresses cannot be listed
	mu      sync.Mutex // measures run concurrently
}

// progress is what the next attempt must know of a round.
type progress struct {
	Round egress.Round `json:"round"`
	After string       `json:"after"` // the egress ID up to which everything is done
	Deep  bool         `json:"deep"`
	Began time.Time    `json:"began"`
}

func (a *Reconciler) resume(ctx context.Context, in RoundRequest) *round {
	r := &round{Reconciler: a, clock: temporalsClock(ctx)}
	r.reports = sync.OnceValue(func() reports { return reportsOf(ctx, a.cfg.Endpoint, r.clock()) })
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &r.progress) != nil {
		r.progress = progress{Round: egress.Round{At: in.At, Anew: in.Anew, SoughtAt: in.SoughtAt, Stranded: in.Stranded}, Began: r.clock(), Deep: in.Deep}
	}
	return r
}

// alive heartbeats the progress until the returned function is called, however long the work in
// between takes.
func (r *round) alive(ctx context.Context) (stop func()) { return keepAlive(ctx, r.progress) }

func (r *round) run(ctx context.Context) error {
	s, plan, err := r.see(ctx)
	if err != nil {
		return err
	}
	r.Round.SeenBefore, r.Round.Waiting = plan.SeenBefore, plan.Waiting
	if r.Deep {
		r.Round.DeepAt = r.Round.At
	}
	if err := r.act(ctx, plan.Measures); err != nil {
		return err
	}
	r.strand(ctx)
	if err := r.seek(ctx, s); err != nil {
		return err
	}
	return r.expect(ctx, s)
}

// see looks at both sides and plans, based on all our workflows as they are now. Workflows whose
// egress is no longer active need a second query: one by one while they are few, else by listing
// everything; if that cannot be listed, some of them one by one.
func (r *round) see(ctx context.Context) (egress.Sighting, egress.Plan, error) {
	s, all, err := r.observe(ctx)
	if err != nil {
		return s, egress.Plan{}, err
	}
	plan := egress.PlanRound(s)
	if !all && plan.Differs() {
		stop := r.alive(ctx)
		s.Ours, err = r.roster.whole(ctx, r.temporal, r.clock())
		stop()
		if err != nil {
			return s, plan, err
		}
		plan = egress.PlanRound(s)
	}
	if plan.Deepen() && !r.shallow {
		r.Deep = true
		if s, _, err = r.observe(ctx); err != nil {
			return s, egress.Plan{}, err
		}
		plan = egress.PlanRound(s)
	}
	if len(plan.Ask) > 0 {
		r.ask(ctx, &s, anyOf(plan.Ask, egress.MaxAsked))
		plan = egress.PlanRound(s)
	}
	return s, plan, nil
}

// anyOf returns at most as many as one round asks for: different ones each time, so that none
// always waits behind those of which LiveKit says nothing.
func anyOf[T any](all []T, most int) []T {
	if len(all) <= most {
		return all
	}
	all = slices.Clone(all)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:most]
}

// observe asks LiveKit first, so that an egress that begins meanwhile has its workflow among ours.
// It reports whether it read all our workflows.
func (r *round) observe(ctx context.Context) (s egress.Sighting, all bool, err error) {
	stop := r.alive(ctx)
	items, err := r.list(ctx, !r.Deep)
	stop()
	if err != nil && r.Deep && ctx.Err() == nil { // what is active matters more
		r.Round.Failed++
		activity.GetLogger(ctx).Error("reconcile: what has ended could not be listed", "error", err)
		r.Deep, r.shallow = false, true
		return r.observe(ctx)
	}
	if err != nil {
		return s, false, err
	}
	activity.RecordHeartbeat(ctx, r.progress)
	s = egress.Sighting{At: r.clock(), Deep: r.Deep, Grace: r.cfg.Grace}
	r.infos = make(map[string]*livekit.EgressInfo, len(items))
	r.Round.Seen, r.Round.Active = len(items), 0
	for _, m := range items {
		r.take(&s, m)
		if !egress.Ended(m.GetStatus()) {
			r.Round.Active++
		}
	}
	if s.First, err = r.temporal.ReconcilingSince(ctx); err != nil {
		return s, false, err
	}
	stop = r.alive(ctx)
	running, completed, all, err := r.ours(ctx, egress.ClosedSince(items, s.At))
	stop()
	if err != nil {
		return s, false, err
	}
	r.Round.Workflows, s.Ours = len(running), append(running, completed...)
	if r.Deep {
		r.roster.forget(s.Listed)
	}
	s.Listed = r.roster.open(s.Listed, running, r.Deep)
	activity.RecordHeartbeat(ctx, r.progress)
	return s, all, nil
}

// list asks LiveKit for everything that it remembers, or only for what is active.
func (r *round) list(ctx context.Context, active bool) ([]*livekit.EgressInfo, error) {
	items, calls, err := r.livekit.All(ctx, active)
	r.Round.Calls += calls
	if err != nil {
		return nil, fmt.Errorf("list egresses: %w", err)
	}
	return items, nil
}

// ours returns our running workflows and, in a deep round, those that have completed since the
// given time.
func (r *round) ours(ctx context.Context, since time.Time) (running, completed []egress.Ours, all bool, err error) {
	if !r.Deep {
		running, all, err = r.roster.latest(ctx, r.temporal, r.clock())
		return running, nil, all, err
	}
	if running, err = r.roster.whole(ctx, r.temporal, r.clock()); err != nil {
		return nil, nil, false, err
	}
	completed, err = r.roster.completed(ctx, r.temporal, since, r.clock())
	return running, completed, true, err
}

func (r *round) take(s *egress.Sighting, m *livekit.EgressInfo) {
	r.infos[m.GetEgressId()] = m
	s.Listed = append(s.Listed, egress.ListedAs(m, r.macs.Verify))
}

// ask adds what has become of some egresses. Those that LiveKit cannot be asked for now are left
// to the next round, and together are one failure.
func (r *round) ask(ctx context.Context, s *egress.Sighting, ids []string) {
	defer r.alive(ctx)()
	unasked, last := 0, error(nil)
	for _, id := range ids {
		m, err := r.livekit.Get(ctx, id)
		r.Round.Calls++
		r.Round.Asked++
		switch {
		case err == nil:
			r.take(s, m)
		case egress.ReasonOf(err) == egress.NotFound:
			s.Unknown = append(s.Unknown, id)
		default:
			unasked, last = unasked+1, err
		}
	}
	if last != nil {
		r.Round.Failed++
		activity.GetLogger(ctx).Error("reconcile: egresses could not be asked for", "egresses", unasked, "error", last)
	}
}

// act takes the measures that an earlier attempt has not taken.
func (r *round) act(ctx context.Context, measures []egress.Measure) error {
	if r.After != "" {
		measures = slices.DeleteFunc(measures, func(m egress.Measure) bool { return m.EgressID <= r.After })
	}
	for some := range slices.Chunk(measures, atOnce) {
		stop := r.alive(ctx)
		var all sync.WaitGroup
		for _, m := range some {
			all.Go(func() { r.do(ctx, m) })
		}
		all.Wait()
		stop()
		if ctx.Err() != nil {
			return fmt.Errorf("reconcile: %w", ctx.Err())
		}
		r.After = some[len(some)-1].EgressID
		activity.RecordHeartbeat(ctx, r.progress)
	}
	return nil
}

// do takes one measure and logs it. What fails is left to the next round.
func (r *round) do(ctx context.Context, m egress.Measure) {
	log := activity.GetLogger(ctx)
	done, err := r.perform(ctx, m)
	if m.Deed == egress.DeedNudge && !done && err == nil { // visibility shows what Temporal itself has lost
		m.Deed = egress.DeedAdopt
		done, err = r.perform(ctx, m)
	}
	again := err == nil && r.roster.note(m, done, r.infos[m.EgressID].GetStatus())
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.Round.Failed++
		log.Error("reconcile: step failed", "deed", m.Deed, "egressID", m.EgressID, "requestID", m.RequestID, "error", err)
	case done && !again:
		r.Round.Count(m.Deed)
		activity.GetMetricsHandler(ctx).WithTags(map[string]string{"action": string(m.Deed)}).Counter(MetricStrays).Inc(1)
		if m.Deed == egress.DeedQuarantine {
			r.Round.Words = egress.AppendBounded(r.Round.Words, m.Why)
			log.Warn("reconcile: quarantined", "egressID", m.EgressID, "reason", m.Why)
			return
		}
		log.Info("reconcile: "+string(m.Deed), "egressID", m.EgressID, "requestID", m.RequestID, "room", r.infos[m.EgressID].GetRoomName())
	}
}

func (r *round) perform(ctx context.Context, m egress.Measure) (done bool, err error) {
	var e egress.Event
	info := r.infos[m.EgressID]
	switch m.Deed {
	case egress.DeedQuarantine:
		return true, nil
	case egress.DeedSuspect:
		e, err = egress.LookEvent(m.EgressID, r.Round.At.Truncate(r.cfg.Policy.SuspectedFor().D()))
	case egress.DeedAdopt, egress.DeedNudge, egress.DeedTwin, egress.DeedPart:
		e, err = r.listed(ctx, info)
	}
	switch {
	case err != nil:
		return false, err
	case m.Deed == egress.DeedAdopt:
		return r.temporal.AdoptListed(ctx, m.RequestID, egress.ExtrasOf(info, r.macs.Verify), e)
	default:
		return r.temporal.Tell(ctx, m.RequestID, e)
	}
}

// listed returns an egress as LiveKit lists it, with the class of a missed webhook if it has ended.
func (r *round) listed(ctx context.Context, m *livekit.EgressInfo) (egress.Event, error) {
	e, err := egress.ListedEvent(m)
	if err != nil {
		return egress.Event{}, err
	}
	info, err := e.Info()
	if err != nil || r.cfg.Endpoint == nil || !info.Ended() {
		return e, err
	}
	known := r.reports()
	return e.WithMissed(whyMissed(ctx, known, info, egress.Miss{HeardAt: known.at, Unasked: true}))
}

// now returns what is active and running now, together with the workflows that had closed before:
// much time may have passed since the round looked.
func (r *round) now(ctx context.Context, before []egress.Ours) (s egress.Sighting, err error) {
	items, err := r.list(ctx, true)
	if err != nil {
		return s, err
	}
	for _, m := range items {
		r.take(&s, m)
	}
	running, err := r.roster.whole(ctx, r.temporal, r.clock())
	s.Listed = r.roster.open(s.Listed, running, false)
	s.Ours = append(running, slices.DeleteFunc(before, func(o egress.Ours) bool { return !o.Closed() })...)
	return s, err
}
