package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAHeaderThatSaysNothingOrTwoThingsIsRefusedByItsName(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Idempotency-Key", "X-Reelkeeper-Storage", "X-Reelkeeper-Pipeline"} {
		for name, tc := range map[string]struct {
			values []string
			msg    string
		}{
			"empty":             {[]string{""}, header + ": is empty: give it a value, or leave it out"},
			"of spaces":         {[]string{"  "}, header + ": is empty: give it a value, or leave it out"},
			"one that is empty": {[]string{"one", ""}, header + ": is there more than once, with different values"},
			"two things":        {[]string{"one", "two"}, header + ": is there more than once, with different values"},
		} {
			t.Run(header+" "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, nil)
				r := request(t.Context(), t, "StartWebEgress", `{}`)
				r.Header[header] = tc.values
				require.Equal(t, refusal{"invalid_argument", tc.msg}, refusalIn(t, b.do(r)))
				require.Empty(t, b.recordings.begun())
				require.Equal(t, map[string]int64{"StartWebEgress refused": 1}, b.counts(t))
			})
		}
	}
}

func TestAHeaderThatIsThereTwiceWithOneValueHasThat(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := request(t.Context(), t, "StartWebEgress", `{}`)
	r.Header["Idempotency-Key"] = []string{"call-7", "call-7"}
	require.Equal(t, "EG_call-7", infoIn(t, b.do(r)).GetEgressId())
}
