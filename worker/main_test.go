package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
)

func TestTheCommandLineOfTheWorker(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args           []string
		fails          error
		status         int
		stdout, stderr string
		works          bool
	}{
		"nothing":            {works: true},
		"what it does fails": {works: true, fails: errors.New("no Temporal"), status: 1, stderr: "worker: no Temporal\n"},
		"its version":        {args: []string{"--version"}, stdout: "worker version " + app.ThisBuild().String() + "\n"},
		"an argument":        {args: []string{"serve"}, status: 2, stderr: "worker: serve: worker takes no arguments\n"},
		"an unknown flag":    {args: []string{"--queue"}, status: 2, stderr: "worker: --queue: is not a flag of worker; see worker --help\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			worked := false
			status := run(t.Context(), append([]string{"worker"}, tc.args...), &stdout, &stderr, func(context.Context) error {
				worked = true
				return tc.fails
			})
			require.Equal(t, tc.status, status)
			require.Equal(t, tc.stdout, stdout.String())
			require.Equal(t, tc.stderr, stderr.String())
			require.Equal(t, tc.works, worked)
		})
	}
}
