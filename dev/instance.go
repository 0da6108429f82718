package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

const (
	// demoRoom exists on the fake LiveKit, with people in it, and is reopened when it closes.
	demoRoom = "standup"
	// devKey and devSecret are those of livekit-server in its --dev mode.
	devKey, devSecret = "devkey", "secret"
	stopLimit         = 30 * time.Second
	// reopenEvery is how often to check for the room: often enough for a person who tries again.
	reopenEvery = time.Second
)

// instanceOptions say what an instance consists of.
type instanceOptions struct {
	stateDir string
	ports    ports
	environ  map[string]string
	fake     fakelivekit.Config // timings and faults
	progress io.Writer          // what a person should know while the instance starts
	log      io.Writer
}

// instance is everything of Reelkeeper running on this machine.
type instance struct {
	place    place
	fake     *fakelivekit.Server // nil if LiveKit is a real one
	temporal *devtemporal.Server // nil if the user runs Temporal
	app      *app.App

	ctx    context.Context // ends when a part fails
	cancel context.CancelFunc
	parts  *errgroup.Group
	lock   *os.File

	temporalLog *os.File
}

// startInstance starts the parts in the order of their dependencies. If a later part fails, it
// stops those already started.
func startInstance(ctx context.Context, o instanceOptions) (_ *instance, err error) {
	i := &instance{}
	i.ctx, i.cancel = context.WithCancel(context.WithoutCancel(ctx))
	i.parts, i.ctx = errgroup.WithContext(i.ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, i.stop())
		}
	}()
	if i.place, err = o.place(); err != nil {
		return nil, err
	}
	if err := inUse(o.stateDir); err != nil { // whose error explains the ports, too
		return nil, err
	}
	if err := o.checkPorts(); err != nil {
		return nil, err
	}
	if i.lock, err = lockState(o.stateDir); err != nil {
		return nil, err
	}
	if err := i.startTemporal(ctx, o); err != nil {
		return nil, err
	}
	if err := i.startFake(o); err != nil {
		return nil, err
	}
	if err := i.startApp(ctx, o); err != nil {
		return nil, err
	}
	return i, i.leaveWord(o)
}

// realLiveKit reports whether the environment names the user's own LiveKit.
func (o instanceOptions) realLiveKit() bool {
	return o.environ["LIVEKIT_URL"] != "" && o.environ["LIVEKIT_API_KEY"] != "" && o.environ["LIVEKIT_API_SECRET"] != ""
}

// namesItself reports whether LIVEKIT_URL is the address of our own door, as in an agent's
// environment: the door would pass each call to itself for ever.
func (o instanceOptions) namesItself() bool {
	u, err := url.Parse(o.environ["LIVEKIT_URL"])
	if err != nil {
		return false // validating the settings reports it
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip.IsLoopback() || ip.IsUnspecified()
	return here && u.Port() == strconv.Itoa(o.ports.starter)
}

func (o instanceOptions) ownTemporal() bool { return o.environ["TEMPORAL_ADDRESS"] == "" }

func (o instanceOptions) place() (place, error) {
	state, err := filepath.Abs(o.stateDir)
	if err != nil {
		return place{}, fmt.Errorf("state: %w", err)
	}
	if o.environ["LIVEKIT_URL"] != "" && !o.realLiveKit() {
		return place{}, egress.Invalidf("LIVEKIT_URL", "is set without LIVEKIT_API_KEY and LIVEKIT_API_SECRET: set all three for a LiveKit of your own, not by files, or none for the fake")
	}
	if o.realLiveKit() && o.namesItself() {
		return place{}, egress.Invalidf("LIVEKIT_URL", "leads to the starter of this dev itself, which needs a LiveKit behind it: name yours, or unset it for the fake")
	}
	p := place{
		Starter: loopbackURL(o.ports.starter), LiveKit: loopbackURL(o.ports.livekit), APIKey: devKey, APISecret: devSecret, Room: demoRoom,
		Temporal: loopback(o.ports.temporal), Namespace: "default", UI: loopbackURL(o.ports.ui), State: state,
	}
	if o.realLiveKit() {
		p.LiveKit, p.APIKey, p.APISecret, p.Room = o.environ["LIVEKIT_URL"], o.environ["LIVEKIT_API_KEY"], o.environ["LIVEKIT_API_SECRET"], ""
	}
	if !o.ownTemporal() {
		p.Temporal, p.UI = o.environ["TEMPORAL_ADDRESS"], ""
	}
	if ns := o.environ["TEMPORAL_NAMESPACE"]; ns != "" {
		p.Namespace = ns
	}
	return p, nil
}

// checkPorts comes first, so that a taken port is reported before minutes of building.
func (o instanceOptions) checkPorts() error {
	err := errors.Join(check("starter", o.ports.starter), check("admin", o.ports.admin))
	if !o.realLiveKit() {
		err = errors.Join(err, check("fake LiveKit", o.ports.livekit))
	}
	if o.ownTemporal() {
		err = errors.Join(err, checkTemporal(o.ports.temporal), check("Temporal UI", o.ports.ui))
	}
	return err
}

// stateOf returns the folder that holds Temporal's data for the LiveKit of a place. A namespace
// belongs to one project, so each real LiveKit has its own folder below the fake's.
func stateOf(p place) (string, error) {
	if p.APIKey == devKey && p.APISecret == devSecret {
		return p.State, nil
	}
	sum := sha256.Sum256([]byte(p.APIKey))
	of := filepath.Join(p.State, "livekit-"+hex.EncodeToString(sum[:4]))
	if err := os.MkdirAll(of, 0o700); err != nil {
		return "", fmt.Errorf("state: %w", err)
	}
	return of, nil
}

func (i *instance) startTemporal(ctx context.Context, o instanceOptions) error {
	if !o.ownTemporal() {
		return nil
	}
	path, err := devtemporal.Path(ctx, o.progress)
	if err != nil {
		return err
	}
	of, err := stateOf(i.place)
	if err != nil {
		return err
	}
	db, err := devtemporal.DBFilename(ctx, of, path)
	if err != nil {
		return err
	}
	if i.temporalLog, err = os.Create(filepath.Join(i.place.State, "temporal.log")); err != nil {
		return fmt.Errorf("Temporal log: %w", err)
	}
	i.temporal, err = devtemporal.Start(ctx, devtemporal.Options{
		Path: path, Port: o.ports.temporal, UIPort: o.ports.ui, DBFilename: db, Namespace: i.place.Namespace,
		SearchAttributes: egress.Attributes(), Hold: []*os.File{i.lock}, Log: i.temporalLog, Progress: o.progress,
	})
	if err != nil {
		return err
	}
	i.parts.Go(func() error { // a Temporal that stops by itself ends the instance
		select {
		case <-i.temporal.Done():
			return i.temporal.Err()
		case <-i.ctx.Done():
			return nil
		}
	})
	return nil
}

func (i *instance) startFake(o instanceOptions) error {
	if o.realLiveKit() {
		return nil
	}
	cfg := o.fake
	cfg.Addr, cfg.APIKey, cfg.APISecret = loopback(o.ports.livekit), devKey, devSecret
	cfg.WebhookURLs = []string{i.place.Starter + egress.WebhookPath}
	cfg.StateFile = filepath.Join(i.place.State, "livekit.json")
	cfg.Store = mediaBelow(i.mediaDir())
	fake, err := fakelivekit.New(cfg)
	if err != nil {
		return fmt.Errorf("fake LiveKit: %w", err)
	}
	if err := fake.Start(); err != nil {
		return fmt.Errorf("fake LiveKit: %w", err)
	}
	i.fake = fake
	if err := i.openRoom(); err != nil {
		return err
	}
	i.parts.Go(i.keepRoom)
	return nil
}

// keepRoom reopens the room when it has closed: an experiment may delete it, and can be repeated.
func (i *instance) keepRoom() error {
	look := time.NewTicker(reopenEvery)
	defer look.Stop()
	for {
		select {
		case <-i.ctx.Done():
			return nil
		case <-look.C:
			if err := i.openRoom(); err != nil {
				return err
			}
		}
	}
}

// openRoom puts people into the fake's room, unless they are there already, perhaps from the state
// of an earlier instance.
func (i *instance) openRoom() error {
	if err := i.fake.AddRoom(demoRoom, fakelivekit.RoomScript{}); !errors.Is(err, fakelivekit.ErrRoomExists) {
		return err
	}
	return nil
}

// handed returns the environment for the parts, without variables for a LiveKit or a Temporal that
// is not used. A profile for the user's own Temporal would make clients call ours over TLS.
func (o instanceOptions) handed() map[string]string {
	environ := maps.Clone(o.environ)
	drop := func(prefix string) {
		maps.DeleteFunc(environ, func(name, _ string) bool { return strings.HasPrefix(name, prefix) })
	}
	if !o.realLiveKit() {
		drop("LIVEKIT_")
	}
	if o.ownTemporal() {
		drop("TEMPORAL_")
		environ["TEMPORAL_CONFIG_FILE"] = os.DevNull
	}
	return environ
}

// settings returns the settings of the shipped parts: the user's own, unless dev decides them.
func (i *instance) settings(o instanceOptions) map[string]string {
	environ := o.handed()
	maps.Copy(environ, map[string]string{
		"LIVEKIT_URL": i.place.LiveKit, "LIVEKIT_API_KEY": i.place.APIKey, "LIVEKIT_API_SECRET": i.place.APISecret,
		"TEMPORAL_ADDRESS": i.place.Temporal, "TEMPORAL_NAMESPACE": i.place.Namespace,
	})
	defaults := map[string]string{
		"REELKEEPER_PUBLIC_URL": i.place.Starter, "REELKEEPER_LOG_LEVEL": "warn", "REELKEEPER_ALLOW_HOSTS": "localhost,127.0.0.0/8,::1",
	}
	if !o.realLiveKit() { // a real one writes elsewhere
		defaults["REELKEEPER_LOCAL_FILES"] = i.mediaDir()
	}
	for name, value := range defaults {
		if environ[name] == "" {
			environ[name] = value
		}
	}
	return environ
}

// startApp runs the shipped parts, worker, door and admin server, from one environment.
func (i *instance) startApp(ctx context.Context, o instanceOptions) error {
	if err := os.MkdirAll(i.mediaDir(), 0o750); err != nil {
		return fmt.Errorf("directory of the media: %w", err)
	}
	var err error
	if i.app, err = app.Open(app.Options{Environ: i.settings(o), Role: config.Serve, LogTo: o.log}); err != nil {
		return err
	}
	door, err := i.app.Door()
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	if err := i.serve("starter", o.ports.starter, door); err != nil {
		return err
	}
	admin, err := i.app.Admin(func() bool { return isClosed(ready) })
	if err != nil {
		return err
	}
	if err := i.serve("admin", o.ports.admin, admin); err != nil {
		return err
	}
	i.parts.Go(func() error { i.app.Report(i.ctx); return nil })
	i.parts.Go(func() error { return ignoreCancel(i.app.RunWorker(i.ctx, func() { close(ready) })) })
	select {
	case <-ready:
		return nil
	case <-i.ctx.Done():
		return errors.New("the worker did not start")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaveWord writes the instance's settings into its state, where the starter's commands find them:
// they call the same servers, and seal with the same key.
func (i *instance) leaveWord(o instanceOptions) error {
	settings := i.settings(o)
	maps.DeleteFunc(settings, func(name, _ string) bool { return !config.IsSetting(name) })
	if err := anywhere(settings); err != nil {
		return err
	}
	b, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("describe instance: %w", err)
	}
	if err := os.WriteFile(filepath.Join(i.place.State, app.DevFile), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("describe instance: %w", err)
	}
	return nil
}

// anywhere makes relative paths in settings absolute, so that they are valid from any folder.
func anywhere(settings map[string]string) (err error) {
	for name, path := range settings {
		file := name == "REELKEEPER_PIPELINE" || name == "REELKEEPER_STORAGE" || strings.HasSuffix(name, "_FILE") || strings.HasSuffix(name, "_PATH")
		if !file || path == "" {
			continue
		}
		if settings[name], err = filepath.Abs(path); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// failed is closed when a part has failed.
func (i *instance) failed() <-chan struct{} { return i.ctx.Done() }

// stop ends the parts in reverse order and returns the first failure.
func (i *instance) stop() error {
	i.cancel()
	err := i.parts.Wait()
	if i.app != nil {
		err = errors.Join(err, i.app.Close())
	}
	if i.fake != nil {
		err = errors.Join(err, i.fake.Close())
	}
	if i.temporal != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		err = errors.Join(err, i.temporal.Stop(ctx))
	}
	if i.temporalLog != nil {
		err = errors.Join(err, i.temporalLog.Close())
	}
	if i.lock != nil {
		_ = os.Remove(filepath.Join(i.place.State, app.DevFile)) // the next instance writes it anew
		err = errors.Join(err, i.lock.Close())
	}
	return err
}
