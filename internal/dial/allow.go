package dial

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// allowed holds the exceptions. Port 0 means any port.
type allowed struct {
	names    []endpoint
	prefixes []network
}

type endpoint struct {
	name string
	port uint16
}

type network struct {
	prefix netip.Prefix
	port   uint16
}

// A name is in ASCII. A name that ends in a number looks like an IP but is none: it is a typo, and
// would never match as a name.
var (
	hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)
	number   = regexp.MustCompile(`(^|\.)[0-9]+$`)
)

func parseAllow(list []string) (allowed, error) {
	var a allowed
	for _, entry := range list {
		if !a.add(strings.TrimSpace(entry)) {
			return allowed{}, fault("want host names and IPs, with or without :port, or CIDRs, got %q", entry)
		}
	}
	return a, nil
}

// add reads one entry, and reports whether it is valid.
func (a *allowed) add(entry string) bool {
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		a.prefixes = append(a.prefixes, network{prefix: prefix.Masked()})
		return !prefix.Addr().Is4In6() // such a prefix would match nothing
	}
	host, port, ok := cutPort(entry)
	if !ok {
		return false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.WithZone("").Unmap()
		a.prefixes = append(a.prefixes, network{netip.PrefixFrom(addr, addr.BitLen()), port})
		return true
	}
	name := canonical(host)
	a.names = append(a.names, endpoint{name, port})
	return hostName.MatchString(name) && !number.MatchString(name)
}

// cutPort splits off an optional port.
func cutPort(entry string) (host string, port uint16, ok bool) {
	host, digits, err := net.SplitHostPort(entry)
	if err != nil { // no port
		if inner, bracketed := strings.CutPrefix(entry, "["); bracketed {
			entry, ok = strings.CutSuffix(inner, "]")
			return entry, 0, ok
		}
		return entry, 0, true
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return host, uint16(n), err == nil && n > 0
}

// canonical returns a name in comparable form: DNS ignores case, and a trailing dot only marks the
// name as complete.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// host reports whether the requested host is allowed by name.
func (a allowed) host(hostPort string) bool {
	host, port, ok := cutPort(hostPort)
	if !ok {
		return false
	}
	host = canonical(host)
	for _, e := range a.names {
		if e.name == host && (e.port == 0 || e.port == port) {
			return true
		}
	}
	return false
}

// address reports whether the address connected to is allowed, as written or as finally reached.
func (a allowed) address(at netip.AddrPort) bool {
	written, reached := at.Addr().WithZone(""), target(at.Addr())
	for _, n := range a.prefixes {
		if (n.prefix.Contains(written) || n.prefix.Contains(reached)) && (n.port == 0 || n.port == at.Port()) {
			return true
		}
	}
	return false
}
