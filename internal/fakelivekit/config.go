package fakelivekit

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"

	"github.com/twitchtv/twirp"
)

// Config configures a Server. Only APIKey and APISecret are required.
type Config struct {
	// Addr is where Start listens: a loopback host and a port. Defaults to 127.0.0.1:0, a free port.
	Addr string
	// APIKey and APISecret are the project's credentials; they also sign webhooks.
	APIKey, APISecret string
	// ExtraKeys are further keys and secrets of the project, usable for tokens and as the signing_key of a webhook.
	ExtraKeys map[string]string
	// WebhookURLs are the project's webhook endpoints, as in livekit-server's webhook.urls.
	WebhookURLs []string
	// Timings defaults to what was recorded; see [Timings.Scaled].
	Timings Timings
	// Faults is the rate of each fault, from 0 (never) to 1 (always). Defaults to none.
	Faults map[Fault]float64
	// RefuseWith lists the codes with which [StartRefused] answers, one of them per start. Defaults to unavailable and resource_exhausted.
	RefuseWith []twirp.ErrorCode
	// Seed decides which egresses the faults affect. Two servers with the same seed and the same starts have the same faults.
	Seed uint64
	// AnyRoom makes every room that a start names exist, with whichever participants and tracks the start asks
	// for.
	AnyRoom bool
	// AsksRoom makes GetParticipant ask the room itself, as livekit-server's api.enable_psrpc_for_get_list_participants does:
	// for a room that is gone, nobody answers. Defaults to false.
	AsksRoom bool
	// StateFile keeps rooms and egresses across restarts, as redis and the egress workers would. Defaults to none.
	StateFile string
	// Chronicle is a file to which everything that happens to egresses and webhooks is appended, one JSON object per line,
	// for judging a client. It holds no credentials. Defaults to none.
	Chronicle string
	// Store writes the media of a recording to a path: silence, as long as the result says. The server stands still during the
	// call, so it must be quick. Defaults to none: nothing is written anywhere.
	Store func(path string, media []byte) error
	// Log gets one line for each change of state, at debug level. Defaults to silence.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Addr = cmp.Or(c.Addr, "127.0.0.1:0")
	c.Timings = c.Timings.withDefaults()
	if c.RefuseWith == nil {
		c.RefuseWith = []twirp.ErrorCode{twirp.Unavailable, twirp.ResourceExhausted}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate names the invalid fields.
func (c Config) Validate() error {
	var problems []error
	report := func(field string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", field, err))
		}
	}
	report("Addr", checkLoopback(c.Addr))
	report("APIKey", required(c.APIKey))
	report("APISecret", required(c.APISecret))
	for _, u := range c.WebhookURLs {
		report("WebhookURLs", checkURL(u))
	}
	for f, rate := range c.Faults {
		report("Faults", checkRate(f, rate))
	}
	for _, code := range c.RefuseWith {
		if !twirp.IsValidErrorCode(code) {
			report("RefuseWith", fmt.Errorf("unknown Twirp code %q", code))
		}
	}
	return errors.Join(problems...)
}

// keys returns all keys with their secrets.
func (c Config) keys() map[string]string {
	keys := map[string]string{}
	maps.Copy(keys, c.ExtraKeys)
	keys[c.APIKey] = c.APISecret
	return keys
}

func required(value string) error {
	if value == "" {
		return errors.New("is required")
	}
	return nil
}

// checkURL accepts URLs to which a webhook can be sent.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%q is not an http or https URL", raw)
	}
	return nil
}

// checkLoopback keeps the fake out of production.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address: a fake must not be reachable from elsewhere", addr)
	}
	return nil
}
