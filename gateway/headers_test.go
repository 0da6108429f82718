package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// An empty key, from an unset variable, say, would record twice.
func TestAKeyThatIsEmptyOrAHeaderThatSaysTwoThingsIsRefused(t *testing.T) {
	t.Parallel()
	const key, empty, twice = "Idempotency-Key", ": is empty: give it a value, or leave it out", ": is set more than once, with different values"
	for name, tc := range map[string]struct {
		header, msg string
		values      []string
	}{
		"an empty key":       {key, empty, []string{""}},
		"a key of spaces":    {key, empty, []string{"  "}},
		"two keys":           {key, twice, []string{"one", "two"}},
		"a key, and none":    {key, twice, []string{"one", ""}},
		"two storages":       {"X-Reelkeeper-Storage", twice, []string{"one", "two"}},
		"two pipelines":      {"X-Reelkeeper-Pipeline", twice, []string{"one", "two"}},
		"a pipeline or none": {"X-Reelkeeper-Pipeline", twice, []string{"one", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			r := request(t.Context(), t, "StartWebEgress", `{}`)
			r.Header[tc.header] = tc.values
			require.Equal(t, refusal{"invalid_argument", tc.header + tc.msg}, refusalIn(t, b.do(r)))
			require.Empty(t, b.recordings.begun())
			require.Equal(t, map[string]int64{"StartWebEgress refused": 1}, b.counts(t))
		})
	}
}

// As set by proxies that copy a header of their own.
func TestAnEmptyNameIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := request(t.Context(), t, "StartWebEgress", `{}`)
	r.Header["X-Reelkeeper-Storage"], r.Header["X-Reelkeeper-Pipeline"] = []string{""}, []string{" "}
	require.Equal(t, http.StatusOK, b.do(r).Code)
	begun := b.recordings.begun()
	require.Len(t, begun, 1)
	require.Empty(t, begun[0].Storage+begun[0].Pipeline)
}

func TestAHeaderThatIsThereTwiceWithOneValueHasThat(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := request(t.Context(), t, "StartWebEgress", `{}`)
	r.Header["Idempotency-Key"] = []string{"call-7", "call-7"}
	require.Equal(t, "EG_call-7", infoIn(t, b.do(r)).GetEgressId())
}
