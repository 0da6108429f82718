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

	r.Add(part(660, 661))

	require.Equal(t, []egress.Minute{
		part(0, 60, by(""), took(5, 2*time.Second), refused(1)),
		part(60, 80), part(100, 120, by("b")), // with a hole between them
		part(659, 659.5), part(660, 661),
	}, r.Minutes)
}

func TestARingIsBounded(t *testing.T) {
	t.Parallel()
	var r egress.Ring
	for n := range 28 * 60 {
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

	for n := range 4_000 { // many instances that come and go
		r.Add(part(float64(28*3600+n), float64(28*3600+n+1), by(fmt.Sprint(n)), took(1, time.Second)))
	}
	b, err = json.Marshal(r)
	require.NoError(t, err)
	require.Less(t, len(b), 1_000_000)
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
