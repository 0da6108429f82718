package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/temporal"
)

// stopLimit covers the frontend's drain, which gives calls in flight one second. The inner services
// then wait two more for each other; nothing is lost without that, since what was acknowledged is in
// the database.
const stopLimit = 1500 * time.Millisecond

// serve runs the server until ctx ends, and then stops it. The database is complete, with its
// namespaces and search attributes, before the first port opens: whoever reaches the server can
// rely on them.
func serve(ctx context.Context, opts *options, stdout, stderr io.Writer) error {
	tuneGC()
	if err := opts.checkPorts(); err != nil {
		return err
	}
	store, err := openStore(ctx, opts)
	if err != nil {
		return err
	}
	logger, silence := newLogger(opts.logLevel, opts.logFormat, stderr)
	server, err := newServer(opts, store, logger)
	if err != nil {
		return err
	}
	stopUI := startUI(opts, logger)
	defer stopUI()
	if err := server.Start(); err != nil {
		return fmt.Errorf("start Temporal: %w", err)
	}
	announce(opts, stdout)

	<-ctx.Done()
	silence()
	return stopWithin(stopLimit, server)
}

// stopWithin stops the server and waits no longer than limit.
func stopWithin(limit time.Duration, server temporal.Server) error {
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("stop Temporal: %w", err)
		}
	case <-time.After(limit):
	}
	return nil
}

func newServer(opts *options, store *config.SQL, logger log.Logger) (temporal.Server, error) {
	cfg, err := serverConfig(opts, store)
	if err != nil {
		return nil, err
	}
	noClaims := func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts(cfg)),
		temporal.WithDynamicConfigClient(dynamicConfig(opts.dynamicConfig)),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(noClaims),
	)
	if err != nil {
		return nil, fmt.Errorf("configure Temporal: %w", err)
	}
	return server, nil
}

// announce tells a person at a terminal where to go.
func announce(opts *options, w io.Writer) {
	persistence := "in memory"
	if opts.dbFilename != "" {
		persistence = opts.dbFilename
	}
	fmt.Fprintf(w, "%s\n\nTemporal server:  %s\n", versionLine(), reachable(opts.ip, opts.port))
	if !opts.headless {
		fmt.Fprintf(w, "Temporal UI:      %s\n", uiURL(opts))
	}
	fmt.Fprintf(w, "Persistence:      %s\n", persistence)
}
