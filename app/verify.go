package app

import (
	"context"
	"net/http"
	"net/url"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/dial"
	"github.com/reelkeeper/reelkeeper/internal/ffprobe"
	"github.com/reelkeeper/reelkeeper/storage"
)

// maxMedia caps a store's reply. Media is passed on as it arrives, and never kept.
const maxMedia = 1 << 50

// verification looks for media.
func (a *App) verification(stores *storage.Stores, prober *ffprobe.Prober) *activities.Verification {
	cfg := activities.VerificationConfig{
		Opener:   a.keys,
		Profiles: a.profiles,
		Open: func(ctx context.Context, d egress.Destination) (activities.Bucket, error) {
			b, err := stores.Open(ctx, d)
			if err != nil {
				return nil, err // a bare nil, not a non-nil interface that holds nil
			}
			return b, nil
		},
	}
	if prober != nil {
		cfg.Player = prober
	}
	a.log.Info("verifying media", "ffprobe", prober != nil, "localFiles", a.cfg.Verify.LocalFiles)
	return activities.NewVerification(cfg)
}

// prober returns ffprobe, or nil if there is none to use.
func (a *App) prober() (*ffprobe.Prober, error) {
	if a.cfg.Verify.FFprobe == "off" {
		return nil, nil //nolint:nilnil // to have none is allowed
	}
	return ffprobe.Find(a.cfg.Verify.FFprobe)
}

// preflight tries the same stores before a start.
func (a *App) preflight(stores *storage.Stores) *activities.Preflight {
	return activities.NewPreflight(activities.PreflightConfig{
		Prober: stores, Off: a.cfg.Storage.Preflight == config.PreflightOff, Always: a.cfg.Storage.Preflight == config.PreflightAlways,
	})
}

// storesOf reaches the stores that requests and profiles name, under the same rule as every host.
func storesOf(cfg config.Config) (*storage.Stores, error) {
	dialer, err := dial.New(dial.Config{Allow: cfg.Dial.AllowHosts, MaxReply: maxMedia})
	if err != nil {
		return nil, err
	}
	return storage.New(storage.Config{
		Client:     func(proxy *url.URL) *http.Client { return dialer.Via(proxy, 0) },
		LocalFiles: cfg.Verify.LocalFiles,
	}), nil
}
