package reallivekit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// Options configure a server.
type Options struct {
	// Binaries are the ones from [Build].
	Binaries Binaries
	// Dir is the worker's working folder, to which relative recording paths refer. It must exist.
	Dir string
	// APIKey and APISecret are the project's credentials; they also sign webhooks. Both are required.
	APIKey, APISecret string
	// ExtraKeys are further keys and secrets of the project. Defaults to none.
	ExtraKeys map[string]string
	// WebhookURLs are the project's webhook endpoints. Defaults to none.
	WebhookURLs []string
	// DepartureTimeout is how long a room lasts after its last participant left, in whole seconds. Defaults to LiveKit's own 20 s.
	DepartureTimeout time.Duration
	// AsksRoom makes GetParticipant and ListParticipants ask the room itself, as api.enable_psrpc_for_get_list_participants does.
	// Defaults to false: they ask redis.
	AsksRoom bool
	// NoWorker starts no egress worker; [Server.StartWorker] can do it later.
	NoWorker bool
}

// Server is a running livekit-server, with all that is around it.
type Server struct {
	// URL is where its API is served, http://HOST:PORT, also after a kill and restart.
	URL string

	opts                          Options
	config                        string
	log                           record
	redis, people, worker, server *process
}

const (
	// lookEvery is how often a starting server is asked whether it is ready.
	lookEvery = 20 * time.Millisecond
	// portTries is how many ports are tried.
	portTries = 100
)

// Start starts a server and returns when it is ready. The caller ends it with [Server.Stop].
func Start(ctx context.Context, opts Options) (*Server, error) {
	s := &Server{opts: opts}
	if err := s.start(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start livekit-server: %w\n%s", err, &s.log)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) (err error) {
	if s.redis, err = s.role(ctx, "redis"); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	if err := s.StartServer(ctx); err != nil {
		return err
	}
	if s.people, err = s.role(ctx, "people", s.account()...); err != nil {
		return err
	}
	if s.opts.NoWorker {
		return nil
	}
	return s.StartWorker(ctx)
}

func (s *Server) role(ctx context.Context, name string, args ...string) (*process, error) {
	return spawn(ctx, s.opts.Dir, &s.log, s.opts.Binaries.roles, append([]string{name}, args...)...)
}

func (s *Server) account() []string {
	return []string{"-url", "ws" + s.URL[len("http"):], "-key", s.opts.APIKey, "-secret", s.opts.APISecret}
}

// configure writes livekit-server's settings; JSON is YAML, too.
func (s *Server) configure() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	keys := map[string]string{}
	maps.Copy(keys, s.opts.ExtraKeys)
	keys[s.opts.APIKey] = s.opts.APISecret
	settings := map[string]any{
		"port": port, "bind_addresses": []string{"127.0.0.1"}, "keys": keys,
		"redis":   map[string]any{"address": s.redis.first},
		"rtc":     map[string]any{"udp_port": port, "tcp_port": 0, "node_ip": "127.0.0.1", "enable_loopback_candidate": true},
		"webhook": map[string]any{"api_key": s.opts.APIKey, "urls": s.opts.WebhookURLs},
		"logging": map[string]any{"level": "error"},
		"api":     map[string]any{"enable_psrpc_for_get_list_participants": s.opts.AsksRoom},
	}
	if d := s.opts.DepartureTimeout; d > 0 {
		settings["room"] = map[string]any{"departure_timeout": int(d / time.Second)}
	}
	text, err := json.Marshal(settings)
	s.config = string(text)
	return err
}

// freePort returns a port on which nothing listens, by TCP or UDP, and which the system gives to
// nobody while the server is down.
func freePort() (port int, err error) {
	for range portTries {
		free, err := devtemporal.LastingPorts(1)
		if err != nil {
			return 0, err
		}
		if p, err := net.ListenPacket("udp", fmt.Sprintf("0.0.0.0:%d", free[0])); err == nil {
			return free[0], p.Close()
		}
	}
	return 0, errors.New("find a free port: none is free by UDP")
}

// StartServer starts livekit-server, for the first time or after a kill, and returns when it is ready.
func (s *Server) StartServer(ctx context.Context) (err error) {
	s.server, err = s.role(ctx, "server", "--", s.opts.Binaries.server, "--config-body", s.config)
	if err != nil {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !s.ready(ctx) {
		select {
		case <-tick.C:
		case <-s.server.done:
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *Server) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// KillServer ends livekit-server as kill -9 does: webhooks that it had not sent are lost.
func (s *Server) KillServer() error { return s.server.killChild() }

// StartWorker starts an egress worker: the first one, or the next after a kill.
func (s *Server) StartWorker(ctx context.Context) (err error) {
	s.worker, err = s.role(ctx, "worker", append([]string{"-redis", s.redis.first}, s.account()...)...)
	return err
}

// KillWorker ends the egress worker as kill -9 does: nothing more is reported of its recordings.
func (s *Server) KillWorker() { s.worker.kill() }

// Log returns the output of all processes.
func (s *Server) Log() string { return s.log.String() }

// Stop ends everything.
func (s *Server) Stop() {
	for _, p := range []*process{s.worker, s.people, s.server, s.redis} {
		if p != nil {
			p.stop()
		}
	}
}
