// Package app wires everything together; no other package imports them all. The binaries, the
// development instance and the end-to-end tests all run what is built here, from the same settings.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
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

// shutdownGrace is how long a process takes to end cleanly: longer than the poll and stop calls in
// progress (10 s), and below the 30 s after which Kubernetes kills it.
const shutdownGrace = 20 * time.Second

// App is what worker and starter share: settings, keys, a connection to Temporal, a log and
// metrics.
type App struct {
	cfg  config.Config
	role config.Role
	keys *seal.Keys
	connection
	dialer    *dial.Dialer
	profiles  egress.Profiles // only for a worker and `starter serve`
	tel       *telemetry.Telemetry
	log       *slog.Logger
	figures   *webhook.Figures
	pipelines egress.Pipelines // read by RunWorker
	shown     activities.Shown // recorders that have appeared in LiveKit
	fatal     chan error       // errors that end a worker
	retries   sync.WaitGroup   // what is retried alongside a worker's work
}

// Options hold what does not come from the environment.
type Options struct {
	Environ map[string]string
	Role    config.Role
	LogTo   io.Writer // default: standard error

	// ReportEvery is how often the webhook endpoint reports its state. It must be the same for all
	// instances. Default: egress.MinuteLength; tests use less.
	ReportEvery time.Duration
	// Recordings sets the timeouts of the recordings client; Open fills in its dependencies.
	// Default: the client's own defaults; tests allow more on a busy machine.
	Recordings recordings.Config
}

// Open reads the settings and makes the clients. It does not wait for Temporal: a starter serves
// while Temporal is down.
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
	if err := ThisBuild().expose(tel.Meter("app")); err != nil {
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
		fatal:      make(chan error, 4), // one each from two workers and two schedules
	}, nil
}

// profilesFor returns the storage profiles of a process that starts recordings itself. A command
// leaves them to the worker, and need not have their secrets.
func profilesFor(role config.Role, cfg config.Config, environ map[string]string) (egress.Profiles, error) {
	if role != config.Worker && role != config.Serve {
		return egress.Profiles{}, nil
	}
	return catalogue.Profiles(cfg.Storage.File, environ)
}

// keysOf returns the keys with which a process seals.
func keysOf(cfg config.Config) (*seal.Keys, error) {
	return seal.New(seal.Config{Secret: cfg.LiveKit.APISecret, SealKey: cfg.Sealing.Key, Previous: cfg.Sealing.PreviousSecrets})
}

// Recordings returns the client for commands.
func (a *App) Recordings() *recordings.Client { return a.recordings }

// Close releases what Open made. Nothing may be in progress any more.
func (a *App) Close() error {
	a.temporal.Close()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	return a.tel.Shutdown(ctx)
}
