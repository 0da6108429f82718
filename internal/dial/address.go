package dial

import (
	"net/netip"
	"slices"
)

// special is a range of addresses that no host on the internet has, and the kind of those
// addresses.
type special struct {
	prefix netip.Prefix
	kind   string
}

func ranges(kind string, prefixes ...string) []special {
	var list []special
	for _, p := range prefixes {
		list = append(list, special{netip.MustParsePrefix(p), kind})
	}
	return list
}

// specials are IANA's special-purpose registries, except for globally reachable ranges, and
// metadata services at addresses that look public. The first range that contains an address gives
// its kind.
var specials = slices.Concat(
	ranges("of a cloud's metadata service",
		"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", // most clouds; credentials of ECS and EKS
		"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", // Alibaba, Azure, Oracle
		"fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"), // AWS, EKS, Google
	ranges("unspecified", "0.0.0.0/8", "::/128"),
	ranges("loopback", "127.0.0.0/8", "::1/128"),
	ranges("private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
	ranges("link-local", "169.254.0.0/16", "fe80::/10"),
	ranges("shared by a carrier's customers", "100.64.0.0/10"),
	ranges("multicast", "224.0.0.0/4", "ff00::/8"),
	ranges("for documentation or benchmarks", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",
		"2001:db8::/32", "3fff::/20", "2001:2::/48"),
	ranges("reserved", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4",
		"2001::/23"), // tunnels and protocols, Teredo among them
)

// internet is all that IANA has allocated of IPv6.
var internet = netip.MustParsePrefix("2000::/3")

// Ranges whose addresses embed an IPv4 address, to which the network translates or tunnels the
// traffic.
var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4 = netip.MustParsePrefix("2002::/16")
)

// kindOf says why an address cannot be a host's on the internet, or returns "" if it can.
func kindOf(a netip.Addr) string {
	a = target(a)
	for _, s := range specials {
		if s.prefix.Contains(a) {
			return s.kind
		}
	}
	if a.Is6() && !internet.Contains(a) {
		return "reserved"
	}
	return ""
}

// target returns the address that is finally reached: without a zone, which no prefix would match,
// and as IPv4 if it is mapped, translated or tunnelled.
func target(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixTo4.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}
