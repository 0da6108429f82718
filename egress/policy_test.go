package egress_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAVerdictIsOpenForADayUnlessASettingSaysOtherwise(t *testing.T) {
	t.Parallel()
	require.Equal(t, day, egress.DefaultPolicy().CorrectFor.D())
}

func TestTheLookersPatience(t *testing.T) {
	t.Parallel()
	p := egress.DefaultPolicy()
	for _, tc := range []struct {
		outlook egress.Outlook
		n       int
		spread  float64
		want    time.Duration
	}{
		{egress.OutlookStarting, -1, 0, 15 * time.Second},
		{egress.OutlookStarting, 0, 0.9, 15 * time.Second},
		{egress.OutlookStarting, 1, 0, 30 * time.Second},
		{egress.OutlookStarting, 2, 0, 60 * time.Second},
		{egress.OutlookStarting, 100, 0, 60 * time.Second},
		{egress.OutlookEnding, 0, 0.9, 20 * time.Second},
		{egress.OutlookEnding, 1, 0, 40 * time.Second},
		{egress.OutlookEnding, 7, 0, 60 * time.Second},
		{egress.OutlookActive, 0, 0, 270 * time.Second},
		{egress.OutlookActive, 9, 0.5, 300 * time.Second},
		{egress.OutlookActive, 0, 1, 330 * time.Second},
	} {
		require.InDelta(t, tc.want, p.Wait(tc.outlook, tc.n, tc.spread), float64(time.Millisecond), "%+v", tc)
	}
	require.PanicsWithValue(t, `egress: no such outlook: "x"`, func() { p.Wait("x", 0, 0) })
}

func TestEgressesThatBeganTogetherDoNotLookTogether(t *testing.T) {
	t.Parallel()
	tenths := [10]int{}
	for i := range 1000 {
		s := egress.Spread(fmt.Sprintf("EG_%d", i))
		require.Equal(t, s, egress.Spread(fmt.Sprintf("EG_%d", i)))
		tenths[int(s*10)]++ // out of range unless it is in [0,1)
	}
	for _, n := range tenths {
		require.Greater(t, n, 25)
	}
	// FNV-1a of known texts: workflows are replayed with the numbers that they had.
	require.InDelta(t, float64(0x811c9dc5)/(1<<32), egress.Spread(""), 0)
	require.InDelta(t, float64(0xe40c292c)/(1<<32), egress.Spread("a"), 0)
	require.InDelta(t, float64(0xbf9cf968)/(1<<32), egress.Spread("foobar"), 0)
}

func TestADurationIsReadAndWrittenAsGoWritesIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{`"3h"`: 3 * time.Hour, `"250ms"`: 250 * time.Millisecond, `"1h30m"`: 90 * time.Minute, `"-1s"`: -time.Second, `"0s"`: 0} {
		var d egress.Duration
		require.NoError(t, json.Unmarshal([]byte(text), &d))
		require.Equal(t, want, d.D())
		b, err := json.Marshal(d)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%q", want), string(b))
		require.Equal(t, want.String(), d.String())
	}
}

func TestADurationWithoutItsUnitIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`3`:               `want a duration such as "3h", got 3`,
		`"3"`:             `want a duration such as "3h", got "3"`,
		`""`:              `want a duration such as "3h", got ""`,
		`"3d"`:            `want a duration such as "3h", got "3d"`,
		`["3h"]`:          `want a duration such as "3h", got ["3h"]`,
		`null`:            `want a duration such as "3h", got ""`,
		`"9999999h"`:      `want a duration of at most 2562047h, got "9999999h"`,
		`"1.5s9999999.h"`: `want a duration of at most 2562047h, got "1.5s9999999.h"`,
		`"9999999hh"`:     `want a duration such as "3h", got "9999999hh"`,
		`"x9999999h"`:     `want a duration such as "3h", got "x9999999h"`,
	} {
		d := egress.Duration(time.Minute)
		require.EqualError(t, d.UnmarshalJSON([]byte(text)), want)
		require.Equal(t, time.Minute, d.D(), "a refused one changes nothing")
	}
}

func TestADurationOfASettingIsReadFromText(t *testing.T) {
	t.Parallel()
	var d egress.Duration
	require.NoError(t, d.UnmarshalText([]byte("90s")))
	require.Equal(t, 90*time.Second, d.D())
	require.EqualError(t, d.UnmarshalText([]byte("90")), `want a duration such as "3h", got "90"`)
}
