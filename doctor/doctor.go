// Package doctor finds out whether everything that recordings depend on is well, before a
// recording shows that it is not: settings, LiveKit, clocks, Temporal, and above all the path of
// LiveKit's webhooks to us. Each finding has a fix in words. The package changes nothing anywhere,
// except for the probe object that it writes to each storage profile and deletes, and must never
// show a secret.
package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Check names one thing that is checked.
type Check string

// The checks, in the order in which they are shown.
const (
	Settings         Check = "settings"
	Keys             Check = "keys"
	LiveKitAPI       Check = "livekit"
	Clock            Check = "clock"
	TemporalServer   Check = "temporal"
	SearchAttributes Check = "search_attributes"
	Workers          Check = "workers"
	Schedule         Check = "schedule"
	Canary           Check = "canary"
	Storage          Check = "storage"
	Endpoint         Check = "endpoint"
	Webhook          Check = "webhook"
)

// Checks lists every Check.
func Checks() []Check {
	return []Check{Settings, Keys, LiveKitAPI, Clock, TemporalServer, SearchAttributes, Workers, Schedule, Canary, Storage, Endpoint, Webhook}
}

// Status says how well something is.
type Status string

// The statuses. A warning is about what will become a failure, or what could not be seen. A check
// is skipped if another one failed, which says why.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Finding is what one check found.
type Finding struct {
	Check  Check  `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Fix    string `json:"fix,omitempty"`  // in words; empty where all is well
	Path   *Path  `json:"path,omitempty"` // of the webhook

	behind Check // the check that says why this could not be checked; empty: it was
}

// LiveKit is what the doctor needs of LiveKit's API. Errors are *egress.Error.
type LiveKit interface {
	// Get asks for one egress. If it does not exist, the error has reason NotFound.
	Get(ctx context.Context, egressID string) (*livekit.EgressInfo, error)
	Room(ctx context.Context, name, sid string) (*livekit.Room, error)
}

// Temporal is what the doctor needs of Temporal. Errors are *egress.Error.
type Temporal interface {
	// Retention returns how long the namespace keeps closed workflows.
	Retention(ctx context.Context) (time.Duration, error)
	// LackingSearchAttributes returns the command that creates those that the namespace lacks,
	// empty if it lacks none.
	LackingSearchAttributes(ctx context.Context) (command string, err error)
	// LastPolls returns when workers last polled a task queue for new work.
	LastPolls(ctx context.Context, queue string) (egress.Polls, error)
	// Stranded counts the running recordings of each Worker Deployment version of which no worker
	// has polled since the given time.
	Stranded(ctx context.Context, since time.Time) (map[string]int64, error)
	// ScheduleState returns the state of a schedule. If it does not exist, the error has reason
	// NotFound.
	ScheduleState(ctx context.Context, id string) (egress.ScheduleState, error)
	// Succeeded reports whether a workflow of a type has completed since the given time.
	Succeeded(ctx context.Context, workflowType string, since time.Time) (bool, error)
	// Minutes returns what webhook endpoints reported about a span. If none has ever reported, the
	// error has reason NotFound. A worker answers.
	Minutes(ctx context.Context, from, to time.Time) (egress.Reported, error)
}

// Sealer seals requests and opens them. *seal.Keys is one.
type Sealer interface {
	SealRequest(requestID string, r egress.Request, storage, pipeline string) (egress.Input, error)
	OpenRequest(requestID string, in egress.Input) (egress.Request, error)
}

// Config is what to check. Whatever is nil or empty, because the settings lack it, is reported as
// not checked.
type Config struct {
	Problem error // what is wrong with the settings; nil: nothing

	Sealer     Sealer
	SealKeySet bool // the seal key is a setting of its own, not LiveKit's secret

	// SearchFor is how long a start with an unknown outcome is searched for in LiveKit. Zero:
	// unknown here.
	SearchFor time.Duration
	// CallTimeout is how long one start call to LiveKit may take.
	CallTimeout time.Duration
	// StartFor is how long a start is tried in all. Zero: unknown here.
	StartFor time.Duration
	// DoorFor is how long a front door may ask LiveKit for a start after a worker has handed it
	// back. Zero: it does not fail open.
	DoorFor time.Duration

	LiveKit    LiveKit
	LiveKitURL string // http or https
	APIKey     string
	APISecret  string

	Temporal  Temporal
	Address   string // of Temporal, for display
	Namespace string

	// ReconcileEvery and CanaryEvery are the intervals of our schedules. Zero: they are off.
	ReconcileEvery time.Duration
	CanaryEvery    time.Duration

	Profiles egress.Profiles
	Stores   Stores // required if there are profiles

	PublicURL string
	// RootCAs are the trusted certificate authorities. Default: the machine's.
	RootCAs *x509.CertPool

	// Timeout bounds each check except that of the webhook, which has LiveKit's own budget.
	// Default: 5 s.
	Timeout time.Duration

	// SlowAfter is how long our endpoint may take for a webhook before it gets a warning. Default:
	// 1 s, a tenth of what LiveKit waits.
	SlowAfter time.Duration
}

// Doctor runs the checks. It is safe for concurrent use.
type Doctor struct{ cfg Config }

// New returns a Doctor. It does not check anything yet.
func New(c Config) *Doctor {
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.SlowAfter = cmp.Or(c.SlowAfter, time.Second)
	return &Doctor{c}
}

// Run runs all checks, or only the named ones, and returns the findings in the order of Checks.
func (d *Doctor) Run(ctx context.Context, only ...Check) []Finding {
	wanted := func(c Check) bool { return len(only) == 0 || slices.Contains(only, c) }
	checks := map[Check]func(context.Context) Finding{
		Settings: d.settings, Keys: d.keys, LiveKitAPI: d.liveKit, Clock: d.clock, TemporalServer: d.temporal,
		SearchAttributes: d.searchAttributes, Workers: d.workers, Schedule: d.schedule, Canary: d.canary,
		Storage: d.storage, Endpoint: d.endpoint, Webhook: d.webhook,
	}
	findings := make([]Finding, len(Checks()))
	var all sync.WaitGroup
	for i, name := range Checks() {
		if !wanted(name) {
			continue
		}
		all.Go(func() {
			ctx := ctx
			if name != Webhook {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, d.cfg.Timeout)
				defer cancel()
			}
			findings[i] = checks[name](ctx)
			findings[i].Check = name
		})
	}
	all.Wait()
	for i, f := range findings {
		if f.behind == "" {
			continue
		}
		if s := findings[slices.Index(Checks(), f.behind)].Status; s == Fail || s == Skip { // reported only once
			findings[i] = Finding{Check: f.Check, Status: Skip, Found: "not checked: see " + string(f.behind)}
		}
	}
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Check == "" })
}

// Worst returns the worst status among findings.
func Worst(findings []Finding) Status {
	worst := OK
	for _, f := range findings {
		if f.Status == Fail || worst == OK {
			worst = f.Status
		}
	}
	return worst
}

func ok(found string) Finding          { return Finding{Status: OK, Found: found} }
func warn(found, fix string) Finding   { return Finding{Status: Warn, Found: found, Fix: fix} }
func failed(found, fix string) Finding { return Finding{Status: Fail, Found: found, Fix: fix} }

// notChecked returns the finding for a setting that is missing, or that could not be read because
// another one is wrong.
func (d *Doctor) notChecked(setting string) Finding {
	if d.cfg.Problem != nil {
		return Finding{Status: Fail, Found: "not checked: " + d.cfg.Problem.Error(), Fix: seeSettings, behind: Settings}
	}
	return warn("not checked: no "+setting, "set "+setting)
}

// behind returns the finding for a check that another check's subject prevents.
func behind(c Check, why string) Finding {
	return Finding{Status: Warn, Found: "not checked: " + why, Fix: "see the check " + string(c), behind: c}
}
