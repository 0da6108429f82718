// Package app is the wiring: the only package that knows everybody. The binaries,
// the development instance and the end-to-end tests all run what is put together
// here, from the same settings.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/catalogue"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/dial"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/internal/telemetry"
	"github.com/reelkeeper/reelkeeper/recordings"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// shutdownGrace is how long a process takes to end cleanly: longer than the poll
// and stop calls under way (10 s), below the 30 s after which Kubernetes kills.
const shutdownGrace = 20 * time.Second

// App is what worker and starter share: settings, keys, a connection to Temporal, a
// log and metrics.
type App struct {
	cfg  config.Config
	role config.Role
	keys *seal.Keys
	connection
	dialer    *dial.Dialer
	profiles  egress.Profiles // of a worker and of `starter serve` alone
	tel       *telemetry.Telemetry
	log       *slog.Logger
	figures   *webhook.Figures
	pipelines egress.Pipelines // read by RunWorker
	shown     activities.Shown // recorders that LiveKit has been seen to show
	fatal     chan error       // what ends a worker
}

// Options are what does not come from the environment.
type Options struct {
	Environ map[string]string
	Role    config.Role
	LogTo   io.Writer // default: standard error

	// ReportEvery is how often the webhook endpoint reports how it is. It must be the
	// same for all instances. Default: egress.MinuteLength; tests are in a hurry.
	ReportEvery time.Duration
	// Recordings says how long the recordings client waits; what it needs is filled in. Default: its
	// own defaults; tests are patient with a busy machine.
	Recordings recordings.Config
}

// Open reads the settings and makes the clients. It does not wait for Temporal: a
// starter serves while Temporal is down.
func Open(o Options) (*App, error) {
	cfg, err := config.Load(o.Environ, o.Role)
	if err != nil {
		return nil, err
	}
	keys, err := keysOf(cfg)
	if err != nil {
		return nil, err
	}
	tel, err := telemetry.New(telemetry.Config{Level: cfg.LogLevel, Format: cfg.LogFormat, Output: o.LogTo})
	if err != nil {
		return nil, err
	}
	dialer, err := dial.New(dial.Config{Allow: cfg.Dial.AllowHosts})
	if err != nil {
		return nil, err
	}
	profiles, err := profilesFor(o.Role, cfg, o.Environ)
	if err != nil {
		return nil, err
	}
	to, err := connectionFor(cfg, o, keys, tel)
	if err != nil {
		return nil, err
	}
	return &App{
		cfg:        cfg,
		role:       o.Role,
		keys:       keys,
		connection: to,
		dialer:     dialer,
		profiles:   profiles,
		tel:        tel,
		log:        tel.Logger(),
		figures:    webhook.NewFigures(rand.Text(), cmp.Or(o.ReportEvery, egress.MinuteLength), time.Now),
		fatal:      make(chan error, 4), // of two workers and two schedules
	}, nil
}

// profilesFor are the storage profiles of a process that starts recordings itself: a
// command leaves them to the worker, and need not have their secrets.
func profilesFor(role config.Role, cfg config.Config, environ map[string]string) (egress.Profiles, error) {
	if role != config.Worker && role != config.Serve {
		return egress.Profiles{}, nil
	}
	return catalogue.Profiles(cfg.Storage.File, environ)
}

// keysOf are the keys that a process seals with.
func keysOf(cfg config.Config) (*seal.Keys, error) {
	return seal.New(seal.Config{Secret: cfg.LiveKit.APISecret, SealKey: cfg.Sealing.Key, Previous: cfg.Sealing.PreviousSecrets})
}

// Recordings is the client for people's commands.
func (a *App) Recordings() *recordings.Client { return a.recordings }

// Close ends what Open began. Nothing may be under way any more.
func (a *App) Close() error {
	a.temporal.Close()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	return a.tel.Shutdown(ctx)
}
