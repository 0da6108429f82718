package dial

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func requireInvalid(t *testing.T, err error, want string) {
	t.Helper()
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, egress.Error{Reason: egress.Invalid, Field: "REELKEEPER_ALLOW_HOSTS", Message: want}, *e)
}

func TestAnEntryThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", " ", "http://hooks.internal", "hooks.internal/path", "10.0.0.0/33", "10.0.0.300", "10.0.0", "2130706433", "fd00::/129", "fd00::zz",
		"hooks.internal:0", "hooks.internal:65536", "hooks.internal:http", "hooks.internal:", ":80", "[::1", "::1]", "[::1]:x",
		"*.internal", ".internal", "a..b", "-a", "höoks.internal", "a b", "me@hooks.internal", "::ffff:10.0.0.0/104", "hooks.internal:80:81",
	} {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{Allow: []string{"localhost", entry}})
			requireInvalid(t, err, `want host names and IPs, with or without :port, or CIDRs, got "`+entry+`"`)
		})
	}
}

func TestAnEntryAllowsWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		entry, host, address string
		ok                   bool
	}{
		{"hooks.internal", "hooks.internal:80", "10.0.0.5:80", true},
		{"hooks.internal", "HOOKS.internal.:8080", "10.0.0.5:8080", true},
		{"Hooks.Internal.", "hooks.internal:80", "10.0.0.5:80", true},
		{"hooks.internal", "other.internal:80", "10.0.0.5:80", false},
		{"hooks.internal", "a.hooks.internal:80", "10.0.0.5:80", false},
		{"hooks.internal", "hooks.internal.evil.example:80", "10.0.0.5:80", false},
		{"hooks.internal", "10.0.0.5:80", "10.0.0.5:80", false},
		{"hooks.internal:8080", "hooks.internal:8080", "10.0.0.5:8080", true},
		{"hooks.internal:8080", "hooks.internal:80", "10.0.0.5:80", false},
		{" my_service ", "my_service:80", "172.18.0.3:80", true},
		{"10.0.0.5", "hooks.internal:80", "10.0.0.5:80", true},
		{"10.0.0.5", "10.0.0.5:80", "[::ffff:10.0.0.5]:80", true},
		{"::ffff:10.0.0.5", "10.0.0.5:80", "10.0.0.5:80", true},
		{"10.0.0.5", "hooks.internal:80", "[64:ff9b::10.0.0.5]:80", true},
		{"10.0.0.5", "hooks.internal:80", "10.0.0.6:80", false},
		{"10.0.0.5:8080", "hooks.internal:8080", "10.0.0.5:8080", true},
		{"10.0.0.5:8080", "hooks.internal:80", "10.0.0.5:80", false},
		{"10.0.0.0/8", "hooks.internal:80", "10.255.0.1:80", true},
		{"10.9.9.9/8", "hooks.internal:80", "10.255.0.1:80", true},
		{"10.0.0.0/8", "hooks.internal:80", "172.16.0.1:80", false},
		{"64:ff9b:1::/48", "hooks.internal:80", "[64:ff9b:1::1]:80", true},
		{"64:ff9b::/96", "hooks.internal:80", "[64:ff9b::10.0.0.5]:80", true},
		{"::1", "localhost:80", "[::1]:80", true},
		{"[::1]", "localhost:80", "[::1]:80", true},
		{"[::1]:80", "localhost:80", "[::1]:80", true},
		{"[::1]:80", "localhost:81", "[::1]:81", false},
		{"::1", "localhost:80", "127.0.0.1:80", false},
		{"fe80::/10", "printer:80", "[fe80::1%eth0]:80", true},
		{"fe80::1%eth0", "printer:80", "[fe80::1%eth0]:80", true},
		{"localhost", "example.com:80", "8.8.8.8:80", true}, // the internet needs no entry
		{"localhost", "example.com:80", "no address", false},
	} {
		t.Run(tc.entry+" and "+tc.host+" at "+tc.address, func(t *testing.T) {
			t.Parallel()
			d, err := New(Config{Allow: []string{tc.entry}})
			require.NoError(t, err)
			require.Equal(t, tc.ok, d.judge(tc.host, tc.address) == nil)
		})
	}
}

func TestARefusalNamesHostAddressAndSetting(t *testing.T) {
	t.Parallel()
	d, err := New(Config{})
	require.NoError(t, err)
	requireInvalid(t, d.judge("hooks.internal:8080", "10.0.0.5:8080"), "does not cover hooks.internal:8080, whose address 10.0.0.5 is private")
	requireInvalid(t, d.judge("h:80", "/run/socket"), `does not cover h:80, whose address "/run/socket" cannot be judged`)
}
