package main

import (
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/dynamicconfig"
)

func TestDefaultsAreThoseOfStartDev(t *testing.T) {
	t.Parallel()
	opts := parsed(t)
	if opts.ip != "127.0.0.1" || opts.port != 7233 || opts.uiIP != "127.0.0.1" || opts.uiPort != 8233 {
		t.Errorf("serves on %s:%d with the UI on %s:%d", opts.ip, opts.port, opts.uiIP, opts.uiPort)
	}
	if opts.headless || opts.dbFilename != "" || opts.logLevel != "warn" {
		t.Errorf("headless %t, file %q, log level %q", opts.headless, opts.dbFilename, opts.logLevel)
	}
	if len(opts.namespaces) != 1 || opts.namespaces[0] != "default" {
		t.Errorf("namespaces %v", opts.namespaces)
	}
}

func TestTheCommandOfStartDevAndItsRepeatedFlagsAreTaken(t *testing.T) {
	t.Parallel()
	opts := parsed(t, "server", "start-dev", "--ip", "localhost", "-p", "65000", "-f", "x.db", "-n", "a",
		"--namespace", "default", "--namespace=b", "--search-attribute", "Room=keyword",
		"--search-attribute", "Stuck=Bool", "--sqlite-pragma", "cache_size=-2000", "--ui-disable-news-fetch")
	if opts.ip != "127.0.0.1" || opts.port != 65000 || opts.dbFilename != "x.db" {
		t.Errorf("ip %s, port %d, file %q", opts.ip, opts.port, opts.dbFilename)
	}
	if opts.uiPort != 65535 {
		t.Errorf("the UI's default port is %d, beyond what there is", opts.uiPort)
	}
	if got := strings.Join(opts.namespaces, " "); got != "default a b" {
		t.Errorf("namespaces %q", got)
	}
	if opts.searchAttributes["Room"] != enumspb.INDEXED_VALUE_TYPE_KEYWORD ||
		opts.searchAttributes["Stuck"] != enumspb.INDEXED_VALUE_TYPE_BOOL {
		t.Errorf("search attributes %v", opts.searchAttributes)
	}
	if opts.sqlitePragmas["cache_size"] != "-2000" {
		t.Errorf("pragmas %v", opts.sqlitePragmas)
	}
}

func TestAWrongCommandLineIsOneLineAndStatus2(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ args, want string }{
		{"--no-such-flag", "flag provided but not defined: -no-such-flag"},
		{"server stop", `unknown argument "server": the only command is "server start-dev"`},
		{"--port seven", `invalid value "seven" for flag -port`},
		{"--port 0", "invalid value 0 for flag --port"},
		{"--ip example.com", `invalid value "example.com" for flag --ip`},
		{"--search-attribute Room", "want NAME=TYPE"},
		{"--search-attribute Room=Varchar", `unknown type "Varchar": the types are Bool,`},
		{"--dynamic-config-value limit.maxIDLength", "want KEY=JSON"},
		{"--dynamic-config-value a.b=hello", "a string needs its quotes"},
		{"--sqlite-pragma wal", "want KEY=VALUE"},
		{"--log-level loud", `invalid value "loud" for flag --log-level`},
		{"--log-format xml", `invalid value "xml" for flag --log-format`},
	} {
		t.Run(tc.args, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := runHere(strings.Fields(tc.args)...)
			if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			if !strings.Contains(stderr, tc.want) {
				t.Errorf("stderr %q does not say %q", stderr, tc.want)
			}
		})
	}
}

func TestVersionAndHelpGoToStdout(t *testing.T) {
	t.Parallel()
	status, stdout, _ := runHere("--version")
	if status != exitClean || stdout != "devserver version 1.32.1 (Server 1.32.1, UI 2.55.0)\n" {
		t.Errorf("status %d, %q", status, stdout)
	}
	status, stdout, _ = runHere("server", "start-dev", "--help")
	if status != exitClean || !strings.Contains(stdout, "-db-filename") {
		t.Errorf("status %d, %q", status, stdout)
	}
}

func TestTheUsersDynamicConfigWinsOverTheTuning(t *testing.T) {
	t.Parallel()
	opts := parsed(t, "--dynamic-config-value", "History.TransferProcessorMaxPollRPS=7",
		"--dynamic-config-value", "limit.historySize.suggestContinueAsNew=1.5",
		"--dynamic-config-value", `system.operatorRPSRatio="x"`)
	config := dynamicConfig(opts.dynamicConfig)
	for key, want := range map[string]any{
		"history.transferProcessorMaxPollRPS":            7, // An int: the server ignores a float here.
		"history.timerProcessorMaxPollRPS":               processorPollRPS,
		"limit.historySize.suggestContinueAsNew":         1.5,
		"system.operatorRPSRatio":                        "x",
		"frontend.enableServerVersionCheck":              false,
		"matching.numTaskqueueReadPartitions":            1,
		"history.visibilityProcessorMaxPollRPS":          processorPollRPS,
		"matching.numTaskqueueWritePartitions":           1,
		"system.forceSearchAttributesCacheRefreshOnRead": true,
	} {
		values := config.GetValue(dynamicconfig.MakeKey(key))
		if len(values) != 1 || values[0].Value != want {
			t.Errorf("%s is %v, not %v", key, values, want)
		}
	}
}

func TestAListenerOnAllInterfacesIsCalledOnLoopback(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"0.0.0.0":     "127.0.0.1:7233",
		"::":          "[::1]:7233",
		"::1":         "[::1]:7233",
		"192.168.1.2": "192.168.1.2:7233",
	} {
		if got := reachable(ip, 7233); got != want {
			t.Errorf("%s is called at %s, not %s", ip, got, want)
		}
	}
	if got := uiURL(parsed(t, "--ui-public-path", "/temporal")); got != "http://localhost:8233/temporal" {
		t.Errorf("the UI is at %s", got)
	}
}
