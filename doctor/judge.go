package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// judge says what a probe's path means for LiveKit's webhooks. LiveKit retries only after 429 and
// 5xx, and takes every other answer as delivered.
func judge(p Path, err error) Finding {
	if err != nil {
		return unanswered(p, err)
	}
	found := fmt.Sprintf("%s answered %d in %s", p.URL, p.Status, brief(p.Total.D()))
	switch {
	case p.outcome.Well():
		return well(p, found)
	case p.outcome == egress.CanaryUnavailable:
		return failed(found+": LiveKit tries for 15 to 65 s, and then the event is lost", fixOf5xx(p))
	case p.Status/100 == 2:
		return failed(found+", but that was not our endpoint: LiveKit counts it as delivered, and every event is lost",
			"let the proxy send the path to `starter serve` and keep the headers of its answers, and run `starter serve` in the version of this command")
	case p.Status/100 == 3:
		return failed(fmt.Sprintf("%s, a redirect to %s: %s", found, p.location, lostAt(p.Status)),
			"set REELKEEPER_PUBLIC_URL to where it leads, and change the URL of the project's webhook at LiveKit as well")
	default:
		return failed(found+": LiveKit counts it as delivered, and every event is lost", fixOf4xx(p))
	}
}

// lostAt says what LiveKit's sender, net/http's client, makes of a redirect.
func lostAt(status int) string {
	if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect {
		return "LiveKit follows it, but to another host without its token, where every event is lost"
	}
	return "LiveKit goes there without the event and counts it as delivered, so every event is lost"
}

// well judges a probe that our endpoint accepted: its path may still be too slow, or its
// certificate about to expire.
func well(p Path, found string) Finding {
	found += fmt.Sprintf(" (DNS %s, connect %s, TLS %s)", brief(p.DNS.D()), brief(p.Connect.D()), brief(p.TLS.D()))
	if p.CertificateUntil != nil {
		left := time.Until(*p.CertificateUntil)
		found += fmt.Sprintf(", certificate until %s", p.CertificateUntil.UTC().Format(time.RFC3339))
		if left < certificateWarn {
			return warn(fmt.Sprintf("%s: %d days are left", found, int(left.Hours()/24)), "renew the certificate: with an expired one, every webhook is lost")
		}
	}
	if p.outcome == egress.CanarySlow {
		return warn(fmt.Sprintf("%s: slow. LiveKit waits for %s, and drops events that queue for %s behind slow ones", found, attemptBudget, queueBudget),
			"see which part of the path is slow; our endpoint itself answers within 2 s (reelkeeper_webhook_duration_seconds)")
	}
	return ok(found)
}

func fixOf5xx(p Path) string {
	switch {
	case p.ours:
		return "the endpoint cannot verify our signature: give `starter serve` the same LIVEKIT_API_KEY and LIVEKIT_API_SECRET (or LIVEKIT_KEYS), " +
			"make sure that no proxy changes the body, and that the clocks agree; reelkeeper_webhook_requests_total names the reason"
	case p.Status == http.StatusTooManyRequests:
		return "a proxy limits the rate: exempt the path of the webhooks"
	default:
		return "a proxy answered that does not reach `starter serve`: see whether that runs, and where the proxy leads"
	}
}

func fixOf4xx(p Path) string {
	switch {
	case p.ours && p.Status == http.StatusUnauthorized:
		return "the header Authorization did not come through: let the proxy pass it on"
	case p.ours && p.Status == http.StatusMethodNotAllowed:
		return "the POST came as another method: let the proxy pass it on as it is"
	case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden:
		return "a proxy asks for its own sign-in, or refuses LiveKit's address: open the path of the webhooks to all; or the path is wrong, " +
			"and LiveKit itself refused what came through the front door: let the proxy strip what precedes /webhooks/livekit"
	case p.Status == http.StatusNotFound:
		return "the path is wrong: REELKEEPER_PUBLIC_URL must lead to `starter serve`, and a proxy must strip what precedes /webhooks/livekit " +
			"and pass on everything below it"
	default:
		return "let the proxy pass POST, the header Authorization and the body of up to 1 MiB on to `starter serve` as they are"
	}
}

// unanswered judges a probe without an answer: LiveKit would retry, and then the event would be
// lost.
func unanswered(p Path, err error) Finding {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		noTLS     tls.RecordHeaderError
		timeout   net.Error
	)
	say := func(what, fix string) Finding {
		return failed(fmt.Sprintf("%s cannot be reached: %s; every event is lost", p.URL, what), fix)
	}
	switch {
	case errors.As(err, &dns):
		return say(fmt.Sprintf("DNS does not know %s (%s)", dns.Name, dns.Err), "create the name in DNS, or correct REELKEEPER_PUBLIC_URL; LiveKit must be able to resolve it")
	case errors.As(err, &authority):
		return say("its certificate is not signed by a trusted authority", "serve the whole chain, from an authority that LiveKit's machines trust")
	case errors.As(err, &host):
		return say("its certificate is for another name", "get a certificate for the name in REELKEEPER_PUBLIC_URL")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return say(fmt.Sprintf("its certificate was valid until %s", invalid.Cert.NotAfter.UTC().Format(time.RFC3339)), "renew the certificate")
	case errors.As(err, &invalid):
		return say("its certificate is not valid: "+invalid.Error(), "get another certificate")
	case errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &noTLS):
		return say("it does not speak TLS", "put a TLS proxy in front of `starter serve`, or begin REELKEEPER_PUBLIC_URL with http://")
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("the connection is refused", "see whether `starter serve` and the proxy in front of it run, and listen there")
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return say(fmt.Sprintf("no answer within %s, LiveKit's own limit", attemptBudget), "see whether a firewall drops the connection, and whether the proxy's time-out is over 2 s")
	default:
		return say(plainly(err), "see whether REELKEEPER_PUBLIC_URL leads to `starter serve`")
	}
}

// redacted returns a URL without what may be a password.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "an unreadable URL"
	}
	u.RawQuery, u.Fragment = "", ""
	return strings.TrimSuffix(u.Redacted(), "?")
}
