package app

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/livekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// Doctor examines what `starter serve` and the worker would run with. Settings that
// are wrong are a finding of its own, and no error: what they allow is examined all
// the same. The returned function ends its connections.
func Doctor(environ map[string]string) (*doctor.Doctor, func(), error) {
	cfg, problem := config.Load(environ, config.Serve)
	c := doctor.Config{
		APIKey: cfg.LiveKit.APIKey, APISecret: cfg.LiveKit.APISecret, SealKeySet: cfg.Sealing.Key != "", PublicURL: cfg.Door.PublicURL,
	}
	if cfg.LiveKit.APISecret != "" || cfg.Sealing.Key != "" {
		keys, err := seal.New(seal.Config{Secret: cfg.LiveKit.APISecret, SealKey: cfg.Sealing.Key, Previous: cfg.Sealing.PreviousSecrets})
		if problem = errors.Join(problem, err); err == nil {
			c.Sealer = keys
		}
	}
	if cfg.LiveKit.URL != "" && cfg.LiveKit.APISecret != "" {
		c.LiveKitURL = overHTTP(cfg.LiveKit.URL)
		c.LiveKit = livekit.New(livekit.Config{URL: cfg.LiveKit.URL, APIKey: cfg.LiveKit.APIKey, APISecret: cfg.LiveKit.APISecret})
	}
	end := func() {}
	opts, err := config.TemporalOptions(environ)
	if problem = errors.Join(problem, err); err == nil {
		opts.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
		temporal, err := client.NewLazyClient(opts)
		if err != nil {
			return nil, nil, fmt.Errorf("Temporal client: %w", err)
		}
		end = temporal.Close
		c.Address, c.Namespace = opts.HostPort, opts.Namespace
		c.Temporal = recordings.New(recordings.Config{Temporal: temporal, Namespace: opts.Namespace})
	}
	if problem != nil {
		c.Problem = errors.New(strings.ReplaceAll(problem.Error(), "\n", "; "))
	}
	return doctor.New(c), end, nil
}

// overHTTP is LiveKit's URL for a plain request: its signalling is at the same place.
func overHTTP(url string) string {
	if rest, found := strings.CutPrefix(url, "ws"); found {
		return "http" + rest
	}
	return url
}
