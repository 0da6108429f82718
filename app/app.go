// Package app is the wiring: the only package that knows everybody. The binaries,
// the development instance and the end-to-end tests all run what is put together
// here, from the same settings.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/codec"
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

// App is what worker and starter share: settings, keys, a Temporal client, a log
// and metrics.
type App struct {
	cfg        config.Config
	role       config.Role
	keys       *seal.Keys
	temporal   client.Client
	working    client.Options // of the client that a worker polls with
	recordings *recordings.Client
	payloads   converter.PayloadCodec
	dialer     *dial.Dialer
	profiles   egress.Profiles // of a worker and of `starter serve` alone
	namespace  string
	tel        *telemetry.Telemetry
	log        *slog.Logger
	figures    *webhook.Figures
	pipelines  egress.Pipelines // read by RunWorker
	shown      activities.Shown // recorders that LiveKit has been seen to show
	fatal      chan error       // what ends a worker
}

// Options are what does not come from the environment.
type Options struct {
	Environ map[string]string
	Role    config.Role
	LogTo   io.Writer // default: standard error

	// ReportEvery is how often the webhook endpoint reports how it is. It must be the
	// same for all instances. Default: egress.MinuteLength; tests are in a hurry.
	ReportEvery time.Duration
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
	opts, err := config.TemporalOptions(o.Environ)
	if err != nil {
		return nil, err
	}
	opts.Logger, opts.MetricsHandler = tel.TemporalLogger(), tel.TemporalMetrics()
	working := opts
	payloads, err := encrypt(&opts, keys, cfg.Payloads.Encrypt)
	if err != nil {
		return nil, err
	}
	wrap(&working, codec.Blocking(payloads), cfg.Payloads.Encrypt)
	dialer, err := dial.New(dial.Config{Allow: cfg.Dial.AllowHosts})
	if err != nil {
		return nil, err
	}
	profiles, err := profilesFor(o.Role, cfg, o.Environ)
	if err != nil {
		return nil, err
	}
	temporal, err := client.NewLazyClient(opts)
	if err != nil {
		return nil, fmt.Errorf("Temporal client: %w", err)
	}
	return &App{
		cfg:      cfg,
		role:     o.Role,
		keys:     keys,
		temporal: temporal,
		working:  working,
		recordings: recordings.New(recordings.Config{
			Temporal: temporal, Namespace: opts.Namespace, Sealer: keys, Codec: payloads,
		}),
		payloads:  payloads,
		dialer:    dialer,
		profiles:  profiles,
		namespace: opts.Namespace,
		tel:       tel,
		log:       tel.Logger(),
		figures:   webhook.NewFigures(rand.Text(), cmp.Or(o.ReportEvery, egress.MinuteLength), time.Now),
		fatal:     make(chan error, 4), // of two workers and two schedules
	}, nil
}

// profilesFor are the storage profiles of a process that starts recordings itself: a
// command leaves them to the worker, and need not have their secrets.
func profilesFor(role config.Role, cfg config.Config, environ map[string]string) (egress.Profiles, error) {
	if role != config.Worker && role != config.Serve {
		return egress.Profiles{}, nil
	}
	return cfg.Storage.Profiles(environ)
}

// keysOf are the keys that a process seals with.
func keysOf(cfg config.Config) (*seal.Keys, error) {
	return seal.New(seal.Config{Secret: cfg.LiveKit.APISecret, SealKey: cfg.Sealing.Key, Previous: cfg.Sealing.PreviousSecrets})
}

// encrypt gives a Temporal client the codec, which decrypts in any case: it may have
// been on before. It returns it for what is read past the client.
func encrypt(opts *client.Options, keys *seal.Keys, on bool) (converter.PayloadCodec, error) {
	cipher, err := keys.Payloads()
	if err != nil {
		return nil, err
	}
	c := codec.New(cipher, on)
	wrap(opts, c, on)
	return c, nil
}

func wrap(opts *client.Options, c converter.PayloadCodec, on bool) {
	opts.DataConverter = codec.Converter(opts.DataConverter, c)
	opts.FailureConverter = codec.Failures(opts.DataConverter, on)
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

// awaitTemporal tries until Temporal answers, so that processes may start in any
// order. It says so once.
func (a *App) awaitTemporal(ctx context.Context) error {
	for said := false; ; said = true {
		_, err := a.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		if err == nil {
			return nil
		}
		if !said {
			a.log.Warn("waiting for Temporal", "error", err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(time.Second):
		}
	}
}
