package doctor_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

// liveKit answers lists.
type liveKit struct{ egresses, rooms error }

func (l liveKit) Get(_ context.Context, egressID string) (*livekit.EgressInfo, error) {
	if egressID != "EG_reelkeeper-doctor" {
		return nil, errors.New("another question")
	}
	return nil, cmp.Or(l.egresses, error(&egress.Error{Reason: egress.NotFound}))
}
func (l liveKit) Room(context.Context, string, string) (*livekit.Room, error) { return nil, l.rooms }

// frontDoor answers unmarked requests in LiveKit's place, as a front door does.
type frontDoor struct{ liveKit }

func (frontDoor) Get(ctx context.Context, _ string) (*livekit.EgressInfo, error) {
	if sent, marked := twirp.HTTPRequestHeaders(ctx); !marked || sent.Get(egress.HeaderDoor) == "" {
		return nil, &egress.Error{Reason: egress.NotFound}
	}
	answer := twirp.NewError(twirp.Unknown, "Loop Detected").WithMeta("status_code", "508")
	return nil, &egress.Error{Reason: egress.Ambiguous, Err: fmt.Errorf("list egress: %w", answer)}
}

// temporal answers what is known of it.
type temporal struct {
	retention                  time.Duration
	command                    string
	workflows, activities      time.Time
	idle                       string
	last                       time.Time
	made                       time.Time
	paused, off, failing       bool
	others                     bool
	ignored                    string
	stranded                   map[string]int64
	noVersions, noRounds       error
	err, attributesErr, noPlan error
	reported                   time.Time
	noReports                  error
}

func (s temporal) Retention(context.Context) (time.Duration, error) { return s.retention, s.err }
func (s temporal) LackingSearchAttributes(context.Context) (string, error) {
	return s.command, errors.Join(s.err, s.attributesErr)
}

func (s temporal) LastPolls(_ context.Context, queue string) (egress.Polls, error) {
	p := egress.Polls{Workflows: s.workflows, Activities: s.activities, Idle: s.idle}
	if queue == egress.PollQueue {
		p.Workflows = time.Time{}
	}
	return p, s.err
}

// ago reports whether that time is so long ago, give or take what a busy machine takes.
func ago(since time.Time, d time.Duration) bool {
	return time.Since(since) >= d && time.Since(since) < d+30*time.Second
}

func (s temporal) Stranded(_ context.Context, since time.Time) (map[string]int64, error) {
	if !ago(since, 2*time.Minute) {
		return nil, errors.New("another question")
	}
	return s.stranded, s.noVersions
}

func (s temporal) ScheduleState(_ context.Context, id string) (egress.ScheduleState, error) {
	if id != "egress-reconcile" && id != "egress-canary" {
		return egress.ScheduleState{}, errors.New("no such schedule: " + id)
	}
	return egress.ScheduleState{Made: s.made, Acted: s.last, Every: time.Minute, Paused: s.paused || s.off, Off: s.off, Others: s.others, Ignored: s.ignored}, errors.Join(s.err, s.noPlan)
}

func (s temporal) Succeeded(_ context.Context, workflowType string, since time.Time) (bool, error) {
	if workflowType != "Reconcile" && workflowType != "Canary" || !ago(since, 8*time.Minute) {
		return false, errors.New("another question")
	}
	return !s.failing, s.noRounds
}

func (s temporal) Minutes(context.Context, time.Time, time.Time) (egress.Reported, error) {
	return egress.Reported{Last: s.reported, Every: egress.Duration(time.Minute), Due: egress.Duration(time.Minute)}, errors.Join(s.err, s.noReports)
}

func healthy() temporal {
	now := time.Now()
	return temporal{retention: 7 * 24 * time.Hour, workflows: now, activities: now, last: now, reported: now}
}

func keys(t *testing.T) *seal.Keys {
	t.Helper()
	k, err := seal.New(seal.Config{Secret: apiSecret})
	require.NoError(t, err)
	return k
}

// broken seals and cannot open.
type broken struct{ *seal.Keys }

func (broken) OpenRequest(string, egress.Input) (egress.Request, error) {
	return nil, &egress.Error{Reason: egress.Sealed}
}

func dated(t *testing.T, off time.Duration) string {
	t.Helper()
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusNotFound) // whatever is at LiveKit's root
	}))
}

func TestEachCheckSaysWhatItFindsAndHowToMendIt(t *testing.T) {
	t.Parallel()
	with := func(change func(*temporal)) doctor.Config {
		s := healthy()
		change(&s)
		return doctor.Config{Temporal: s, Namespace: "prod", Address: "temporal:7233"}
	}
	refused := func(r egress.Reason) doctor.Config {
		return doctor.Config{APIKey: apiKey, LiveKit: liveKit{egresses: &egress.Error{Reason: r, Message: "no"}}}
	}
	reconciling := func(c doctor.Config, every time.Duration) doctor.Config {
		c.ReconcileEvery = every
		return c
	}
	disabled := &egress.Error{Reason: egress.Denied, Message: "disabled"}
	closed := "http://127.0.0.1:1"
	noDate := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	for name, tc := range map[string]struct {
		check      doctor.Check
		config     doctor.Config
		want       doctor.Status
		found, fix string
	}{
		"settings":                        {doctor.Settings, doctor.Config{}, doctor.OK, "all required settings are set", ""},
		"a setting is wrong":              {doctor.Settings, doctor.Config{Problem: &egress.Error{Field: "LIVEKIT_URL", Message: "is not set"}}, doctor.Fail, "LIVEKIT_URL: is not set", "or remove it if it is not a setting"},
		"a search too short":              {doctor.Settings, doctor.Config{SearchFor: 31 * time.Second, DoorFor: 7 * time.Second}, doctor.Warn, "REELKEEPER_TOKEN_SEARCH is 31s", "well above that"},
		"a search long enough":            {doctor.Settings, doctor.Config{SearchFor: 32 * time.Second, DoorFor: 7 * time.Second}, doctor.OK, "all required settings are set", ""},
		"a search shorter than the door":  {doctor.Settings, doctor.Config{SearchFor: 40 * time.Second, DoorFor: 28 * time.Second}, doctor.Warn, "for up to 52s", "well above that"},
		"a search without such a door":    {doctor.Settings, doctor.Config{SearchFor: 25 * time.Second}, doctor.OK, "all required settings are set", ""},
		"a start that has no search":      {doctor.Settings, doctor.Config{SearchFor: time.Minute, CallTimeout: time.Minute, StartFor: 2 * time.Minute}, doctor.Warn, "REELKEEPER_START_FOR is 2m0s, but a call that hangs and the search for what it started take 2m0s", "well above that"},
		"a start that has a search":       {doctor.Settings, doctor.Config{SearchFor: time.Minute, CallTimeout: time.Minute, StartFor: 121 * time.Second}, doctor.OK, "all required settings are set", ""},
		"a key of its own":                {doctor.Keys, doctor.Config{Sealer: keys(t), SealKeySet: true}, doctor.OK, "sealed with REELKEEPER_SEAL_KEY", ""},
		"a key of LiveKit's secret":       {doctor.Keys, doctor.Config{Sealer: keys(t)}, doctor.OK, "a key derived from LIVEKIT_API_SECRET", ""},
		"keys that do not open":           {doctor.Keys, doctor.Config{Sealer: broken{keys(t)}}, doctor.Fail, "what was sealed cannot be opened", "the same REELKEEPER_SEAL_KEY"},
		"no keys":                         {doctor.Keys, doctor.Config{}, doctor.Warn, "not checked: no LIVEKIT_API_SECRET", "set LIVEKIT_API_SECRET"},
		"LiveKit":                         {doctor.LiveKitAPI, doctor.Config{APIKey: apiKey, LiveKit: liveKit{}}, doctor.OK, "lists egresses and rooms for the key APIkey", ""},
		"LiveKit denies":                  {doctor.LiveKitAPI, refused(egress.Denied), doctor.Fail, "LiveKit does not list egresses: no", "a key of this project"},
		"LiveKit denies rooms":            {doctor.LiveKitAPI, doctor.Config{LiveKit: liveKit{rooms: &egress.Error{Reason: egress.Denied}}}, doctor.Fail, "does not list rooms", "a key of this project"},
		"LiveKit is busy":                 {doctor.LiveKitAPI, refused(egress.RateLimited), doctor.Warn, "does not list egresses", "REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE"},
		"LiveKit is away":                 {doctor.LiveKitAPI, refused(egress.Unreachable), doctor.Fail, "does not list egresses", "whether LIVEKIT_URL is right"},
		"LiveKit is something else":       {doctor.LiveKitAPI, refused(egress.Ambiguous), doctor.Fail, "does not list egresses", "something in front of it"},
		"LiveKit says something else":     {doctor.LiveKitAPI, doctor.Config{LiveKit: liveKit{egresses: errors.New("odd")}}, doctor.Fail, "odd", "whether LIVEKIT_URL"},
		"the front door":                  {doctor.LiveKitAPI, doctor.Config{LiveKit: frontDoor{}}, doctor.Fail, "LIVEKIT_URL leads to the front door", "LiveKit's own address"},
		"clocks agree":                    {doctor.Clock, doctor.Config{LiveKitURL: dated(t, 0)}, doctor.OK, "differ by ", ""},
		"a clock 20 s behind":             {doctor.Clock, doctor.Config{LiveKitURL: dated(t, -20*time.Second)}, doctor.OK, "differ by ", ""},
		"a clock 35 s ahead":              {doctor.Clock, doctor.Config{LiveKitURL: dated(t, 35*time.Second)}, doctor.Warn, "differ by 3", "run NTP"},
		"a clock 55 s behind":             {doctor.Clock, doctor.Config{LiveKitURL: dated(t, -55*time.Second)}, doctor.Warn, "differ by 5", "run NTP"},
		"a clock 68 s ahead":              {doctor.Clock, doctor.Config{LiveKitURL: dated(t, 68*time.Second)}, doctor.Fail, "differ by 1m", "run NTP"},
		"a clock 5 min behind":            {doctor.Clock, doctor.Config{LiveKitURL: dated(t, -5*time.Minute)}, doctor.Fail, "differ by ", "run NTP"},
		"no Date":                         {doctor.Clock, doctor.Config{LiveKitURL: noDate}, doctor.Warn, "has no Date", "by hand"},
		"no LiveKit for the clock":        {doctor.Clock, doctor.Config{LiveKitURL: closed}, doctor.Warn, "LiveKit does not answer", "see the check livekit"},
		"Temporal":                        {doctor.TemporalServer, with(func(*temporal) {}), doctor.OK, `the namespace "prod" keeps closed workflows for 7 days`, ""},
		"a short retention":               {doctor.TemporalServer, with(func(s *temporal) { s.retention = 72 * time.Hour }), doctor.Warn, "3 days: idempotency keys", "temporal operator namespace update --namespace prod --retention 168h"},
		"hardly a retention":              {doctor.TemporalServer, with(func(s *temporal) { s.retention = 12 * time.Hour }), doctor.Fail, "12h0m0s: LiveKit lists ended egresses for longer", "--retention 168h"},
		"a retention of a day":            {doctor.TemporalServer, with(func(s *temporal) { s.retention = 24 * time.Hour }), doctor.Fail, "24h0m0s: LiveKit lists ended egresses for longer", "--retention 168h"},
		"a retention of two days":         {doctor.TemporalServer, with(func(s *temporal) { s.retention = 48 * time.Hour }), doctor.Warn, "2 days: idempotency keys", "--retention 168h"},
		"Temporal is away":                {doctor.TemporalServer, with(func(s *temporal) { s.err = errors.New("no answer in time") }), doctor.Fail, `"prod" at temporal:7233: no answer in time`, "TEMPORAL_ADDRESS"},
		"search attributes":               {doctor.SearchAttributes, with(func(*temporal) {}), doctor.OK, "has all search attributes", ""},
		"no search attributes":            {doctor.SearchAttributes, with(func(s *temporal) { s.command = "temporal operator x" }), doctor.Fail, "lacks search attributes", "temporal operator x"},
		"workers":                         {doctor.Workers, with(func(*temporal) {}), doctor.OK, "workers poll both task queues", ""},
		"no worker":                       {doctor.Workers, with(func(s *temporal) { s.workflows = time.Time{} }), doctor.Fail, `no worker polls the task queue "egress"`, "start a worker"},
		"no worker for polls":             {doctor.Workers, with(func(s *temporal) { s.activities = time.Time{} }), doctor.Fail, "no worker polls", "start a worker"},
		"a version without workers":       {doctor.Workers, with(func(s *temporal) { s.stranded = map[string]int64{"reelkeeper:v2": 1, "reelkeeper:v1": 50} }), doctor.Fail, "no worker of version reelkeeper:v1 polls, and 50 recordings", "of that version again; or, if the current version is newer"},
		"versions do not answer":          {doctor.Workers, with(func(s *temporal) { s.noVersions = errors.New("no answer") }), doctor.Fail, "versions of the workers are not checked: no answer", "see the check temporal"},
		"versions are disabled":           {doctor.Workers, with(func(s *temporal) { s.noVersions = disabled }), doctor.Warn, "versions of the workers are not checked: disabled", "see the check temporal"},
		"… and a worker of before":        {doctor.Workers, with(func(s *temporal) { s.noVersions, s.activities = disabled, time.Now().Add(-3*time.Minute) }), doctor.Fail, "no worker has polled for 3m", "whether a worker still runs"},
		"a worker of before":              {doctor.Workers, with(func(s *temporal) { s.activities = time.Now().Add(-3 * time.Minute) }), doctor.Fail, "no worker has polled for 3m", "whether a worker still runs"},
		"the controller's, not current":   {doctor.Workers, with(func(s *temporal) { s.workflows, s.idle = time.Time{}, "reelkeeper/worker:v1" }), doctor.Fail, "workers of version reelkeeper/worker:v1 poll", "start a worker of the current version: docs/upgrades.md"},
		"a version that is not current":   {doctor.Workers, with(func(s *temporal) { s.workflows, s.idle = time.Time{}, "reelkeeper:v1" }), doctor.Fail, "workers of version reelkeeper:v1 poll", "set-current-version --deployment-name reelkeeper --build-id v1"},
		"workers without a version":       {doctor.Workers, with(func(s *temporal) { s.activities, s.idle = time.Time{}, "__unversioned__" }), doctor.Fail, "workers without a version poll", "set-current-version --deployment-name NAME --unversioned"},
		"a schedule":                      {doctor.Schedule, with(func(*temporal) {}), doctor.OK, "every 1m0s, last acted", ""},
		"a schedule of long ago":          {doctor.Schedule, with(func(s *temporal) { s.last = time.Now().Add(-9 * time.Minute) }), doctor.Fail, "last acted 9m", "whether Temporal's database has space (docs/troubleshooting.md), and whether a round hangs"},
		"a schedule that is late":         {doctor.Schedule, with(func(s *temporal) { s.last = time.Now().Add(-7 * time.Minute) }), doctor.OK, "last acted 7m", ""},
		"a schedule of other workers":     {doctor.Schedule, with(func(s *temporal) { s.others = true }), doctor.Fail, "other secrets", "REELKEEPER_PREVIOUS_SECRETS as the workers have them"},
		"a paused schedule":               {doctor.Schedule, with(func(s *temporal) { s.paused = true }), doctor.Fail, "is paused", "toggle --unpause"},
		"rounds that fail":                {doctor.Schedule, with(func(s *temporal) { s.failing = true }), doctor.Fail, "none of its rounds has completed within 8m0s", `'WorkflowType = "Reconcile"'`},
		"a schedule made just now":        {doctor.Schedule, with(func(s *temporal) { s.failing, s.made = true, time.Now() }), doctor.OK, "last acted", ""},
		"the reconciler is off":           {doctor.Schedule, with(func(s *temporal) { s.off = true }), doctor.Warn, `is paused, since REELKEEPER_RECONCILE_EVERY is off`, "set REELKEEPER_RECONCILE_EVERY if"},
		"paused by another setting":       {doctor.Schedule, reconciling(with(func(s *temporal) { s.off = true }), time.Minute), doctor.Fail, `"egress-reconcile" is paused: a worker with another setting paused it (REELKEEPER_RECONCILE_EVERY is 1m0s here), and egresses`, "restart a worker with the current settings"},
		"paused by a person":              {doctor.Schedule, reconciling(with(func(s *temporal) { s.paused = true }), time.Minute), doctor.Fail, "is paused", "toggle --unpause"},
		"a schedule as set":               {doctor.Schedule, reconciling(with(func(*temporal) {}), time.Minute), doctor.OK, "every 1m0s, last acted", ""},
		"a schedule of another interval":  {doctor.Schedule, reconciling(with(func(*temporal) {}), 5*time.Minute), doctor.Warn, "ago, but REELKEEPER_RECONCILE_EVERY is 5m0s here", "restart a worker with the current settings"},
		"another interval, and late":      {doctor.Schedule, reconciling(with(func(s *temporal) { s.last = time.Now().Add(-9 * time.Minute) }), 5*time.Minute), doctor.Fail, "last acted 9m", "whether a round hangs"},
		"a time that does not count":      {doctor.Schedule, with(func(s *temporal) { s.made, s.ignored = time.Now(), "its memo is no time" }), doctor.Warn, "ago, but ends from before it was created are not announced: its memo is no time", "create it again"},
		"one that no longer matters":      {doctor.Schedule, with(func(s *temporal) { s.made, s.ignored = time.Now().Add(-26*time.Hour), "its memo is no time" }), doctor.OK, "last acted", ""},
		"a canary that is off":            {doctor.Canary, with(func(s *temporal) { s.off = true }), doctor.Warn, `is paused, since REELKEEPER_CANARY_EVERY is off`, "set REELKEEPER_CANARY_EVERY if"},
		"not checked by a wrong one":      {doctor.Webhook, doctor.Config{Problem: &egress.Error{Field: "LIVEKIT_URL", Message: "is not set"}}, doctor.Fail, "not checked: LIVEKIT_URL: is not set", "the README has the table"},
		"no schedule":                     {doctor.Schedule, with(func(s *temporal) { s.noPlan = &egress.Error{Reason: egress.NotFound} }), doctor.Warn, "there is no schedule", "REELKEEPER_RECONCILE_EVERY"},
		"no schedule by unknown settings": {doctor.Schedule, doctor.Config{Temporal: temporal{noPlan: &egress.Error{Reason: egress.NotFound}}, Problem: errors.New("a wrong setting")}, doctor.Fail, "there is no schedule", "start or restart a worker"},
		"no schedule that is to be":       {doctor.Schedule, doctor.Config{Temporal: temporal{noPlan: &egress.Error{Reason: egress.NotFound}}, ReconcileEvery: time.Minute}, doctor.Fail, "there is no schedule", "first create it with announce_since"},
		"a canary":                        {doctor.Canary, with(func(*temporal) {}), doctor.OK, `the schedule "egress-canary", every 1m0s`, ""},
		"a paused canary":                 {doctor.Canary, with(func(s *temporal) { s.paused = true }), doctor.Fail, "is paused", "--schedule-id egress-canary"},
		"no canary":                       {doctor.Canary, with(func(s *temporal) { s.noPlan = &egress.Error{Reason: egress.NotFound} }), doctor.Warn, `there is no schedule "egress-canary"`, "REELKEEPER_CANARY_EVERY"},
		"no Temporal for workers":         {doctor.Workers, with(func(s *temporal) { s.err = errors.New("away") }), doctor.Fail, "not checked: away", "whether all of Temporal's services run"},
		"no Temporal for attributes":      {doctor.SearchAttributes, with(func(s *temporal) { s.attributesErr = errors.New("away") }), doctor.Fail, "not checked: away", "see the check temporal"},
		"no Temporal for schedules":       {doctor.Schedule, with(func(s *temporal) { s.noPlan = errors.New("away") }), doctor.Fail, "not checked: away", "see the check temporal"},
		"no Temporal for rounds":          {doctor.Canary, with(func(s *temporal) { s.noRounds = errors.New("away") }), doctor.Fail, "whether its rounds complete was not checked: away", "see the check temporal"},
		"an endpoint":                     {doctor.Endpoint, with(func(*temporal) {}), doctor.OK, `last reported to the namespace "prod" `, ""},
		"an endpoint that is due":         {doctor.Endpoint, with(func(s *temporal) { s.reported = time.Now().Add(-70 * time.Second) }), doctor.OK, "1m", ""},
		"an endpoint cut off":             {doctor.Endpoint, with(func(s *temporal) { s.reported = time.Now().Add(-130 * time.Second) }), doctor.Fail, "may be answered 503, or go to another namespace", "whether it reaches Temporal, whether Temporal's database has space"},
		"no endpoint yet":                 {doctor.Endpoint, with(func(s *temporal) { s.noReports = &egress.Error{Reason: egress.NotFound} }), doctor.Warn, `no webhook endpoint has reported to the namespace "prod" yet`, "its TEMPORAL_ADDRESS"},
		"no worker for the endpoint":      {doctor.Endpoint, with(func(s *temporal) { s.noReports = errors.New("no answer in time") }), doctor.Warn, "not checked: no answer in time", "see the check workers"},
		"no public URL":                   {doctor.Webhook, doctor.Config{}, doctor.Warn, "not checked: no REELKEEPER_PUBLIC_URL", "set REELKEEPER_PUBLIC_URL"},
		"no key to sign with":             {doctor.Webhook, doctor.Config{PublicURL: closed}, doctor.Warn, "not checked: no LIVEKIT_API_KEY", "set LIVEKIT_API_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.config.Timeout = time.Minute
			findings := doctor.New(tc.config).Run(t.Context(), tc.check)
			require.Len(t, findings, 1)
			f := findings[0]
			require.Equal(t, tc.check, f.Check)
			require.Equal(t, tc.want, f.Status, f.Found)
			require.Contains(t, f.Found, tc.found)
			require.Contains(t, f.Fix, tc.fix)
			require.Equal(t, tc.want == doctor.OK, f.Fix == "", "what is not well has a fix: %+v", f)
		})
	}
}

func TestWhatFollowsFromAFailedCheckIsSkippedBesideIt(t *testing.T) {
	t.Parallel()
	away := temporal{err: errors.New("away")}
	problem := doctor.Config{Temporal: away, Problem: &egress.Error{Field: "LIVEKIT_URL", Message: "is not set"}}
	found := func(c doctor.Config, only ...doctor.Check) []string {
		var lines []string
		for _, f := range doctor.New(c).Run(t.Context(), only...) {
			require.Equal(t, f.Status == doctor.Skip, f.Fix == "")
			lines = append(lines, string(f.Status)+" "+string(f.Check)+": "+f.Found)
		}
		return lines
	}
	require.Equal(t, []string{
		"fail settings: LIVEKIT_URL: is not set",
		"skip keys: not checked: see settings",
		"skip livekit: not checked: see settings",
		"skip clock: not checked: see settings",
		`fail temporal: Temporal does not answer for the namespace "" at : away`,
		"skip search_attributes: not checked: see temporal",
		"skip workers: not checked: see temporal",
		"skip schedule: not checked: see temporal",
		"skip canary: not checked: see temporal",
		"skip storage: not checked: see settings",
		"skip endpoint: not checked: see workers",
		"skip webhook: not checked: see settings",
	}, found(problem))
	require.Equal(t, []string{"fail workers: not checked: away", "fail webhook: not checked: LIVEKIT_URL: is not set"}, found(problem, doctor.Workers, doctor.Webhook),
		"who asks for them alone is told why")
}

func TestAllChecksAreRunInTheirOrder(t *testing.T) {
	t.Parallel()
	findings := doctor.New(doctor.Config{}).Run(t.Context())
	var got []doctor.Check
	for _, f := range findings {
		got = append(got, f.Check)
	}
	require.Equal(t, doctor.Checks(), got)
	require.Equal(t, doctor.Warn, doctor.Worst(findings))
	require.Equal(t, doctor.OK, doctor.Worst(nil))
	require.Equal(t, doctor.Fail, doctor.Worst([]doctor.Finding{{Status: doctor.OK}, {Status: doctor.Fail}, {Status: doctor.Warn}}))
}

// slow answers after its caller has given up.
type slow struct{ temporal }

func (slow) Retention(ctx context.Context) (time.Duration, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestACheckThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	findings := doctor.New(doctor.Config{Temporal: slow{healthy()}, Timeout: 10 * time.Millisecond}).Run(t.Context(), doctor.TemporalServer, doctor.Workers)
	require.Equal(t, []doctor.Status{doctor.Fail, doctor.OK}, []doctor.Status{findings[0].Status, findings[1].Status})
}
