package webhook_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// clock is the figures' clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// at sets the clock to a time after noon.
func (c *clock) at(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = noon.Add(d)
}

// counted returns an endpoint with figures, at noon.
func counted(t *testing.T) (*bench, *webhook.Figures, *clock) {
	t.Helper()
	c := &clock{now: noon}
	f := webhook.NewFigures("a", time.Minute, c.read)
	return newBench(t, func(cfg *webhook.Config) { cfg.Figures = f }), f, c
}

// minute returns a report of a period in seconds after noon.
func minute(from, until int, change ...func(*egress.Minute)) egress.Minute {
	m := egress.Minute{
		From: noon.Add(time.Duration(from) * time.Second), Until: noon.Add(time.Duration(until) * time.Second),
		Every: egress.Duration(time.Minute), Due: egress.Duration(10 * time.Second), Instance: "a",
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

// timeless returns the minutes without what depends on the machine: how long an answer took.
func timeless(t *testing.T, minutes []egress.Minute) []egress.Minute {
	t.Helper()
	for i := range minutes {
		require.Equal(t, minutes[i].Requests() > 0, minutes[i].Slowest > 0)
		minutes[i].Slowest = 0
	}
	return minutes
}

func TestEachWebhookIsInTheFiguresOfItsMinute(t *testing.T) {
	t.Parallel()
	b, f, c := counted(t)
	b.post(t, project, started())
	c.at(59 * time.Second)
	b.post(t, b.path("req-1"), started())
	c.at(60 * time.Second)
	b.post(t, project, `{"event":"track_published"}`)

	c.at(70 * time.Second)
	require.Equal(t, []egress.Minute{
		minute(0, 60, func(m *egress.Minute) { m.Accepted = 2 }),
		minute(60, 70, func(m *egress.Minute) { m.Accepted = 1 }),
	}, timeless(t, f.Take(false)))
}

func TestFiguresSayWhetherAWebhookWasTakenRefusedOrCouldNotBeTaken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		send func(t *testing.T, b *bench)
		want egress.Minute
	}{
		"taken": {func(t *testing.T, b *bench) { b.post(t, project, started()) }, egress.Minute{Accepted: 1}},
		"a wrong key": {func(t *testing.T, b *bench) {
			r := b.request(t, project, started())
			r.Header.Set("Authorization", sign(t, apiKey, "another secret", started()))
			b.do(t, r)
		}, egress.Minute{Refused: 1}},
		"no signature": {func(t *testing.T, b *bench) {
			r := b.request(t, project, started())
			r.Header.Del("Authorization")
			b.do(t, r)
		}, egress.Minute{Refused: 1}},
		"no event": {func(t *testing.T, b *bench) { b.post(t, project, "{") }, egress.Minute{Refused: 1}},
		"Temporal is down": {func(t *testing.T, b *bench) {
			b.temporal.answer = func(context.Context, string) error { return errors.New("no connection") }
			b.post(t, project, started())
		}, egress.Minute{Unavailable: 1}},
		"no webhook at all": {func(t *testing.T, b *bench) {
			r := b.request(t, project, "")
			r.Method = http.MethodGet
			b.do(t, r)
		}, egress.Minute{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, f, c := counted(t)
			tc.send(t, b)
			c.at(10 * time.Second)
			got := timeless(t, f.Take(true))
			require.Len(t, got, 1)
			require.Equal(t, []int{tc.want.Accepted, tc.want.Refused, tc.want.Unavailable}, []int{got[0].Accepted, got[0].Refused, got[0].Unavailable})
		})
	}
}

// idle makes a minute that of a process without recent requests.
func idle(m *egress.Minute) { m.Due = egress.Duration(time.Minute) }

func TestThePartsOfAMinuteAreTakenForAsLongAsWebhooksCome(t *testing.T) {
	t.Parallel()
	b, f, c := counted(t)
	require.Empty(t, f.Take(true), "nothing of no time")
	c.at(time.Second)
	require.Equal(t, []egress.Minute{minute(0, 1)}, f.Take(false), "that it is there")
	c.at(50 * time.Second)
	b.post(t, project, started())
	require.Equal(t, []egress.Minute{minute(0, 50, func(m *egress.Minute) { m.Accepted = 1 })}, timeless(t, f.Take(false)))
	for n := 1; n <= 5; n++ {
		c.at(time.Duration(n) * time.Minute)
		whole := f.Take(false)
		require.Len(t, whole, 1)
		require.Equal(t, time.Minute, whole[0].Until.Sub(whole[0].From))
	}
	c.at(350 * time.Second)
	require.Equal(t, []egress.Minute{minute(300, 350, idle)}, f.Take(false), "for five minutes")
	c.at(351 * time.Second)
	require.Empty(t, f.Take(false))
	require.Equal(t, []egress.Minute{minute(300, 351, idle)}, f.Take(true), "at the end of the process, all")
	c.at(361 * time.Second)
	require.Equal(t, []egress.Minute{minute(300, 360, idle)}, f.Take(false), "a whole minute in any case")
}

func TestAProcessThatStoodStillWasNotThere(t *testing.T) {
	t.Parallel()
	_, f, c := counted(t)
	c.at(30 * time.Second)
	f.Take(false)
	c.at(10 * time.Minute)
	require.Equal(t, []egress.Minute{minute(0, 30, idle)}, f.Take(false))
	c.at(11 * time.Minute)
	require.Equal(t, []egress.Minute{minute(600, 660, idle)}, f.Take(false))
	c.at(2 * time.Minute) // a clock that is set back
	require.Empty(t, f.Take(true))
	c.at(3 * time.Minute)
	require.Equal(t, []egress.Minute{minute(120, 180)}, f.Take(false))
}

func TestTheNextReportIsNeverLaterThanItIsDue(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, _ func()) {
		pass(20 * time.Minute)
		for i, m := range k.all()[1:] {
			before := k.all()[i]
			require.LessOrEqual(t, m.Until.Sub(before.Until), before.Due.D())
		}
	})
}

// keeper is Temporal as seen by reports.
type keeper struct {
	down atomic.Bool
	slow atomic.Int64 // nanoseconds until a report is kept
	mu   sync.Mutex
	kept []egress.Minute
}

// ReportMinute keeps a report, unless Temporal is down.
func (k *keeper) ReportMinute(ctx context.Context, m egress.Minute) error {
	if k.down.Load() {
		return errors.New("no connection")
	}
	select {
	case <-time.After(time.Duration(k.slow.Load())):
	case <-ctx.Done():
		return ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, m)
	return nil
}

// all returns what has been reported so far.
func (k *keeper) all() []egress.Minute {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.kept)
}

// reporting runs a test on its own clock, alongside the reports of a process.
func reporting(t *testing.T, test func(k *keeper, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k, done := &keeper{}, make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		f := webhook.NewFigures("a", time.Minute, time.Now) // a bubble begins at midnight
		go func() {
			defer close(done)
			webhook.Report(ctx, f, k, slog.New(slog.DiscardHandler))
		}()
		test(k, func() { stop(); <-done })
		stop()
		<-done
	})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAnIdleProcessReportsEveryMinuteOnce(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, _ func()) {
		pass(5*time.Minute + 10*time.Second)
		require.Len(t, k.all(), 30, "every 10 s at first")
		pass(3 * time.Minute)
		require.Len(t, k.all(), 30+3)
		for i, m := range k.all()[30:] {
			require.Equal(t, time.Minute, m.Until.Sub(m.From))
			require.Equal(t, k.all()[0].From.Add(time.Duration(5+i)*time.Minute), m.From)
		}
	})
}

func TestReportsWaitForTemporal(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, _ func()) {
		k.down.Store(true)
		pass(5 * time.Hour)
		require.Empty(t, k.all())
		k.down.Store(false)
		pass(10 * time.Second)
		require.Len(t, k.all(), 300)
		for i, m := range k.all()[1:] {
			require.Equal(t, k.all()[i].Until, m.From, "without a hole, and in their order")
		}
	})
}

func TestAProcessRunsWhileItHandsOnWhatHasWaited(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, _ func()) {
		k.down.Store(true)
		pass(5 * time.Hour)
		k.down.Store(false)
		k.slow.Store(int64(time.Second))
		pass(10 * time.Minute)
		require.Greater(t, len(k.all()), 300)
		for i, m := range k.all()[1:] {
			require.Equal(t, k.all()[i].Until, m.From, "without a hole, and in their order")
		}
	})
}

func TestNoMoreReportsWaitThanAreKept(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, _ func()) {
		k.down.Store(true)
		pass(30 * time.Hour)
		k.down.Store(false)
		pass(10 * time.Second)
		require.Len(t, k.all(), 26*60)
		require.Equal(t, 30*time.Hour, k.all()[len(k.all())-1].Until.Sub(k.all()[0].From.Add(-4*time.Hour)), "the oldest are dropped")
	})
}

func TestAProcessThatEndsReportsItsLastMinute(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, end func()) {
		pass(75 * time.Second)
		end()
		last := k.all()[len(k.all())-1]
		require.Equal(t, 15*time.Second, last.Until.Sub(last.From))
	})
}

func TestAProcessThatEndsDuringAReportReportsItAgainAndItsLastMinute(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, end func()) {
		pass(55 * time.Second)
		k.slow.Store(int64(10 * time.Second))
		pass(10 * time.Second) // the report of 50 s to 60 s is in progress
		k.slow.Store(0)
		end()
		last := k.all()[len(k.all())-1]
		require.Equal(t, time.Minute+5*time.Second, last.Until.Sub(k.all()[0].From))
		require.Equal(t, 5*time.Second, last.Until.Sub(last.From))
	})
}

func TestAProcessThatEndsWhileTemporalIsDownDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	reporting(t, func(k *keeper, end func()) {
		k.down.Store(true)
		pass(time.Minute)
		k.down.Store(false)
		end()
		require.Empty(t, k.all())
	})
}
