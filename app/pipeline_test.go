package app_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

func TestAWorkerWithAWrongFileOfPipelinesDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"a step": {"pipelines:\n  p:\n    steps:\n      - {name: a, timeout: soon}", `pipelines.yaml:4: pipelines.p.steps[0].timeout: want a duration such as 30m, got "soon"`},
		"a key of another project": {"pipelines:\n  p:\n    consumers:\n      - {key: APIother}",
			`pipelines.yaml:4: pipelines.p.consumers[0].key: "APIother" is not an API key in LIVEKIT_API_KEY or LIVEKIT_KEYS; want one of APIsecond, devkey`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pipelines.yaml")
			require.NoError(t, os.WriteFile(path, []byte(tc.text), 0o600))

			err := app.WorkerMain(t.Context(), environ(t, "REELKEEPER_PIPELINE", path, "LIVEKIT_KEYS", "APIsecond: x"))

			var e *egress.Error
			require.ErrorAs(t, err, &e, "which is exit status 2")
			require.Equal(t, egress.Invalid, e.Reason)
			require.Equal(t, "REELKEEPER_PIPELINE", e.Field)
			require.Equal(t, filepath.Dir(path)+"/"+tc.want, e.Message)
		})
	}
}

// Otherwise it would first wait for Temporal, and nobody would know that it cannot start.
func TestAWorkerOfADeploymentWithoutAVersionDoesNotStart(t *testing.T) {
	t.Parallel()
	if app.ThisBuild().ID() != "" {
		t.Skip("this build has a version")
	}
	err := app.WorkerMain(t.Context(), environ(t, "TEMPORAL_DEPLOYMENT_NAME", "reelkeeper"))
	var e *egress.Error
	require.ErrorAs(t, err, &e, "which is exit status 2")
	require.Equal(t, "TEMPORAL_WORKER_BUILD_ID", e.Field)
}

func TestAWebhookSecretOfNoConsumerIsSaid(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipelines.yaml")
	require.NoError(t, os.WriteFile(path, []byte("pipelines:\n  p:\n    consumers:\n      - {name: archive, url: https://archive.example.com}\n"), 0o600))
	secret := ": whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	log := &lines{}
	a, err := app.Open(app.Options{Environ: environ(t, "REELKEEPER_PIPELINE", path, "REELKEEPER_LOG_LEVEL", "warn",
		"REELKEEPER_ANNOUNCE_URL", "https://example.com/ends",
		"REELKEEPER_WEBHOOK_SECRETS", "announce"+secret+", archive"+secret+", archiv"+secret), Role: config.Worker, LogTo: log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.Close() })
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, a.RunWorker(ctx, func() { t.Error("it is not ready") }), context.Canceled)
	require.Equal(t, 1, strings.Count(log.String(), "REELKEEPER_WEBHOOK_SECRETS"))
	require.Contains(t, log.String(), "name=archiv\n")
}
