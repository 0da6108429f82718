package app

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/internal/catalogue"
	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/livekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// Doctor examines what `starter serve` and the worker would run with. Invalid settings are a
// finding, not an error: everything that they still allow is examined. The returned function closes
// its connections.
func Doctor(environ map[string]string) (*doctor.Doctor, func(), error) {
	cfg, problem := config.Load(environ, config.Serve)
	c := doctor.Config{
		APIKey: cfg.LiveKit.APIKey, APISecret: cfg.LiveKit.APISecret, SealKeySet: cfg.Sealing.Key != "", PublicURL: cfg.Door.PublicURL,
		ReconcileEvery: cfg.Reconcile.Every.D(), CanaryEvery: cfg.Canary.Every.D(),
		SearchFor: cfg.Start.Search, CallTimeout: cfg.Start.CallTimeout, StartFor: cfg.Start.For,
	}
	if wait := cfg.Door.FailOpenAfter.D(); wait > 0 {
		c.DoorFor = cfg.Door.RequestTimeout - wait
	}
	var conf recordings.Config
	var keys *seal.Keys
	if cfg.Seals() {
		var err error
		keys, err = keysOf(cfg)
		if problem = errors.Join(problem, err); err == nil {
			c.Sealer, conf.Sealer = keys, keys
		}
	}
	if cfg.LiveKit.URL != "" {
		c.LiveKitURL = livekit.HTTPURL(cfg.LiveKit.URL)
	}
	if cfg.LiveKit.URL != "" && cfg.LiveKit.APIKey != "" && cfg.LiveKit.APISecret != "" {
		c.LiveKit = livekit.New(livekit.Config{URL: cfg.LiveKit.URL, APIKey: cfg.LiveKit.APIKey, APISecret: cfg.LiveKit.APISecret})
	}
	problem = errors.Join(problem, storages(&c, cfg, environ), codecSettings(cfg.Payloads))
	end := func() {}
	opts, err := config.TemporalOptions(environ)
	if problem = errors.Join(problem, err); err == nil {
		opts.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
		if c.Sealer != nil {
			conf.Codec, err = encrypt(&opts, keys, cfg.Payloads.Encrypt)
			problem = errors.Join(problem, err)
		}
		temporal, err := client.NewLazyClient(opts)
		if err != nil {
			return nil, nil, fmt.Errorf("Temporal client: %w", err)
		}
		end = temporal.Close
		c.Address, c.Namespace = opts.HostPort, opts.Namespace
		conf.Temporal, conf.Namespace = temporal, opts.Namespace
		c.Temporal = recordings.New(conf)
	}
	if problem != nil {
		c.Problem = errors.New(strings.ReplaceAll(problem.Error(), "\n", "; "))
	}
	return doctor.New(c), end, nil
}

// storages sets the profiles, and the stores in which the worker would try them.
func storages(c *doctor.Config, cfg config.Config, environ map[string]string) error {
	profiles, unread := catalogue.Profiles(cfg.Storage.File, environ)
	stores, err := storesOf(cfg)
	if err == nil {
		c.Profiles, c.Stores = profiles, stores
	}
	return errors.Join(err, unread)
}

// codecSettings checks what the codec endpoint of both processes needs.
func codecSettings(p config.Payloads) error {
	if p.CodecToken == "" {
		return nil
	}
	return codec.Config{Token: p.CodecToken, Origin: p.CodecOrigin}.Validate()
}
