package main

import (
	"cmp"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
)

const (
	loopback = "127.0.0.1"
	// clusterName is start-dev's, so that files made by either have namespaces of the same cluster.
	clusterName = "active"
	storeName   = "sqlite"
	disabled    = "disabled"
	// clusterID marks the cluster in what the server reports about itself. It has to be a UUID.
	clusterID = "5265656c-6b65-4570-8572-646576737276"
)

// serverConfig is a cluster of one process: four services, of which only the frontend listens on
// the address that the user gave.
func serverConfig(opts *options, store *config.SQL) (*config.Config, error) {
	inner, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	httpPort := cmp.Or(opts.httpPort, inner[3]) // Without one the server warns at each start.
	cfg := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     storeName,
			VisibilityStore:  storeName,
			NumHistoryShards: 1, // Fixed for the life of a file; more would only compete for SQLite's one writer.
			DataStores:       map[string]config.DataStore{storeName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             reachable(opts.ip, opts.port),
				ClusterID:              clusterID,
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: reachable(opts.ip, opts.port)},
		Services: map[string]config.Service{
			string(primitives.FrontendService): listen(opts.ip, opts.port, httpPort),
			string(primitives.HistoryService):  listen(loopback, inner[0], 0),
			string(primitives.MatchingService): listen(loopback, inner[1], 0),
			string(primitives.WorkerService):   listen(loopback, inner[2], 0),
		},
	}
	cfg.Archival.History.State = disabled
	cfg.Archival.Visibility.State = disabled
	cfg.NamespaceDefaults.Archival.History.State = disabled
	cfg.NamespaceDefaults.Archival.Visibility.State = disabled
	if opts.metricsPort != 0 {
		cfg.Global.Metrics = &metrics.Config{Prometheus: &metrics.PrometheusConfig{
			ListenAddress: hostPort(opts.ip, opts.metricsPort),
			HandlerPath:   "/metrics",
		}}
	}
	return cfg, nil
}

func listen(ip string, grpcPort, httpPort int) config.Service {
	return config.Service{RPC: config.RPC{BindOnIP: ip, GRPCPort: grpcPort, HTTPPort: httpPort}}
}

// hosts tells each service where the others are, so that there is no gossip.
func hosts(cfg *config.Config) map[primitives.ServiceName]static.Hosts {
	all := make(map[primitives.ServiceName]static.Hosts, len(cfg.Services))
	for name, service := range cfg.Services {
		address := reachable(service.RPC.BindOnIP, service.RPC.GRPCPort)
		all[primitives.ServiceName(name)] = static.SingleLocalHost(address)
	}
	return all
}
