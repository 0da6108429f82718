package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// MetricNoEcho counts start replies without our token. A single one deserves an alert: if that
// LiveKit's reply is lost, its egress cannot be found again.
const MetricNoEcho = "reelkeeper_start_without_echo_total"

// Started is the result of a start: the egress, and the terms of this worker under which to watch
// it.
type Started struct {
	Info  egress.Info  `json:"info"`
	Terms egress.Terms `json:"terms"`
	// Notes are what a person may want to know of the start, for its story.
	Notes []string `json:"notes,omitempty"`
}

// Start asks LiveKit for the egress, exactly once as far as recordings go. LiveKit mints an egress
// per call, and a timeout may hide a running one. So an attempt whose outcome is unknown, or that
// follows a dead one, first searches LiveKit's list for our token, for as long as a slow start can
// stay unlisted.
func (a *LiveKit) Start(ctx context.Context, in StartRequest) (Started, error) {
	s, err := a.prepare(in, activity.GetInfo(ctx))
	if err != nil {
		return Started{}, toTemporal(err)
	}
	ctx, withdrawn, end := beyondCancel(ctx)
	defer end()
	s.withdrawn = withdrawn
	defer keepAlive(ctx)()
	ctx, cancel := context.WithTimeout(ctx, a.cfg.StartFor)
	defer cancel()
	m, notes, err := s.obtain(ctx)
	if err != nil {
		return Started{}, toTemporal(fmt.Errorf("start egress: %w", err))
	}
	a.noteEcho(ctx, m)
	started, err := egress.NewInfo(m)
	return Started{Info: started, Terms: s.terms, Notes: notes}, toTemporal(err)
}

// prepare returns an attempt at a start by the settings of this worker.
func (a *LiveKit) prepare(in StartRequest, i activity.Info) (s *starting, err error) {
	s = &starting{
		LiveKit: a, in: in, token: a.opener.Token(in.RequestID, in.Part), looked: time.Now(), ahead: time.Since(i.StartedTime),
		again: in.Input.Again || in.maybePutBack(i), forgotten: maybeForgotten(i), maybeSent: in.maybeSent(i),
	}
	s.onlyLook = in.OnlyLook || in.Input.LooksOnly() || in.outlived(i)
	if by := in.Input.StartBy; by != nil {
		s.by = *by
	}
	s.asked, err = a.opener.OpenRequest(in.RequestID, in.Input)
	if err != nil && s.maybeSent { // sent by a worker that could open it
		err = &egress.Error{Reason: egress.TooLate, Message: "what an earlier attempt began cannot be looked for: " + err.Error(), Err: err}
	}
	if err != nil {
		return s, err
	}
	s.room = in.Input.Readable().Room
	s.terms, s.refused = a.terms(in)
	if s.refused == nil && in.Part == 1 {
		s.refused = egress.CheckWebhooks(s.asked, func(key string) bool { return slices.Contains(a.cfg.KeyNames, key) })
	}
	r, profile, err := a.cfg.Profiles.Apply(s.asked, in.Input.Storage)
	if err != nil {
		r, profile, s.refused = s.asked, in.Input.Storage, err
	}
	s.terms.Storage = profile // only the name, since the history keeps the terms
	if s.refused != nil {     // an earlier attempt may have had other settings: search for what it started, and start nothing
		s.onlyLook = true
	}
	s.req, err = s.swapped(egress.ForPart(r, in.Part))
	return s, err
}

// noteEcho notes a LiveKit that does not echo our token, for as long as this worker runs: a search
// under way may be for an egress that such a LiveKit started, whatever its other replies.
func (a *LiveKit) noteEcho(ctx context.Context, m *livekit.EgressInfo) {
	if _, echoed := egress.OurToken(m, a.opener.Verify); echoed {
		return
	}
	a.noEcho.Store(true)
	activity.GetMetricsHandler(ctx).Counter(MetricNoEcho).Inc(1)
	activity.GetLogger(ctx).Warn("LiveKit does not echo our webhook: a lost start reply cannot be found again", "egressID", m.GetEgressId())
}

// terms returns this worker's terms, with the pipeline that the request names. Parts after the
// first keep the terms of the first.
func (a *LiveKit) terms(in StartRequest) (egress.Terms, error) {
	t := a.cfg.Terms
	if in.Part > 1 {
		return t, nil
	}
	var err error
	t.Pipeline, err = a.cfg.Pipelines.Choose(in.Input.Pipeline)
	return t, err
}

// swapped returns a request with our webhook in place of the caller's own, which it carries
// sealed: whoever lists the egress sees them, and whoever adopts it serves them.
func (s *starting) swapped(r egress.Request) (egress.Request, error) {
	extras := egress.Extras{Pipeline: s.in.Input.Pipeline, MaxDuration: s.in.Input.MaxDuration}
	if theirs := r.GetWebhooks(); len(theirs) > 0 {
		var err error
		if extras.Webhooks, err = s.opener.SealWebhooks(s.in.RequestID, theirs); err != nil {
			return nil, err
		}
	}
	ours := &livekit.WebhookConfig{Url: extras.In(s.token.URL(s.cfg.PublicURL)), SigningKey: s.cfg.SigningKey}
	return egress.WithWebhooks(r, []*livekit.WebhookConfig{ours}), nil
}

// starting is one attempt at a start.
type starting struct {
	*LiveKit
	in    StartRequest
	room  string         // empty for a web egress
	asked egress.Request // what the caller asks for
	req   egress.Request // what LiveKit is asked for: with the terms' storage profile and our webhook
	token egress.Token
	terms egress.Terms

	refused   error       // why it may start nothing; nil: it may
	by        time.Time   // until when LiveKit may be asked for a new egress; zero: no limit
	withdrawn func() bool // whether it was taken back
	onlyLook  bool        // LiveKit may not be asked at all
	again     bool        // an earlier run of the key may have started it, or this run in a time that Temporal has forgotten: LiveKit then lists it
	forgotten bool        // this run may have started it lately, which Temporal has forgotten: LiveKit mostly lists it
	maybeSent bool        // LiveKit may have been asked just now, and not list it yet
	looked    time.Time   // when it began, or LiveKit last listed what it has
	// ahead is how far this worker's clock is ahead of Temporal's, which sent the attempt just
	// before.
	ahead time.Duration
}

// obtain returns the egress of the start, whether an earlier one started it or it is new, and
// notes about its storage, which is probed before LiveKit is first asked.
func (s *starting) obtain(ctx context.Context) (m *livekit.EgressInfo, notes []string, err error) {
	if s.forgotten && !s.again && !s.maybeSent && (s.refused != nil || !s.late()) { // the others are looked for more thoroughly
		if m, err = s.glance(ctx); m != nil || err != nil {
			return m, nil, err
		}
	}
	if s.again { // what an earlier run asked for may have come after its search
		late := s.late()
		items, err := s.list(ctx, true)
		if m := s.ours(items); m != nil {
			return m, nil, nil
		}
		if err != nil && !s.maybeSent && s.hasNoTimeToSearch() {
			return nil, nil, unsent(err)
		}
		s.maybeSent = s.maybeSent || err != nil // it may be running, and a refusal would leave it running
		if s.room == "" && !late && s.late() {
			// Listing all that LiveKit remembers at 30,000 egresses a day takes longer than a start
			// has; that alone must not make a start too late. A front door may have asked
			// meanwhile, so its start is searched for.
			s.by, s.maybeSent = time.Time{}, true
		}
	}
	switch {
	case s.maybeSent:
	case s.refused != nil:
		return nil, nil, s.refused
	case !s.late():
		if notes, err = s.tryStorage(ctx); err != nil {
			return nil, nil, err
		}
	}
	m, err = s.run(ctx)
	if s.refused != nil && egress.ReasonOf(err) == egress.TooLate {
		err = s.refused
	}
	return m, notes, err
}

// ours returns the egress that has our token, and can be of this start, or nil.
func (s *starting) ours(items []*livekit.EgressInfo) *livekit.EgressInfo {
	return egress.OfToken(s.in.candidates(items), s.token, s.opener.Verify)
}

// run calls LiveKit until the outcome is known.
func (s *starting) run(ctx context.Context) (*livekit.EgressInfo, error) {
	var last error
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		if m := s.beganAllTheSame(ctx, last); m != nil {
			return m, nil
		}
		late := s.late() // that look may have taken its time
		if late && !s.maybeSent && !s.onlyLook {
			return nil, &egress.Error{Reason: egress.HandedBack, Message: s.missed()}
		}
		if s.maybeSent || late {
			if m, err := s.ruleOut(ctx, last); m != nil || err != nil {
				return m, err
			}
		}
		m, err := s.call(ctx)
		if err == nil {
			return m, nil
		}
		switch egress.ReasonOf(err) {
		case egress.Unreachable, egress.RateLimited:
			last, s.maybeSent = err, false
		case egress.Ambiguous:
			last, s.maybeSent = err, true
		default:
			return nil, err
		}
		switch {
		case s.maybeSent: // the next iteration searches for it first
		case s.lateIn(wait):
			return nil, unsent(last)
		case !s.rest(ctx, wait):
			return nil, s.gaveUp(ctx, last)
		}
	}
}

// ruleOut returns what an earlier attempt started. If it returns neither that nor an error,
// LiveKit may be asked.
func (s *starting) ruleOut(ctx context.Context, last error) (*livekit.EgressInfo, error) {
	m, err := s.search(ctx, last)
	switch {
	case m != nil || err != nil:
		return m, err
	case s.noEcho.Load():
		return nil, &egress.Error{Reason: egress.NoEcho, Message: "LiveKit does not echo our webhook, so an earlier start cannot be ruled out; not started again", Err: last}
	case s.late():
		return nil, &egress.Error{Reason: egress.TooLate, Message: s.tooLate()}
	}
	return nil, nil
}

// beganAllTheSame looks once for an egress if the last call said that there is no room for it: if
// one of its workers has not answered, livekit-server asks them again under the same egress ID,
// and the caller gets only the last answer.
func (s *starting) beganAllTheSame(ctx context.Context, last error) *livekit.EgressInfo {
	if egress.ReasonOf(last) != egress.RateLimited {
		return nil
	}
	items, _ := s.list(ctx, false) // the list has the same limits
	return s.ours(items)
}

// tooLate says why nothing is started any more.
func (s *starting) tooLate() string {
	if s.by.IsZero() {
		return "LiveKit lists no earlier start, and none is made"
	}
	return s.missed() + "; no earlier start found"
}

// missed says that the deadline of a start has passed.
func (s *starting) missed() string {
	text := fmt.Sprintf("not started before %s", s.by.Format(time.RFC3339))
	if s.ahead > notableSkew || s.ahead < -notableSkew {
		text += fmt.Sprintf("; by this worker's clock the attempt came %.1f s after Temporal had sent it", s.ahead.Seconds())
	}
	return text
}

// notableSkew is a clock difference that can make a start miss its deadline, which is some seconds
// away.
const notableSkew = 500 * time.Millisecond

// unsent returns the error of a start that certainly started nothing and may not be sent, or not
// again: its caller learns at once what LiveKit said.
func unsent(last error) error {
	e := egress.Error{Reason: egress.TooLate, Message: last.Error(), Err: last}
	if said, ok := errors.AsType[*egress.Error](last); ok {
		e.Code, e.Message = said.Code, said.Message
	}
	return &e
}

// hasNoTimeToSearch reports whether LiveKit may be asked now, but not after a search. If it may
// not even be asked now, a front door may have asked, which makes a search worthwhile.
func (s *starting) hasNoTimeToSearch() bool { return !s.late() && s.lateIn(s.cfg.SearchFor) }

// late reports whether LiveKit may no longer be asked. The front door may have asked instead,
// having heard nothing from us in time.
func (s *starting) late() bool { return s.onlyLook || s.lateIn(0) }

// lateIn reports whether the deadline for asking LiveKit will have passed after d.
func (s *starting) lateIn(d time.Duration) bool {
	return !s.by.IsZero() && time.Now().Add(d).After(s.by)
}

// search looks for our token until it is found or certainly absent: a list read after SearchFor,
// ended egresses included, does not have it. The looks get rarer, since many starts may search at
// once and share LiveKit's rate limit with everything else.
func (s *starting) search(ctx context.Context, last error) (*livekit.EgressInfo, error) {
	begin, wait := time.Now(), s.cfg.SearchEvery
	for {
		left := s.cfg.SearchFor - time.Since(begin)
		final := left <= 0
		items, err := s.list(ctx, final)
		if m := s.ours(items); m != nil {
			return m, nil
		}
		if err == nil && final {
			return nil, nil
		}
		if final {
			left = wait
		}
		if !sleep(ctx, min(wait, left)) {
			return nil, s.gaveUp(ctx, errors.Join(last, err))
		}
		wait = min(2*wait, rarest*s.cfg.SearchEvery)
	}
}

// rarest is the longest wait between two looks, as a multiple of the first.
const rarest = 8

// list returns the egresses among which ours would be. A web egress has no room to filter by, so
// only a last look includes ended ones: LiveKit then lists all that it remembers.
func (s *starting) list(ctx context.Context, ended bool) (items []*livekit.EgressInfo, err error) {
	at := time.Now()
	switch {
	case s.room != "":
		items, err = s.api.InRoom(ctx, s.room)
	case ended:
		items, err = s.api.Remembered(ctx)
	default:
		items, err = s.api.Active(ctx)
	}
	if err == nil {
		s.looked = at
	}
	return items, err
}

// gaveUp returns the error for the end of StartFor, or for the end of this worker, after which
// another one goes on.
func (s *starting) gaveUp(ctx context.Context, last error) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &egress.Error{Reason: egress.TooLate, Message: fmt.Sprintf("LiveKit did not start it within %s: %v", s.cfg.StartFor, last), Err: last}
	}
	return &egress.Error{Reason: egress.Ambiguous, Message: fmt.Sprintf("worker stopped during the start: %v", last), Err: last}
}

// sleep waits, and reports false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// keepAlive heartbeats until the returned function is called, so that another worker takes over
// soon if this one dies. The details must not change until then.
func keepAlive(ctx context.Context, details ...any) (stop func()) {
	waiting, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	every := activity.GetInfo(ctx).HeartbeatTimeout / 3
	go func() {
		defer close(done)
		for every > 0 && sleep(waiting, every) {
			activity.RecordHeartbeat(ctx, details...)
		}
	}()
	return func() { cancel(); <-done }
}
