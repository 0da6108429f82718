package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/faults/check"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// LiveKit's key of the project. The secret is not a canary: worker and starter have it in their
// environment.
const (
	apiKey    = "APIfaults"
	apiSecret = "faults-secret-faults-secret-faults-32"
)

// readyLimit is how long a part may take to start, on a busy machine.
const readyLimit = 2 * time.Minute

// stage is where a run plays: the shipped parts, as processes of their own, beside Temporal, the
// fake LiveKit and the worker of a step.
type stage struct {
	scenario scenario
	state    *state
	bin      string // folder that holds worker and starter
	progress io.Writer
	logs     []*os.File
}

// parts returns the parts in starting order; each starts once the previous one is ready.
func (s *stage) parts(ctx context.Context) ([]part, error) {
	temporal, err := s.temporal(ctx)
	if err != nil {
		return nil, err
	}
	livekit, err := s.role("livekit.log", role{LiveKit: &livekitConfig{
		Addr: s.state.addr(partLiveKit), WebhookURL: s.state.url(theFront) + egress.WebhookPath, Seed: s.state.Seed, Spec: s.scenario.LiveKit,
		StateFile: s.state.path("livekit.json"), Chronicle: s.state.path(check.LiveKitLog), Media: s.state.path(mediaFolder),
	}})
	if err != nil {
		return nil, err
	}
	store, err := s.role("store.log", role{Store: &storeConfig{
		Addr: s.state.addr(partStore), Media: s.state.path(mediaFolder), Seed: s.state.Seed, Lives: s.scenario.Lives,
	}})
	if err != nil {
		return nil, err
	}
	step, err := s.role("step.log", role{Step: &stepConfig{
		Temporal: s.state.addr(partTemporal), Dir: s.state.dir, Seed: s.state.Seed, Spec: s.scenario.Step,
	}})
	if err != nil {
		return nil, err
	}
	doors, err := s.each(partDoor, "starter", "serve")
	if err != nil {
		return nil, err
	}
	workers, err := s.each(partWorker, "worker")
	if err != nil {
		return nil, err
	}
	list := slices.Concat([]part{{name: partTemporal, start: temporal}, {name: partLiveKit, start: livekit}, {name: partStore, start: store}, {name: partStep, start: step}}, doors, workers)
	for i := range list {
		list[i].kills = s.scenario.Kills[list[i].name]
	}
	return list, nil
}

type starter = func(ctx context.Context) (running, error)

// temporal starts a development server on one file, the same as that of the one killed before.
func (s *stage) temporal(ctx context.Context) (starter, error) {
	path, err := devtemporal.Path(ctx, s.progress)
	if err != nil {
		return nil, err
	}
	db, err := devtemporal.DBFilename(ctx, s.state.ours(""), path)
	if err != nil {
		return nil, err
	}
	log, err := s.log(s.state.ours(partTemporal + ".log"))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (running, error) {
		return devtemporal.Start(ctx, devtemporal.Options{
			Path: path, Port: s.state.Ports[partTemporal], Headless: true, DBFilename: db, Log: log, SearchAttributes: egress.Attributes(),
		})
	}, nil
}

// role starts this binary as another part.
func (s *stage) role(logFile string, r role) (starter, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := s.log(s.state.path(logFile))
	if err != nil {
		return nil, err
	}
	config, err := r.environ()
	if err != nil {
		return nil, err
	}
	return func(context.Context) (running, error) {
		return spawn(path, nil, append(inherited(), config), log)
	}, nil
}

// each returns all doors, or all workers, which are one of the shipped commands.
func (s *stage) each(name, file string, args ...string) (all []part, err error) {
	for _, replica := range s.scenario.each(name) {
		log, err := s.log(s.state.ours(replica + ".log"))
		if err != nil {
			return nil, err
		}
		environ := append(inherited(), s.environ(name, replica)...)
		all = append(all, part{name: name, replica: replica, start: func(context.Context) (running, error) {
			return spawn(filepath.Join(s.bin, file), args, environ, log)
		}})
	}
	return all, nil
}

// environ returns all settings of a worker or a door.
func (s *stage) environ(part, replica string) []string {
	all := map[string]string{
		"LIVEKIT_URL": s.state.livekit(part), "LIVEKIT_API_KEY": apiKey, "LIVEKIT_API_SECRET": apiSecret,
		"TEMPORAL_ADDRESS": s.state.addr(partTemporal), "TEMPORAL_NAMESPACE": "default",
		"REELKEEPER_PUBLIC_URL": s.state.url(theFront), "REELKEEPER_LISTEN": s.state.addr(replica),
		"REELKEEPER_ADMIN_LISTEN": s.state.addr(admin(replica)), "REELKEEPER_ALLOW_HOSTS": "127.0.0.1",
		"REELKEEPER_ANNOUNCE_URL": s.state.url(theConsumer) + announcePath,
	}
	all["GOTRACEBACK"] = "crash" // a panic then ends by a signal, unlike an exit with a reason
	if part == partWorker {
		all["REELKEEPER_PIPELINE"] = s.state.path(pipelineFile)
	}
	maps.Copy(all, s.scenario.Settings)
	var list []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, k+"="+all[k])
	}
	return list
}

// pastTemporal is the name by which only the doors call LiveKit: what is started under it was
// started past Temporal.
const pastTemporal = "localhost"

func (s *state) livekit(part string) string {
	if part == partDoor {
		return fmt.Sprintf("http://%s:%d", pastTemporal, s.Ports[partLiveKit])
	}
	return s.url(partLiveKit)
}

// inherited returns what a process needs of our own environment, without any settings.
func inherited() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")}
}

// log opens a file to which a part's output is appended.
func (s *stage) log(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		s.logs = append(s.logs, f)
	}
	return f, err
}

// ready waits until a part reports that it is ready.
func (s *stage) ready(ctx context.Context, p part, r running) error {
	var url string
	switch {
	case ours(p.name):
		url = s.state.url(admin(p.replica)) + "/readyz"
	case p.name == partLiveKit:
		url = s.state.url(partLiveKit) + "/"
	default:
		return nil // it was ready when its start returned
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for !answers(ctx, url) {
		select {
		case <-r.Done():
			return fmt.Errorf("%s ended: %w: see its log in %s", p.id(), r.Err(), s.state.dir)
		default:
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%s is not ready: see its log in %s", p.id(), s.state.dir)
		}
	}
	return nil
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (s *stage) close() {
	for _, f := range s.logs {
		_ = f.Close() // only processes that have ended wrote to it
	}
}
