package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

const canary = "a-secret-of-32-characters-or-more"

// environ returns settings that suffice for every process: LiveKit and Temporal are unused ports.
func environ(t *testing.T, change ...string) map[string]string {
	t.Helper()
	e := map[string]string{
		"LIVEKIT_URL": "http://" + free(t), "LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": canary,
		"TEMPORAL_ADDRESS": free(t), "TEMPORAL_CONFIG_FILE": "", "REELKEEPER_PUBLIC_URL": "http://reel.example.com",
		"REELKEEPER_LISTEN": free(t), "REELKEEPER_ADMIN_LISTEN": free(t), "REELKEEPER_LOG_LEVEL": "error",
	}
	for i := 0; i < len(change); i += 2 {
		e[change[i]] = change[i+1]
	}
	maps.DeleteFunc(e, func(_, value string) bool { return value == "" })
	return e
}

// free returns the address of an unused port.
func free(t *testing.T) string {
	t.Helper()
	ports, err := devtemporal.LastingPorts(1)
	require.NoError(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
}

func taken(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // a second time if the test has closed it
	return l
}

type process func(context.Context, map[string]string) error

func TestAProcessThatLacksASettingNamesItAndDoesNotStart(t *testing.T) {
	t.Parallel()
	busy := taken(t).Addr().String()
	for name, tc := range map[string]struct {
		main     process
		variable string
		value    string
	}{
		"worker without LiveKit":          {app.WorkerMain, "LIVEKIT_URL", ""},
		"worker without key":              {app.WorkerMain, "LIVEKIT_API_KEY", ""},
		"worker without secret":           {app.WorkerMain, "LIVEKIT_API_SECRET", ""},
		"serve without LiveKit":           {app.ServeMain, "LIVEKIT_URL", ""},
		"serve without key":               {app.ServeMain, "LIVEKIT_API_KEY", ""},
		"serve without secret":            {app.ServeMain, "LIVEKIT_API_SECRET", ""},
		"serve without public URL":        {app.ServeMain, "REELKEEPER_PUBLIC_URL", ""},
		"a URL that is none":              {app.ServeMain, "LIVEKIT_URL", "livekit.example.com"},
		"a duration that is none":         {app.WorkerMain, "REELKEEPER_LOST_AFTER", "soon"},
		"a setting that we do not have":   {app.WorkerMain, "REELKEEPER_LOST_AFTR", "60s"},
		"a short seal key":                {app.WorkerMain, "REELKEEPER_SEAL_KEY", "short"},
		"a Temporal address that is none": {app.WorkerMain, "TEMPORAL_ADDRESS", "temporal"},
		"the door's port is busy":         {app.ServeMain, "REELKEEPER_LISTEN", busy},
		"the admin port is busy":          {app.ServeMain, "REELKEEPER_ADMIN_LISTEN", busy},
		"the worker's port is busy":       {app.WorkerMain, "REELKEEPER_ADMIN_LISTEN", busy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.main(t.Context(), environ(t, tc.variable, tc.value))
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
			require.Equal(t, tc.variable, e.Field)

			var stderr bytes.Buffer
			require.Equal(t, 2, app.Exit(&stderr, "worker", err))
			require.True(t, strings.HasPrefix(stderr.String(), "worker: "+tc.variable+": "), stderr.String())
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"))
			require.NotContains(t, stderr.String(), canary)
		})
	}
}

func TestTheExitStatusSaysWhoseFaultItWas(t *testing.T) {
	t.Parallel()
	wrong := &egress.Error{Reason: egress.Invalid, Field: "LIVEKIT_URL", Message: "is not set"}
	for name, tc := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"nobody's":                  {nil, 0, ""},
		"ours":                      {errors.New("start worker: a fault"), 1, "dev: start worker: a fault\n"},
		"LiveKit's":                 {&egress.Error{Reason: egress.Unreachable, Message: "no route"}, 1, "dev: no route\n"},
		"the user's":                {wrong, 2, "dev: LIVEKIT_URL: is not set\n"},
		"the user's, inside others": {fmt.Errorf("open: %w", wrong), 2, "dev: open: LIVEKIT_URL: is not set\n"},
		"several, on one line":      {errors.Join(wrong, errors.New("and more")), 2, "dev: LIVEKIT_URL: is not set; and more\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			require.Equal(t, tc.status, app.Exit(&stderr, "dev", tc.err))
			require.Equal(t, tc.says, stderr.String())
		})
	}
}
