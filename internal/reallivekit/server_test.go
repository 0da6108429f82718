package reallivekit

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// roles is a script that stands in for the roles' binary.
const roles = `#!/bin/sh
case "$1" in
redis) echo 127.0.0.1:1; exec cat ;;
server) echo "no such setting" >&2; exit 1 ;;
silent) exec cat ;;
child) sleep 600 & echo $!; wait ;;
esac
`

func binary(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roles")
	needs.Executable(t, file, roles)
	return file
}

func TestAServerThatDoesNotStartSaysWhy(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Binaries: Binaries{server: "none", roles: binary(t)}, Dir: t.TempDir(), APIKey: "key", APISecret: "secret"})
	if err == nil || !strings.Contains(err.Error(), "server ended before it began") || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("the error is %v", err)
	}
}

func TestARoleThatSaysNothingIsGivenUpWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var log record
	if _, err := spawn(ctx, t.TempDir(), &log, binary(t), "silent"); err == nil || !strings.Contains(err.Error(), "silent did not begin") {
		t.Errorf("the error is %v", err)
	}
}

func TestARoleEndsWithItsInputAndWithItsChild(t *testing.T) {
	t.Parallel()
	file := binary(t)
	var log record
	p, err := spawn(t.Context(), t.TempDir(), &log, file, "redis")
	require.NoError(t, err)
	p.stop()
	if p, err = spawn(t.Context(), t.TempDir(), &log, file, "child"); err != nil {
		t.Fatal(err)
	}
	require.NoError(t, p.killChild())
}

func TestTheSettingsAreOnLoopbackAndHaveEachKey(t *testing.T) {
	t.Parallel()
	s := &Server{redis: &process{first: "127.0.0.1:6"}, opts: Options{
		APIKey: "key", APISecret: "secret", ExtraKeys: map[string]string{"other": "other-secret"},
		WebhookURLs: []string{"http://127.0.0.1:1/hook"}, DepartureTimeout: 3 * time.Second, AsksRoom: true,
	}}
	require.NoError(t, s.configure())
	var c struct {
		Bind    []string          `json:"bind_addresses"`
		Keys    map[string]string `json:"keys"`
		Redis   struct{ Address string }
		Webhook struct {
			Key  string `json:"api_key"`
			URLs []string
		}
		Room struct {
			Departure int `json:"departure_timeout"`
		}
		API struct {
			AsksRoom bool `json:"enable_psrpc_for_get_list_participants"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(s.config), &c))
	if len(c.Bind) != 1 || c.Bind[0] != "127.0.0.1" || c.Keys["key"] != "secret" || c.Keys["other"] != "other-secret" ||
		c.Redis.Address != "127.0.0.1:6" || c.Webhook.Key != "key" || len(c.Webhook.URLs) != 1 || c.Room.Departure != 3 || !c.API.AsksRoom {
		t.Errorf("the settings are %s", s.config)
	}
	if !strings.HasPrefix(s.URL, "http://127.0.0.1:") || s.account()[1] != "ws"+strings.TrimPrefix(s.URL, "http") {
		t.Errorf("the server is at %s, and its roles go to %v", s.URL, s.account())
	}
}
