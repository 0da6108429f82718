package fakelivekit_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func TestAWrongConfigIsRefusedByField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fakelivekit.Config)
		want   string
	}{
		"no key":                    {func(c *fakelivekit.Config) { c.APIKey = "" }, "APIKey: is required"},
		"no secret":                 {func(c *fakelivekit.Config) { c.APISecret = "" }, "APISecret: is required"},
		"open to the world":         {func(c *fakelivekit.Config) { c.Addr = "0.0.0.0:7880" }, "Addr: \"0.0.0.0:7880\" is not a loopback address"},
		"open to the world, IPv6":   {func(c *fakelivekit.Config) { c.Addr = "[::]:7880" }, "Addr: "},
		"any host":                  {func(c *fakelivekit.Config) { c.Addr = ":7880" }, "Addr: "},
		"a name":                    {func(c *fakelivekit.Config) { c.Addr = "livekit.example:7880" }, "Addr: "},
		"no port":                   {func(c *fakelivekit.Config) { c.Addr = "127.0.0.1" }, "Addr: "},
		"no URL":                    {func(c *fakelivekit.Config) { c.WebhookURLs = []string{"here"} }, "WebhookURLs: \"here\" is not an http or https URL"},
		"another scheme":            {func(c *fakelivekit.Config) { c.WebhookURLs = []string{"ftp://here"} }, "WebhookURLs: "},
		"an unknown fault":          {func(c *fakelivekit.Config) { c.Faults = map[fakelivekit.Fault]float64{"nonsense": 1} }, "Faults: unknown fault \"nonsense\""},
		"a rate over 1":             {func(c *fakelivekit.Config) { c.Faults = map[fakelivekit.Fault]float64{fakelivekit.Zombie: 1.5} }, "Faults: fault zombie: rate 1.5"},
		"a rate below 0":            {func(c *fakelivekit.Config) { c.Faults = map[fakelivekit.Fault]float64{fakelivekit.Zombie: -1} }, "Faults: fault zombie: rate -1"},
		"a code that is not":        {func(c *fakelivekit.Config) { c.RefuseWith = []twirp.ErrorCode{"nonsense"} }, "RefuseWith: unknown Twirp code \"nonsense\""},
		"two things, both reported": {func(c *fakelivekit.Config) { c.APIKey, c.Addr = "", "1.2.3.4:1" }, "APIKey: is required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret}
			c.change(&cfg)
			if _, err := fakelivekit.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestLoopbackAddressesAreTaken(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "127.0.0.1:0", "localhost:0", "[::1]:0", "127.1.2.3:0"} {
		cfg := fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret, Addr: addr}
		s, err := fakelivekit.New(cfg)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if s.URL() != "" {
			t.Errorf("%s is served at %s before it is started", addr, s.URL())
		}
		require.NoError(t, s.Close())
	}
}

// worldly is a listener that says that it is open to the world.
type worldly struct{ net.Listener }

func (worldly) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 7880} }

func TestAListenerThatIsOpenToTheWorldIsRefused(t *testing.T) {
	t.Parallel()
	s, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret})
	require.NoError(t, err)
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if err := s.Serve(worldly{l}); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
		t.Errorf("got %v", err)
	}
}

func TestServeReturnsWhenTheServerCloses(t *testing.T) {
	t.Parallel()
	s, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	for range 2 { // closing twice is harmless
		require.NoError(t, s.Close())
	}
	require.NoError(t, <-served)
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	cfg := f.cfg
	cfg.Addr = strings.TrimPrefix(f.URL(), "http://")
	s, err := fakelivekit.New(cfg)
	require.NoError(t, err)
	defer s.Close()
	if err := s.Start(); err == nil {
		t.Error("two servers on one address")
	}
}

func TestClosingEndsCallsThatWait(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.HoldStarts()
	done := make(chan error, 1)
	go func() {
		_, err := f.egress.StartParticipantEgress(t.Context(), person("daily"))
		done <- err
	}()
	f.waitUntil("the call", func() bool { return f.Calls()["StartParticipantEgress"] == 1 })
	require.NoError(t, f.Close())
	if err := <-done; err == nil {
		t.Error("a closed server accepted a start")
	}
}

func TestFaultsCanBeChangedAtRunTime(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.record("daily")
	require.NoError(t, f.SetFault(fakelivekit.StartRefused, 1))
	if _, err := f.egress.StartParticipantEgress(t.Context(), person("daily")); err == nil {
		t.Error("the fault did not strike")
	}
	for fault, rate := range map[fakelivekit.Fault]float64{"nonsense": 1, fakelivekit.Zombie: 2} {
		if err := f.SetFault(fault, rate); err == nil || !strings.Contains(err.Error(), string(fault)) {
			t.Errorf("%s at %v: %v", fault, rate, err)
		}
	}
}

func TestEveryFaultIsDocumentedOnce(t *testing.T) {
	t.Parallel()
	seen := map[fakelivekit.Fault]bool{}
	for _, doc := range fakelivekit.Faults() {
		if seen[doc.Name] {
			t.Errorf("%s is there twice", doc.Name)
		}
		seen[doc.Name] = true
		if !strings.HasSuffix(doc.Teaches, ".") || strings.ContainsAny(doc.Teaches, "|\n") || len(doc.Teaches) < 60 {
			t.Errorf("%s teaches %q", doc.Name, doc.Teaches)
		}
	}
	if len(seen) != 23 {
		t.Errorf("%d faults", len(seen))
	}
}

func TestTimingsDefaultToWhatWasRecordedAndScale(t *testing.T) {
	t.Parallel()
	all := fakelivekit.Timings{}.Scaled(1)
	if all != fakelivekit.DefaultTimings() {
		t.Errorf("unscaled: %+v", all)
	}
	tenth := fakelivekit.Timings{ActiveMedia: 4 * time.Second, SourceClosed: -1}.Scaled(0.1)
	if tenth.ActiveMedia != 400*time.Millisecond || tenth.StopFails != 300*time.Millisecond || tenth.SourceClosed > 0 || tenth.WebhookMaxAge != 3*time.Second {
		t.Errorf("a tenth: %+v", tenth)
	}
}

func TestNoTimingIsNoWait(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartClaim, cfg.Timings.Ending = -1, -1 })
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.active(id)
	f.deleteRoom("daily")
	if got := f.ended(id).EgressInfo.Status; got != livekit.EgressStatus_EGRESS_COMPLETE {
		t.Errorf("got %v", got)
	}
}
