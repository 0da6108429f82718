package dial

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAddressThatIsNoneOfTheInternetsIsNamed(t *testing.T) {
	t.Parallel()
	const metadata, documentation = "of a cloud's metadata service", "for documentation or benchmarks"
	for kind, addresses := range map[string][]string{
		"loopback":                        {"127.0.0.1", "127.255.255.255", "::1"},
		"unspecified":                     {"0.0.0.0", "0.1.2.3", "::"},
		"private":                         {"10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1", "fec0::1"},
		"link-local":                      {"169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1"},
		"shared by a carrier's customers": {"100.64.0.0", "100.127.255.255"},
		"multicast":                       {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		metadata: {"169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
			"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"},
		documentation: {"192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "2001:db8::1", "3fff::1", "2001:2::1"},
		"reserved": {"192.0.0.1", "192.88.99.1", "240.0.0.1", "255.255.255.255", "2001::1", "2001:20::1",
			"100::1", "5f00::1", "4000::1", "64:ff9b:1::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:0:0:0:1:7f00:1"},
	} {
		for _, a := range addresses {
			t.Run(a, func(t *testing.T) {
				t.Parallel()
				require.Equal(t, kind, kindOf(netip.MustParseAddr(a)))
			})
		}
	}
}

func TestAnAddressOfIPv4IsKnownInEveryFormOfIPv6(t *testing.T) {
	t.Parallel()
	for kind, addresses := range map[string][]string{
		"loopback":   {"::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "64:ff9b::127.0.0.1", "2002:7f00:1::1", "2002:7f00:1:ffff::"},
		"private":    {"::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::", "2002:c0a8:1::9", "2002:ac10::"},
		"link-local": {"::ffff:169.254.0.1", "64:ff9b::169.254.0.1", "2002:a9fe:1::"},
		"":           {"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"},
	} {
		for _, a := range addresses {
			t.Run(a, func(t *testing.T) {
				t.Parallel()
				require.Equal(t, kind, kindOf(netip.MustParseAddr(a)))
			})
		}
	}
}

func TestAnAddressOfTheInternetIsNoneOfThese(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"168.63.129.15", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2003::1", "3ffe::1",
	} {
		t.Run(a, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, kindOf(netip.MustParseAddr(a)))
		})
	}
}
