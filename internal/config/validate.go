package config

import (
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/reelkeeper/reelkeeper/egress"
)

// The formats of a log line.
const (
	formatText = "text"
	formatJSON = "json"
)

// notSet begins an error about a setting that is missing.
const notSet = "is not set"

// maxStartFor is below the hour that one attempt at a start may take.
const maxStartFor = 50 * time.Minute

// maxLookActive is longer than any recording. Multiples of it, of which the longest is 72 (see
// egress.Policy), must not overflow.
const maxLookActive = 365 * 24 * time.Hour

// Validate names the first invalid variable. It requires nothing that only some roles need.
func (c Config) Validate() error {
	for _, check := range []func() error{
		c.checkSecrets, c.checkAddresses, c.Door.checkPublic, c.checkChoices, c.checkPositive, c.Door.checkWaits, c.checkBounds, c.Payloads.validate, c.Deployment.validate,
		c.Storage.validate, c.Verify.validate, c.Expectation().Validate,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkSecrets rejects a secret that is not text, as of a file in UTF-16, or has more than one line.
// Those of several values have lines, and their own checks.
func (c Config) checkSecrets() error {
	for _, s := range settings(&c) {
		if v := s.value.String(); s.secret && s.value.Kind() == reflect.String && (!utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl)) {
			return egress.Invalidf(s.name, "is not one line of text")
		}
	}
	return nil
}

func (c Config) checkAddresses() error {
	for _, u := range []struct {
		name, value string
		schemes     []string
		base        bool // paths are appended to it
	}{
		{"LIVEKIT_URL", c.LiveKit.URL, []string{"ws", "wss", "http", "https"}, true},
		{"REELKEEPER_PUBLIC_URL", c.Door.PublicURL, []string{"http", "https"}, true},
		{"REELKEEPER_ANNOUNCE_URL", c.Announce.URL, []string{"http", "https"}, false},
	} {
		if err := checkURL(u.name, u.value, u.schemes); err != nil {
			return err
		}
		if u.base && strings.ContainsAny(u.value, "?#") {
			return egress.Invalidf(u.name, "want a URL without ? and #: we append paths to it")
		}
	}
	if checkURL("", c.Announce.NotifyURL, []string{"http", "https"}) != nil { // its path may hold a token, so nothing of it is shown
		return egress.Invalidf("REELKEEPER_NOTIFY_URL", "want a URL that begins with http:// or https://")
	}
	for _, l := range []struct{ name, address string }{
		{"REELKEEPER_LISTEN", c.Door.Listen},
		{"REELKEEPER_ADMIN_LISTEN", c.Door.AdminListen},
	} {
		if _, _, err := net.SplitHostPort(l.address); err != nil {
			return egress.Invalidf(l.name, "want host:port, got %q", l.address)
		}
	}
	return nil
}

func (c Config) checkChoices() error {
	switch {
	case c.LogFormat != formatText && c.LogFormat != formatJSON:
		return egress.Invalidf("REELKEEPER_LOG_FORMAT", "want text or json, got %q", c.LogFormat)
	case c.Announce.When != AnnounceAlways && c.Announce.When != AnnounceMissed:
		return egress.Invalidf("REELKEEPER_ANNOUNCE", "want always or missed, got %q", c.Announce.When)
	}
	return nil
}

func (c Config) checkBounds() error {
	switch {
	case c.Start.For > maxStartFor:
		return egress.Invalidf("REELKEEPER_START_FOR", "must be at most %s, got %s", maxStartFor, c.Start.For)
	case c.Look.Active.D() > maxLookActive:
		return egress.Invalidf("REELKEEPER_LOOK_ACTIVE", "must be at most %s, got %s", maxLookActive, c.Look.Active)
	case c.Recover > egress.MaxRecover:
		return egress.Invalidf("REELKEEPER_RECOVER", "must be 0 to %d, got %d", egress.MaxRecover, c.Recover)
	}
	if c.Reconcile.Every.D() == 0 && len(c.Expect.Rooms) > 0 {
		return egress.Invalidf("REELKEEPER_EXPECT", "needs REELKEEPER_RECONCILE_EVERY, which is off: its rounds look at the rooms")
	}
	if err := period("REELKEEPER_CANARY_EVERY", c.Canary.Every); err != nil {
		return err
	}
	return period("REELKEEPER_RECONCILE_EVERY", c.Reconcile.Every)
}

// checkWaits rejects a wait that would outlast the caller, who would hear nothing of what follows.
func (d Door) checkWaits() error {
	const margin = egress.FailOpenMargin
	switch after, wait := d.FailOpenAfter.D(), d.DeleteRoomWait.D(); {
	case after > 0 && after >= d.RequestTimeout-margin:
		return egress.Invalidf("REELKEEPER_FAIL_OPEN_AFTER", "must be more than %s below REELKEEPER_REQUEST_TIMEOUT (%s), got %s", margin, d.RequestTimeout, after)
	case wait >= d.RequestTimeout:
		return egress.Invalidf("REELKEEPER_DELETE_ROOM_WAIT", "must be below REELKEEPER_REQUEST_TIMEOUT (%s), got %s", d.RequestTimeout, wait)
	}
	return nil
}

// period accepts only what a Temporal schedule supports.
func period(name string, d DurationOrOff) error {
	if every := d.D(); every%time.Second != 0 {
		return egress.Invalidf(name, `must be whole seconds, or "off", got %s`, every)
	}
	return nil
}

// maxVerifyFor is how long the search for the media may delay an announcement.
const maxVerifyFor = 2 * time.Minute

func (v Verify) validate() error {
	if wait := v.For.D(); wait > maxVerifyFor {
		return egress.Invalidf("REELKEEPER_VERIFY_FOR", "must be at most %s, got %s", maxVerifyFor, wait)
	}
	if v.LocalFiles != "" && !filepath.IsAbs(v.LocalFiles) {
		return egress.Invalidf("REELKEEPER_LOCAL_FILES", "want an absolute path, got %q", v.LocalFiles)
	}
	return nil
}

// validate rejects what Temporal's server rejects at each poll, while the worker says that it is
// ready. The lengths are those of a server with its default limits: a name has half of limit.maxIDLength
// (1000), less what its own workflows add to it, and a build ID has limit.workerBuildIdSize.
func (d Deployment) validate() error {
	if d.Name == "" {
		return nil // the worker is unversioned
	}
	for _, f := range []struct {
		name, value, without string
		most                 int // bytes
	}{
		{"TEMPORAL_DEPLOYMENT_NAME", d.Name, ".:", 480},
		{"TEMPORAL_WORKER_BUILD_ID", d.BuildID, "", 255},
	} {
		switch {
		case strings.ContainsAny(f.value, f.without):
			return egress.Invalidf(f.name, "must not contain . or :, got %q", f.value)
		case strings.HasPrefix(f.value, "__"):
			return egress.Invalidf(f.name, "must not begin with __, got %q", f.value)
		case len(f.value) > f.most:
			return egress.Invalidf(f.name, "must be at most %d bytes long, has %d", f.most, len(f.value))
		}
	}
	return nil
}

// validate leaves the token to the codec endpoint, which checks it.
func (p Payloads) validate() error {
	const name = "REELKEEPER_CODEC_ORIGIN"
	if p.CodecToken != "" && p.CodecOrigin == "" {
		return egress.Invalidf(name, "is not set, and REELKEEPER_CODEC_TOKEN needs it")
	}
	if err := checkURL(name, p.CodecOrigin, []string{"http", "https"}); err != nil {
		return err
	}
	if u, err := url.Parse(p.CodecOrigin); err != nil || p.CodecOrigin != "" && p.CodecOrigin != strings.ToLower(u.Scheme+"://"+u.Host) {
		return egress.Invalidf(name, "must be only scheme, host and port, in lower case and without a trailing /")
	}
	return nil
}

// checkPositive rejects durations and rates of zero or less: none of ours has a special value.
func (c Config) checkPositive() error {
	for _, s := range settings(&c) {
		if err := s.checkPositive(); err != nil {
			return err
		}
	}
	return nil
}

func (s setting) checkPositive() error {
	switch v := s.value.Interface().(type) {
	case time.Duration:
		return positive(s.name, v)
	case egress.Duration:
		return positive(s.name, v)
	case []egress.Duration:
		if len(v) == 0 {
			return egress.Invalidf(s.name, "is empty")
		}
		return positive(s.name, slices.Min(v))
	case int:
		return positive(s.name, v)
	}
	return nil
}

func positive[T time.Duration | egress.Duration | int](name string, v T) error {
	if v <= 0 {
		return egress.Invalidf(name, "must be positive, got %v", v)
	}
	return nil
}

// checkPublic rejects a URL with a user, and LiveKit's whole webhook URL: our paths would repeat
// below it, where no token is recognized.
func (d Door) checkPublic() error {
	const name = "REELKEEPER_PUBLIC_URL"
	u, err := url.Parse(d.PublicURL)
	switch {
	case err != nil:
		return egress.Invalidf(name, "is not a URL")
	case u.User != nil:
		return egress.Invalidf(name, "want a URL without a user: LiveKit sends its own Authorization in place of a password")
	case strings.Contains(u.Path+"/", egress.WebhookPath+"/"):
		return egress.Invalidf(name, "want a URL without %s, which we append to it", egress.WebhookPath)
	}
	return nil
}

// checkURL treats an empty URL as unset. Of an invalid one it shows at most scheme and host: the
// rest may hold a password.
func checkURL(name, raw string, schemes []string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return egress.Invalidf(name, "is not a URL")
	case u.Host == "":
		return egress.Invalidf(name, "want a URL that begins with %s:// and a host", strings.Join(schemes, ":// or "))
	case !slices.Contains(schemes, u.Scheme):
		return egress.Invalidf(name, "want a URL that begins with %s://, got %q", strings.Join(schemes, ":// or "), u.Scheme+"://"+u.Host)
	case u.Port() != "" && !isPort(u.Port()):
		return egress.Invalidf(name, "want a port from 1 to 65535, got %s", u.Port())
	}
	return nil
}

// isPort reports whether s is a port that one can connect to.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// require names the first setting that the role needs and that is missing.
func (c Config) require(role Role) error {
	for _, s := range settings(&c) {
		if s.value.Kind() == reflect.String && s.value.IsZero() && slices.Contains(s.requiredBy, string(role)) {
			return egress.Invalidf(s.name, notSet+", and %s needs it", asker(role))
		}
	}
	return nil
}

func asker(role Role) string {
	switch role {
	case Worker:
		return "the worker"
	case Serve:
		return "the starter's `serve`"
	default:
		return "a start"
	}
}
