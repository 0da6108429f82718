package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twitchtv/twirp"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// diagnose runs the doctor and returns its findings by check.
func (s realShell) diagnose(t *testing.T, wantStatus int) map[doctor.Check]doctor.Finding {
	t.Helper()
	got := s.run(t, "doctor --json")
	var list []doctor.Finding
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || got.status != wantStatus {
		t.Fatalf("got %+v, want status %d: %v", got, wantStatus, err)
	}
	findings := map[doctor.Check]doctor.Finding{}
	for _, f := range list {
		findings[f.Check] = f
	}
	if len(findings) != len(doctor.Checks()) {
		t.Fatalf("got %v", findings)
	}
	return findings
}

// emptyLiveKit has no rooms and no egresses.
func emptyLiveKit(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/twirp/livekit.Egress/"):
			_ = twirp.WriteError(w, twirp.NotFoundError("egress does not exist"))
		case strings.HasPrefix(r.URL.Path, "/twirp/livekit."):
			w.Header().Set("Content-Type", "application/protobuf")
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestTheDoctorNamesWhatIsIllAndWhatHelps(t *testing.T) {
	t.Parallel()
	s := newRealShell(t)
	maps.Copy(s, map[string]string{"LIVEKIT_URL": "ws://127.0.0.1:1", "REELKEEPER_PUBLIC_URL": "http://127.0.0.1:1", "REELKEEPER_TOKEN_SEARCH": "5s"})
	findings := s.diagnose(t, 3)
	for check, want := range map[doctor.Check]doctor.Status{
		doctor.Settings: doctor.Warn, doctor.Keys: doctor.OK, doctor.LiveKitAPI: doctor.Fail, doctor.SearchAttributes: doctor.OK,
		doctor.Workers: doctor.Fail, doctor.Schedule: doctor.Fail, doctor.Canary: doctor.Fail, doctor.Webhook: doctor.Fail,
	} {
		if f := findings[check]; f.Status != want || f.Status != doctor.OK && f.Fix == "" {
			t.Errorf("got %+v, want %s", f, want)
		}
	}
	s["TEMPORAL_ADDRESS"], s["LIVEKIT_API_SECRET"] = "127.0.0.1:1", ""
	findings = s.diagnose(t, 3)
	if f := findings[doctor.Settings]; f.Status != doctor.Fail || !strings.HasPrefix(f.Found, "LIVEKIT_API_SECRET: is not set") {
		t.Errorf("got %+v", f)
	}
	if f := findings[doctor.Keys]; f.Status != doctor.Skip {
		t.Errorf("got %+v", f)
	}
	if f := findings[doctor.TemporalServer]; f.Status != doctor.Fail || !strings.Contains(f.Found, "127.0.0.1:1") {
		t.Errorf("got %+v", f)
	}
}

func TestTheDoctorFindsAWholeInstanceWell(t *testing.T) {
	t.Parallel()
	s := newRealShell(t)
	var door http.Handler
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { door.ServeHTTP(w, r) }))
	t.Cleanup(public.Close)
	maps.Copy(s, map[string]string{"LIVEKIT_URL": emptyLiveKit(t), "REELKEEPER_PUBLIC_URL": public.URL})

	a, err := app.Open(app.Options{Environ: s, Role: config.Worker, LogTo: t.Output(), ReportEvery: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if door, err = a.Door(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	ready := make(chan struct{})
	g.Go(func() error { return a.RunWorker(ctx, func() { close(ready) }) })
	g.Go(func() error { a.Report(ctx); return nil })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	<-ready
	for deadline := time.Now().Add(20 * time.Second); s.run(t, "doctor --only workers").status != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the worker's polls are never seen")
		}
	}
	slow := func(found string) bool { return strings.Contains(found, ": slow. ") } // a busy machine
	findings := s.diagnose(t, 0)
	for deadline := time.Now().Add(time.Minute); (slow(findings[doctor.Webhook].Found) || findings[doctor.Endpoint].Status != doctor.OK) && time.Now().Before(deadline); {
		findings = s.diagnose(t, 0)
	}
	for check, f := range findings {
		if f.Status != doctor.OK && check != doctor.Schedule && check != doctor.Canary {
			t.Errorf("got %+v", f)
		}
	}
	got := s.run(t, "doctor --only webhook")
	for deadline := time.Now().Add(time.Minute); slow(got.stdout) && time.Now().Before(deadline); {
		got = s.run(t, "doctor --only webhook")
	}
	if got.status != 0 || !strings.HasPrefix(got.stdout, "ok    webhook: "+public.URL+"/webhooks/livekit") {
		t.Errorf("got %+v", got)
	}

	s["LIVEKIT_API_SECRET"] = "another project's"
	if got = s.run(t, "doctor --only schedule"); got.status != 3 || !strings.Contains(got.stdout, "the workers of this namespace have other secrets") {
		t.Errorf("got %+v", got)
	}
}
