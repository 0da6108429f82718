package egress_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func by(instance string) func(*egress.Minute) {
	return func(m *egress.Minute) { m.Instance = instance }
}

func ringOf(minutes ...egress.Minute) *egress.Ring {
	var r egress.Ring
	for _, m := range minutes {
		r.Add(m)
	}
	return &r
}

func TestAReportTakesThePlaceOfAShorterOne(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ reports, want []egress.Minute }{
		"a longer one":         {[]egress.Minute{part(0, 10, refused(1)), part(0, 60, refused(3))}, []egress.Minute{part(0, 60, refused(3))}},
		"a shorter one":        {[]egress.Minute{part(0, 60, refused(3)), part(0, 10, refused(1))}, []egress.Minute{part(0, 60, refused(3))}},
		"the same again":       {[]egress.Minute{part(0, 60, refused(3)), part(0, 60, refused(3))}, []egress.Minute{part(0, 60, refused(3))}},
		"another instance's":   {[]egress.Minute{part(0, 60), part(0, 60, by("b"))}, []egress.Minute{part(0, 60, by("b")), part(0, 60)}},
		"a later one first":    {[]egress.Minute{part(60, 120), part(0, 60)}, []egress.Minute{part(0, 60), part(60, 120)}},
		"one without a length": {[]egress.Minute{part(0, 0), part(10, 5)}, nil},
		"one without a period": {[]egress.Minute{part(0, 60, func(m *egress.Minute) { m.Every = 0 })}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, ringOf(tc.reports...).Minutes)
		})
	}
}

func TestOldMinutesOfAllInstancesBecomeOne(t *testing.T) {
	t.Parallel()
	r := ringOf(part(0, 60, took(2, time.Second)), part(0, 60, by("b"), took(3, 2*time.Second), refused(1)),
		part(60, 80), part(100, 120, by("b")), part(659, 659.5))
	require.Len(t, r.Minutes, 5, "a report may still change them")

	merged := part(0, 60, by(""), took(5, 2*time.Second), refused(1))
	r.Add(part(659.5, 660))
	require.Len(t, r.Minutes, 5)
	require.Equal(t, merged, r.Minutes[0])

	r.Add(part(719, 720))
	require.Equal(t, []egress.Minute{
		merged, part(60, 80), part(100, 120, by("b")), // with a gap between them
		part(659, 659.5), part(659.5, 660), part(719, 720),
	}, r.Minutes)
}

func TestAMergedMinuteHasTheWholeOfBoth(t *testing.T) {
	t.Parallel()
	of := func(slowest, every, due time.Duration, instance string, n ...int) func(*egress.Minute) {
		return func(m *egress.Minute) {
			m.Slowest, m.Every, m.Due, m.Instance = egress.Duration(slowest), egress.Duration(every), egress.Duration(due), instance
			m.Accepted, m.Refused, m.Unavailable = n[0], n[1], n[2]
		}
	}
	const long, short = time.Minute, 30 * time.Second
	for name, tc := range map[string]struct{ first, second, want egress.Minute }{
		"the first is more": {
			part(0, 25, of(3, long, long, "a", 1, 2, 3)), part(10, 20, of(2, short, short, "b", 10, 20, 30)),
			part(0, 25, of(3, long, long, "", 11, 22, 33)),
		},
		"the second is more": {
			part(0, 20, of(2, short, short, "a", 1, 2, 3)), part(10, 25, of(3, long, long, "b", 10, 20, 30)),
			part(0, 25, of(3, long, long, "", 11, 22, 33)),
		},
		"they touch, and are of one instance": {
			part(0, 10, of(1, long, long, "a", 1, 0, 0)), part(10, 20, of(1, long, long, "a", 1, 0, 0)),
			part(0, 20, of(1, long, long, "a", 2, 0, 0)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := part(3600, 3660)
			require.Equal(t, []egress.Minute{tc.want, last}, ringOf(tc.first, tc.second, last).Minutes)
		})
	}
}

func TestARingIsBounded(t *testing.T) {
	t.Parallel()
	var r egress.Ring
	const merged = 28*60 - 10
	for n := range merged { // the last ten minutes have not come yet
		r.Minutes = append(r.Minutes, part(float64(n*60), float64(n*60+60), by(""), took(2, time.Second)))
	}
	for n := merged; n < 28*60; n++ {
		for _, instance := range []string{"a", "b"} {
			r.Add(part(float64(n*60), float64(n*60+60), by(instance), took(1, time.Second)))
		}
	}
	span := r.Between(noon, noon.Add(72*time.Hour))
	require.Equal(t, noon.Add(28*time.Hour), span.Last)
	require.Equal(t, noon.Add(2*time.Hour-time.Minute), span.First)
	b, err := json.Marshal(r)
	require.NoError(t, err)
	require.Less(t, len(b), 300_000, "it is carried from run to run")
}

func TestARingOfManyInstancesLosesItsOldest(t *testing.T) {
	t.Parallel()
	var r egress.Ring
	add := func(n int) egress.Minute {
		return part(float64(n*20), float64(n*20+10), by(fmt.Sprint(n)), took(1, time.Second))
	}
	for n := range 3_999 { // with gaps between them, so that they stay separate
		r.Minutes = append(r.Minutes, add(n))
	}
	r.Add(add(3_999))
	require.Len(t, r.Minutes, 4_000)
	require.Equal(t, add(0), r.Minutes[0])

	r.Add(add(4_000))

	require.Len(t, r.Minutes, 4_000)
	require.Equal(t, add(1), r.Minutes[0])
	require.Equal(t, add(4_000), r.Minutes[3_999])
	b, err := json.Marshal(r)
	require.NoError(t, err)
	require.Less(t, len(b), 1_000_000, "it is carried from run to run")
}

func TestASpanIsAnsweredWithWhatOverlapsIt(t *testing.T) {
	t.Parallel()
	r := ringOf(part(0, 60), part(60, 120), part(120, 180, parts))
	require.Equal(t, egress.Reported{}, new(egress.Ring).Between(noon, secs(60)))
	require.Equal(t, egress.Reported{
		Minutes: []egress.Minute{part(60, 120)}, First: noon, Last: secs(180), Every: egress.Duration(time.Minute), Due: egress.Duration(10 * time.Second),
	}, r.Between(secs(60), secs(120)))
	require.Len(t, r.Between(secs(59), secs(121)).Minutes, 3)
	require.Empty(t, r.Between(secs(180), secs(240)).Minutes)
}
