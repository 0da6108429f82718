package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// secs returns the time that many seconds after noon.
func secs(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Second))) }

// part returns an instance's report on some seconds after noon.
func part(from, until float64, change ...func(*egress.Minute)) egress.Minute {
	m := egress.Minute{From: secs(from), Until: secs(until), Every: egress.Duration(time.Minute), Due: egress.Duration(time.Minute), Instance: "a"}
	for _, f := range change {
		f(&m)
	}
	return m
}

func took(n int, slowest time.Duration) func(*egress.Minute) {
	return func(m *egress.Minute) { m.Accepted, m.Slowest = n, egress.Duration(slowest) }
}

func parts(m *egress.Minute) { m.Due /= egress.MinuteParts }

func refused(n int) func(*egress.Minute)     { return func(m *egress.Minute) { m.Refused = n } }
func unavailable(n int) func(*egress.Minute) { return func(m *egress.Minute) { m.Unavailable = n } }

// The egress ended at noon. The endpoint reported from an hour before, without a gap, unless a
// case says otherwise.
func TestWhyAWebhookWasMissed(t *testing.T) {
	t.Parallel()
	type minutes = []egress.Minute
	for name, tc := range map[string]struct {
		heard   float64 // seconds after the end
		minutes minutes
		told    bool
		want    egress.Missed
		because string
	}{
		"well, and nobody came": {300, minutes{part(-3600, 300)}, true, egress.MissedUntried,
			"the endpoint was well and answered 0 webhooks, but LiveKit did not send this one as far as we can see; others of this egress came"},
		"well, and none of the egress came": {300, minutes{part(-3600, 0), part(0, 60, took(1, time.Second)), part(60, 300)}, false, egress.MissedUntried,
			"the endpoint was well and answered 1 webhook, but LiveKit did not send this one as far as we can see; none of this egress came"},
		"other instances were away": {300, minutes{part(-3600, 10), part(5, 40), part(30, 300)}, false, egress.MissedUntried, ""},

		"503": {300, minutes{part(-3600, 0), part(0, 60, took(7, 0), unavailable(5)), part(60, 300)}, false, egress.MissedDown,
			"the endpoint could not take 5 of 12 webhooks at that time"},
		"503 just before the last attempt": {300, minutes{part(-3600, 69), part(69, 71, unavailable(1)), part(71, 300)}, false, egress.MissedDown, ""},
		"503 after LiveKit's last attempt": {300, minutes{part(-3600, 70), part(70, 300, unavailable(1))}, false, egress.MissedUntried, ""},
		"503 before it ended":              {300, minutes{part(-3600, 0, unavailable(9)), part(0, 300)}, false, egress.MissedUntried, ""},
		"503 after we heard of it":         {20, minutes{part(-3600, 20), part(20, 60, unavailable(1))}, false, egress.MissedUntried, ""},
		"503, and refused, and slow":       {300, minutes{part(-3600, 300, unavailable(1), refused(1), took(1, time.Minute))}, false, egress.MissedDown, "the endpoint could not take 1 of 3 webhooks at that time"},
		"refused":                          {300, minutes{part(-3600, 0), part(0, 60, refused(5)), part(60, 300)}, false, egress.MissedRefused, "the endpoint refused 5 of 5 webhooks at that time: see its log for the key, clock or path"},
		"refused, and slow, and then away": {300, minutes{part(-3600, 10, refused(1), took(3, time.Minute)), part(200, 300)}, false, egress.MissedRefused, ""},
		"slow":                             {300, minutes{part(-3600, 0), part(0, 60, took(3, 6*time.Second)), part(60, 300)}, false, egress.MissedSlow, "the endpoint took 6s to answer at that time, and LiveKit drops what waits for 30s"},
		"slow, and then away":              {300, minutes{part(-3600, 10, took(3, 8040*time.Millisecond)), part(200, 300)}, false, egress.MissedSlow, "the endpoint took 8s to answer"},
		"almost slow":                      {300, minutes{part(-3600, 300, took(3, 6*time.Second-1))}, false, egress.MissedUntried, ""},

		"away all the time":   {300, minutes{part(-3600, -60), part(120, 300)}, true, egress.MissedDown, "the endpoint did not report from 2026-11-23 12:00:00 UTC to 2026-11-23 12:01:10 UTC"},
		"away until today":    {300, minutes{part(-3600, -60)}, true, egress.MissedDown, "the endpoint did not report from 2026-11-23 12:00:00 UTC to 2026-11-23 12:01:10 UTC"},
		"away for 15 s":       {300, minutes{part(-3600, 10), part(25, 300)}, true, egress.MissedDown, "the endpoint did not report from 2026-11-23 12:00:10 UTC to 2026-11-23 12:00:25 UTC"},
		"away twice as long":  {300, minutes{part(-3600, 5), part(20, 30), part(45, 300)}, true, egress.MissedDown, "from 2026-11-23 12:00:05 UTC to 2026-11-23 12:00:20 UTC"},
		"a restart":           {300, minutes{part(-3600, 10), part(24.9, 300)}, true, egress.MissedUntried, ""},
		"away until we heard": {20, minutes{part(-3600, -120)}, true, egress.MissedDown, ""},
		"away after the end":  {300, minutes{part(-3600, 30)}, true, egress.MissedDown, "the endpoint did not report from 2026-11-23 12:00:30 UTC to 2026-11-23 12:01:10 UTC"},
		"away within the budget, but not for long enough": {300, minutes{part(-3600, 60)}, true, egress.MissedUntried, ""},

		"its next report is not due":        {40, minutes{part(-3600, 0)}, true, egress.MissedUnclassified, "the endpoint has not reported on that time; its reports go from 2026-11-23 11:00:00 UTC to 2026-11-23 12:00:00 UTC"},
		"its next report is just not due":   {60, minutes{part(-3600, -60)}, true, egress.MissedUnclassified, ""},
		"its next report is overdue":        {60.1, minutes{part(-3600, -60)}, true, egress.MissedDown, ""},
		"its next part was due":             {20, minutes{part(-3600, -1, parts)}, true, egress.MissedDown, ""},
		"its next part is just not due":     {20, minutes{part(-3600, 0, parts)}, true, egress.MissedUnclassified, ""},
		"enough is known":                   {40, minutes{part(-3600, 7.5)}, true, egress.MissedUntried, ""},
		"too little is known":               {40, minutes{part(-3600, 7.4)}, true, egress.MissedUnclassified, ""},
		"it only began to report later":     {300, minutes{part(120, 300)}, true, egress.MissedUnclassified, ""},
		"it began to report just before 70": {300, minutes{part(63, 300)}, true, egress.MissedUnclassified, ""},
		"it began to report in good time":   {300, minutes{part(62, 300)}, true, egress.MissedUntried, ""},
		"we looked too soon":                {0.9, minutes{part(-3600, 300)}, true, egress.MissedUnclassified, "we looked 900ms after the end: it may only have been late"},
		"soon enough":                       {1, minutes{part(-3600, 300)}, true, egress.MissedUntried, ""},
		"too soon, but it was refused":      {0.9, minutes{part(-3600, 300, refused(1))}, true, egress.MissedRefused, ""},
		"LiveKit's clock is ahead":          {-30, minutes{part(-3600, 300)}, true, egress.MissedUnclassified, "we looked 0s after the end: it may only have been late"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ring egress.Ring
			for _, m := range tc.minutes {
				ring.Add(m)
			}
			m := egress.Miss{EndedAt: noon, HeardAt: secs(tc.heard), WebhookSeen: tc.told}
			m.Reported = ring.Between(m.Span())

			class, because := egress.WhyMissed(m)

			require.Equal(t, tc.want, class, because)
			require.Contains(t, because, tc.because)
		})
	}
}

func TestWhatNobodyReportedOnHasNoClass(t *testing.T) {
	t.Parallel()
	class, because := egress.WhyMissed(egress.Miss{EndedAt: noon, HeardAt: secs(60)})
	require.Equal(t, egress.MissedUnclassified, class)
	require.Equal(t, "the endpoint has never reported", because)
	class, because = egress.WhyMissed(egress.Miss{HeardAt: secs(60)})
	require.Equal(t, egress.MissedUnclassified, class)
	require.Equal(t, "LiveKit does not say when it ended", because)
}

func TestReportsThatDoNotSayHowOftenTheyComeAreNoAbsence(t *testing.T) {
	t.Parallel()
	m := egress.Miss{EndedAt: noon, HeardAt: secs(300)}
	m.Reported = egress.Reported{Minutes: []egress.Minute{part(-3600, 300)}, First: secs(-3600), Last: secs(300)}
	class, _ := egress.WhyMissed(m)
	require.Equal(t, egress.MissedUntried, class)
	m.Reported = egress.Reported{First: secs(-3600), Last: secs(-3600), Due: egress.Duration(day)}
	class, _ = egress.WhyMissed(m)
	require.Equal(t, egress.MissedUnclassified, class, "nothing is known of that time")
}

func TestEveryClassIsListed(t *testing.T) {
	t.Parallel()
	require.Equal(t, []egress.Missed{"endpoint_down", "endpoint_slow", "refused", "never_tried", "late", "unclassified"}, egress.Misses())
}

func TestTheWebhookOfAnEndThatWeAskedForCanComeLate(t *testing.T) {
	t.Parallel()
	webhook := egress.Observation{Info: infoOf(t, "EG_1", failed), Final: true, Source: egress.FromWebhook, HeardAt: noon.Add(3 * time.Minute)}
	for name, tc := range map[string]struct {
		by     egress.Source
		change func(*egress.Observation)
		want   egress.Missed
	}{
		"after a poll":                   {egress.FromPoll, func(*egress.Observation) {}, egress.MissedLate},
		"after a comparison of lists":    {egress.FromReconcile, func(*egress.Observation) {}, egress.MissedLate},
		"again":                          {egress.FromWebhook, func(*egress.Observation) {}, ""},
		"after a stop that found it":     {egress.FromStop, func(*egress.Observation) {}, egress.MissedLate},
		"of something before the end":    {egress.FromPoll, func(o *egress.Observation) { o.Final = false }, egress.MissedUntried},
		"of another egress":              {egress.FromPoll, func(o *egress.Observation) { o.Info = infoOf(t, "EG_2", failed) }, egress.MissedUntried},
		"from a list, which is no proof": {egress.FromPoll, func(o *egress.Observation) { o.Source = egress.FromReconcile }, egress.MissedUntried},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ended(t, tc.by)
			s.MissedWhy, s.MissedBecause = egress.MissedUntried, "nobody came"
			o := webhook
			tc.change(&o)

			require.NotEqual(t, egress.Moved, s.Observe(o))

			v := s.Verdict("req-1", egress.Summary{})
			require.Equal(t, tc.want, v.Missed)
			require.Equal(t, map[egress.Missed]string{
				egress.MissedLate: "it came 1m0s after we had learned the end", egress.MissedUntried: "nobody came",
			}[tc.want], v.MissedBecause)
			require.Equal(t, v.MissedBecause, v.Memo().MissedBecause)
		})
	}
}

func TestALifeSignOfALostEgressIsNoLateWebhook(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.GiveUp(egress.FromTimeout, "its room is gone", noon)
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Final: true, Source: egress.FromWebhook, HeardAt: noon.Add(day)})
	require.Equal(t, egress.MissedUntried, s.Verdict("req-1", egress.Summary{}).Missed)
}

func TestOnlyThePollThatSawTheEndSaysWhyItsWebhookWasMissed(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.Looked(egress.Look{Info: infoOf(t, "EG_1", ending)}, noon)
	s.Looked(egress.Look{Info: infoOf(t, "EG_1", complete), Missed: egress.MissedDown, MissedBecause: "it was away"}, noon.Add(time.Minute))
	s.Looked(egress.Look{Info: infoOf(t, "EG_1", complete), Missed: egress.MissedSlow, MissedBecause: "it was slow"}, noon.Add(time.Hour))
	v := s.Verdict("req-1", egress.Summary{})
	require.Equal(t, egress.MissedDown, v.Missed)
	require.Equal(t, "it was away", v.MissedBecause)
	require.False(t, s.WebhookSeen)
}

func TestAStateKnowsWhetherAnyWebhookHasCome(t *testing.T) {
	t.Parallel()
	s := seen(t, starting)
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", active), Source: egress.FromWebhook, HeardAt: noon})
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", ending), Source: egress.FromPoll, HeardAt: noon})
	require.True(t, s.WebhookSeen)
}
