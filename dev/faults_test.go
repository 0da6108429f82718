package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// ask returns the faults that a demo with these flags would inject.
func ask(t *testing.T, args ...string) rates {
	t.Helper()
	cmd := demoCommand(&bytes.Buffer{}, &bytes.Buffer{})
	var got rates
	cmd.Action = func(_ context.Context, cmd *cli.Command) (err error) {
		got, err = faultsOf(cmd)
		return err
	}
	require.NoError(t, cmd.Run(t.Context(), append([]string{"demo"}, args...)))
	return got
}

func TestFaultsStrikeAtTheRatesThatWereAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args string
		want rates
	}{
		"nothing is asked for":           {"", rates{"webhook-lost": 0.3, "room-webhook-lost": 0.3}},
		"webhooks":                       {"--webhook-loss 0.5", rates{"webhook-lost": 0.5, "room-webhook-lost": 0.5}},
		"no webhooks":                    {"--webhook-loss 0", rates{"webhook-lost": 0, "room-webhook-lost": 0}},
		"a fault alone":                  {"--fault zombie=0.2", rates{"webhook-lost": 0, "room-webhook-lost": 0, "zombie": 0.2}},
		"several":                        {"--fault zombie=1 --fault rerun=0", rates{"webhook-lost": 0, "room-webhook-lost": 0, "zombie": 1, "rerun": 0}},
		"several in one":                 {"--fault zombie=1,rerun=.5", rates{"webhook-lost": 0, "room-webhook-lost": 0, "zombie": 1, "rerun": 0.5}},
		"a fault beside webhooks":        {"--webhook-loss 1 --fault zombie=0.2", rates{"webhook-lost": 1, "room-webhook-lost": 1, "zombie": 0.2}},
		"a fault that is in the loss":    {"--webhook-loss 1 --fault webhook-lost=0.2", rates{"webhook-lost": 0.2, "room-webhook-lost": 1}},
		"the same in the other order":    {"--fault webhook-lost=0.2 --webhook-loss 1", rates{"webhook-lost": 0.2, "room-webhook-lost": 1}},
		"a fault that is in no loss now": {"--fault webhook-lost=0.2", rates{"webhook-lost": 0.2, "room-webhook-lost": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, ask(t, strings.Fields(tc.args)...))
		})
	}
}

func TestEveryFaultOfTheFakeCanBeAskedForAndIsListed(t *testing.T) {
	t.Parallel()
	var list bytes.Buffer
	require.NoError(t, listFaults(&list))
	lines := strings.Split(strings.TrimSuffix(list.String(), "\n"), "\n")
	require.Len(t, lines, len(fakelivekit.Faults()))
	for n, doc := range fakelivekit.Faults() {
		require.InDelta(t, 0.25, ask(t, "--fault", string(doc.Name)+"=0.25")[doc.Name], 0)
		name, teaches, _ := strings.Cut(lines[n], " ")
		require.Equal(t, string(doc.Name), name)
		require.Equal(t, doc.Teaches, strings.TrimSpace(teaches))
	}
}

func TestTheListOfFaultsStartsNothing(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.Zero(t, run([]string{"dev", "demo", "--faults"}, &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "zombie ")
	require.Empty(t, stderr.String())
}
