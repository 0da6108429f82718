package fakelivekit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// chaos makes everything go wrong that can, with some egresses.
func chaos(cfg *fakelivekit.Config) {
	cfg.Seed = 20261123
	cfg.Timings.WebhookLate = 30 * time.Millisecond
	cfg.Faults = map[fakelivekit.Fault]float64{}
	for _, doc := range fakelivekit.Faults() {
		cfg.Faults[doc.Name] = 0.08
	}
	cfg.Faults[fakelivekit.WebhookHang] = 0 // its queue would take too long
}

func TestInAllChaosTheTruthIsConsistent(t *testing.T) {
	t.Parallel()
	f := start(t, chaos)
	f.room("daily", fakelivekit.RoomScript{})
	var g errgroup.Group
	g.SetLimit(20)
	for range 150 {
		g.Go(func() error {
			_, _ = f.egress.StartParticipantEgress(f.Context(), person("daily")) // whatever the reply says: Egresses shows the truth
			return nil
		})
	}
	_ = g.Wait()
	f.endCall("daily")
	truth := f.allEnded()
	require.InDelta(t, 120, len(truth), 30)
	seen := map[string]bool{}
	for _, r := range truth {
		assert.NotContains(t, seen, r.Info.EgressId)
		seen[r.Info.EgressId] = true
		assert.Empty(t, inconsistencies(r), "%s (%v)", r.Info.EgressId, r.Faults)
	}
}

// allEnded waits until all egresses have ended, except those that never do, and returns them all.
func (f *fake) allEnded() (all []fakelivekit.Recording) {
	f.Helper()
	f.waitUntil("all ends", func() bool {
		all = f.Egresses()
		return !slices.ContainsFunc(all, func(r fakelivekit.Recording) bool {
			return r.Ended.IsZero() && !slices.Contains(r.Faults, fakelivekit.Zombie)
		})
	})
	return all
}

// inconsistencies returns contradictions within one recording.
func inconsistencies(r fakelivekit.Recording) []string {
	var problems []string
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	info, over := r.Info, r.Info.Status >= livekit.EgressStatus_EGRESS_COMPLETE
	expect(over == !r.Ended.IsZero(), "status %v, ended %v", info.Status, r.Ended)
	expect(over == (info.EndedAt > 0), "status %v, ended_at %v", info.Status, info.EndedAt)
	expect(!over || info.EndedAt >= info.StartedAt, "ended before it started")
	expect(info.UpdatedAt >= info.EndedAt, "changed after its end")
	expect(r.Recorded == (r.Runs > 0), "recorded %v in %d runs", r.Recorded, r.Runs)
	expect(int(info.RetryCount) == max(r.Runs-1, 0), "retry_count %d after %d runs", info.RetryCount, r.Runs)
	good := info.Status == livekit.EgressStatus_EGRESS_COMPLETE || info.Status == livekit.EgressStatus_EGRESS_LIMIT_REACHED
	expect(good == (info.FileResults[0].Location != ""), "%v with media at %q", info.Status, info.FileResults[0].Location)
	expect((info.ErrorCode != 0) == (info.Error != ""), "code %d, error %q", info.ErrorCode, info.Error)
	return problems
}

// Whatever the faults, LiveKit's order per egress holds unless a fault occurs that breaks it.
func TestEventsOfOneEgressComeInOrder(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) {
		chaos(cfg)
		for _, breaks := range []fakelivekit.Fault{fakelivekit.WebhookOutOfOrder, fakelivekit.WebhookRepeated, fakelivekit.Rerun, fakelivekit.APIDown, fakelivekit.RateLimited} {
			cfg.Faults[breaks] = 0
		}
	})
	f.room("daily", fakelivekit.RoomScript{})
	for range 30 {
		_, _ = f.egress.StartParticipantEgress(f.Context(), person("daily"))
	}
	f.endCall("daily")
	f.allEnded()
	f.waitUntil("all sent", func() bool {
		n := f.Deliveries()[webhook.EventEgressEnded]
		return n.Sent+n.Suppressed == n.Events
	})
	last := map[string]livekit.EgressStatus{}
	all, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo != nil })
	for _, r := range all {
		id, status := r.EgressInfo.EgressId, r.EgressInfo.Status
		assert.GreaterOrEqual(t, status, last[id], id)
		last[id] = status
	}
	require.NotEmpty(t, last)
}

// A process that dies and comes back, again and again, neither forgets nor invents an egress.
func TestLivesGoOnThroughManyKills(t *testing.T) {
	t.Parallel()
	f := durable(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	var want []string
	for range 4 {
		want = append(want, f.record("daily"))
		f = f.reborn(nil)
	}
	var got []string
	for _, r := range f.Egresses() {
		got = append(got, r.Info.EgressId)
	}
	require.Equal(t, want, got)
	f.waitUntil("all active", func() bool {
		resp, err := f.egress.ListEgress(f.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
		return err == nil && !slices.ContainsFunc(resp.Items, func(info *livekit.EgressInfo) bool { return info.Status != livekit.EgressStatus_EGRESS_ACTIVE })
	})
	f.deleteRoom("daily")
	f.await(4, named(webhook.EventEgressEnded, ""))
}
