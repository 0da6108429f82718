package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/primitives"
)

func TestOnlyTheFrontendListensWhereTheUserSaid(t *testing.T) {
	t.Parallel()
	opts := parsed(t, "--ip", "0.0.0.0", "--port", "7999")
	cfg, err := serverConfig(opts, &config.SQL{})
	must(t, err)
	must(t, cfg.Validate())
	used := map[int]bool{}
	for name, service := range cfg.Services {
		wantIP := loopback
		if name == string(primitives.FrontendService) {
			wantIP = "0.0.0.0"
		}
		if service.RPC.BindOnIP != wantIP || used[service.RPC.GRPCPort] {
			t.Errorf("%s listens on %s:%d", name, service.RPC.BindOnIP, service.RPC.GRPCPort)
		}
		used[service.RPC.GRPCPort] = true
	}
	if self := hosts(cfg)[primitives.FrontendService].Self; self != "127.0.0.1:7999" {
		t.Errorf("the other services call the frontend at %s", self)
	}
}

func TestTheDatabaseKeepsToOneConnectionAndALog(t *testing.T) {
	t.Parallel()
	store := storeConfig(parsed(t, "--db-filename", "a?b.db", "--sqlite-pragma", "synchronous=full"))
	want := map[string]string{"mode": "rwc", "journal_mode": "wal", "locking_mode": "exclusive", "synchronous": "full"}
	for key, value := range want {
		if store.ConnectAttributes[key] != value {
			t.Errorf("%s is %q, not %q", key, store.ConnectAttributes[key], value)
		}
	}
	if store.DatabaseName != "a%3fb.db" || store.MaxConns != 0 {
		t.Errorf("opens %s with %d connections", store.DatabaseName, store.MaxConns)
	}
	inMemory := storeConfig(parsed(t))
	if inMemory.ConnectAttributes["mode"] != "memory" || inMemory.ConnectAttributes["journal_mode"] != "" {
		t.Errorf("in memory, the attributes are %v", inMemory.ConnectAttributes)
	}
}

func TestTheLogIsQuietByDefaultAndSilentWhileStopping(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		level string
		lines int
	}{{"debug", 4}, {"info", 3}, {"warn", 2}, {"error", 1}, {"never", 0}} {
		var out bytes.Buffer
		logger, silence := newLogger(tc.level, "text", &out)
		logger.Debug("d")
		logger.Info("i")
		logger.Warn("w")
		logger.Error("e")
		silence()
		logger.Error("a service complains about another that has stopped")
		if got := strings.Count(out.String(), "\n"); got != tc.lines {
			t.Errorf("at %s there are %d lines:\n%s", tc.level, got, &out)
		}
	}
}

func TestAJSONLogIsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger, _ := newLogger("warn", "json", &out)
	logger.Warn("careful")
	var line struct{ Level, Msg string }
	must(t, json.Unmarshal(out.Bytes(), &line))
	if line.Level != "warn" || line.Msg != "careful" {
		t.Errorf("the line is %s", &out)
	}
}

// stubborn is a server whose Stop takes as long as its channel stays open.
type stubborn struct {
	release chan struct{}
	err     error
}

func (s stubborn) Start() error { return nil }
func (s stubborn) Stop() error  { <-s.release; return s.err }

func TestAServerThatIsSlowToStopIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	slow := stubborn{release: make(chan struct{})}
	defer close(slow.release)
	must(t, stopWithin(time.Millisecond, slow))

	failing := stubborn{release: make(chan struct{}), err: errors.New("shard is stuck")}
	close(failing.release)
	if err := stopWithin(time.Minute, failing); !errors.Is(err, failing.err) {
		t.Errorf("the error is %v", err)
	}
}
