package main

import (
	"net"
	"strings"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// startUI serves the web UI from its embedded assets and returns what stops it. The UI calls the
// frontend over gRPC; it may come up first.
func startUI(opts *options, logger log.Logger) (stop func()) {
	if opts.headless {
		return func() {}
	}
	host := opts.uiIP
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // The UI server joins host and port by a colon.
	}
	ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                host,
		Port:                opts.uiPort,
		TemporalGRPCAddress: reachable(opts.ip, opts.port),
		EnableUI:            true,
		PublicPath:          opts.uiPublicPath,
		UIAssetPath:         opts.uiAssetPath,
		Codec:               uiconfig.Codec{Endpoint: opts.uiCodecEndpoint},
		CORS:                uiconfig.CORS{CookieInsecure: true}, // Plain HTTP on loopback.
		Distribution:        "reelkeeper",
		DisableNewsFetch:    true,
		HideLogs:            true,
	}))
	go func() {
		if err := ui.Start(); err != nil {
			logger.Error("web UI failed", tag.Error(err))
		}
	}()
	return ui.Stop
}

// uiURL is where a browser on this machine finds the UI.
func uiURL(opts *options) string {
	address := reachable(opts.uiIP, opts.uiPort)
	if host, port, err := net.SplitHostPort(address); err == nil && host == loopback {
		address = net.JoinHostPort("localhost", port)
	}
	return "http://" + address + opts.uiPublicPath
}
