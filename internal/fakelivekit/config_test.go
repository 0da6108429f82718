package fakelivekit_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
			require.ErrorContains(t, errorOf(fakelivekit.New(cfg)), c.want)
		})
	}
}

func TestLoopbackAddressesAreTaken(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "127.0.0.1:0", "localhost:0", "[::1]:0", "127.1.2.3:0"} {
		cfg := fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret, Addr: addr}
		s, err := fakelivekit.New(cfg)
		require.NoError(t, err, addr)
		require.Empty(t, s.URL(), "before it is started")
		require.NoError(t, s.Close())
	}
}

// worldly is a listener that claims to be open to the world.
type worldly struct{ net.Listener }

func (worldly) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 7880} }

func TestAListenerThatIsOpenToTheWorldIsRefused(t *testing.T) {
	t.Parallel()
	s, err := fakelivekit.New(fakelivekit.Config{APIKey: apiKey, APISecret: apiSecret})
	require.NoError(t, err)
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorContains(t, s.Serve(worldly{l}), "not a loopback address")
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
	require.Error(t, s.Start(), "two servers on one address")
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
	require.Error(t, <-done, "a closed server accepted a start")
}

func TestFaultsCanBeChangedAtRunTime(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.record("daily")
	require.NoError(t, f.SetFault(fakelivekit.StartRefused, 1))
	require.Error(t, errorOf(f.egress.StartParticipantEgress(t.Context(), person("daily"))), "the fault did not strike")
	for fault, rate := range map[fakelivekit.Fault]float64{"nonsense": 1, fakelivekit.Zombie: 2} {
		require.ErrorContains(t, f.SetFault(fault, rate), string(fault))
	}
}

func TestEveryFaultIsDocumentedOnce(t *testing.T) {
	t.Parallel()
	seen := map[fakelivekit.Fault]bool{}
	for _, doc := range fakelivekit.Faults() {
		assert.NotContains(t, seen, doc.Name)
		seen[doc.Name] = true
		assert.Regexp(t, `^[^|\n]{59,}\.$`, doc.Teaches, doc.Name)
	}
	require.Len(t, seen, 24)
}

func TestTimingsDefaultToWhatWasRecordedAndScale(t *testing.T) {
	t.Parallel()
	require.Equal(t, fakelivekit.DefaultTimings(), fakelivekit.Timings{}.Scaled(1))
	tenth := fakelivekit.Timings{ActiveMedia: 4 * time.Second, SourceClosed: -1}.Scaled(0.1)
	require.Equal(t, 400*time.Millisecond, tenth.ActiveMedia)
	require.Equal(t, 300*time.Millisecond, tenth.StopFails)
	require.LessOrEqual(t, tenth.SourceClosed, time.Duration(0))
	require.Equal(t, 3*time.Second, tenth.WebhookMaxAge)
}

func TestNoTimingIsNoWait(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartClaim, cfg.Timings.Ending = -1, -1 })
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.active(id)
	f.deleteRoom("daily")
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, f.ended(id).EgressInfo.Status)
}
