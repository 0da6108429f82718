package devtemporal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
)

// clusterLimit bounds the start of a cluster and of each of its servers.
const clusterLimit = 3 * time.Minute

// ClusterOptions configure a Cluster. The maps are environments as Temporal's images take them.
type ClusterOptions struct {
	// Server is the environment of Temporal's server. Its own address and that of PostgreSQL are
	// added; it must contain POSTGRES_USER.
	Server map[string]string
	// Schema is the environment of SchemaScript. The locations of PostgreSQL and the schemas are
	// added.
	Schema map[string]string
	// SchemaScript is the shell script that creates the databases, with `temporal-sql-tool`.
	SchemaScript string
	// Log receives the servers' output. Nil discards it; errors still quote its last lines.
	Log io.Writer
	// Progress receives what a person should know while Temporal's programs are built. Nil discards it.
	Progress io.Writer
}

// Cluster is Temporal as in production: its own server, in one process, on its own PostgreSQL.
// Either can be killed and restarted; addresses stay the same.
type Cluster struct {
	// Address is host:port of Temporal's frontend.
	Address string
	// Postgres is the database server.
	Postgres *Postgres

	opts     ClusterOptions
	tools    Tools
	ports    []int
	temporal *child
}

// StartCluster runs both servers on free loopback ports, with the databases created by the script. It
// returns ErrNoPostgres if there is no PostgreSQL. ctx bounds only the start; on Linux the servers
// die with this process. Call Close.
func StartCluster(ctx context.Context, opts ClusterOptions) (*Cluster, error) {
	if _, err := PostgresPrograms(); err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	tools, err := FindTools(ctx, opts.Progress)
	if err != nil {
		return nil, err
	}
	ports, err := LastingPorts(len(portVariables) + 1)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])), opts: opts, tools: tools, ports: ports}
	if c.Postgres, err = newPostgres(ctx, ports[0], opts.Server["POSTGRES_USER"], opts.Log); err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterLimit)
	defer cancel()
	if err := c.Postgres.Start(ctx); err != nil {
		return err
	}
	if err := c.MakeSchema(ctx); err != nil {
		return err
	}
	return c.StartTemporal(ctx)
}

// MakeSchema runs the script that creates the databases, as a job does at each deployment.
func (c *Cluster) MakeSchema(ctx context.Context) error {
	tools := filepath.Join(c.Postgres.dir, "tools")
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return fmt.Errorf("make the schema's tools: %w", err)
	}
	err := os.Symlink(c.tools.SQLTool, filepath.Join(tools, "temporal-sql-tool"))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the schema's tools: %w", err)
	}
	command := exec.CommandContext(ctx, "sh", c.opts.SchemaScript)
	command.Env = environ(c.opts.Schema, map[string]string{
		"PATH": tools + string(os.PathListSeparator) + os.Getenv("PATH"), "SCHEMAS": c.tools.Schemas,
		"SQL_HOST": "127.0.0.1", "SQL_PORT": strconv.Itoa(c.Postgres.Port), "SQL_PASSWORD_FILE": c.Postgres.PasswordFile,
	})
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.opts.SchemaScript, err, out)
	}
	return nil
}

// portVariables are the port settings of Temporal's server. Clients use the first.
var portVariables = []string{
	"FRONTEND_GRPC_PORT", "FRONTEND_HTTP_PORT", "FRONTEND_MEMBERSHIP_PORT",
	"HISTORY_GRPC_PORT", "HISTORY_MEMBERSHIP_PORT", "MATCHING_GRPC_PORT", "MATCHING_MEMBERSHIP_PORT",
	"WORKER_GRPC_PORT", "WORKER_MEMBERSHIP_PORT",
}

// StartTemporal starts Temporal's server, and returns once its frontend reports that it is serving.
func (c *Cluster) StartTemporal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterLimit)
	defer cancel()
	own := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": c.Postgres.dir, "BIND_ON_IP": "127.0.0.1", "PROMETHEUS_ENDPOINT": "",
		"LOG_LEVEL":      "fatal", // Errors are logged with stacks; our error quotes only the fatal line.
		"POSTGRES_SEEDS": "127.0.0.1", "DB_PORT": strconv.Itoa(c.Postgres.Port), "POSTGRES_PWD": c.Postgres.password,
	}
	for i, name := range portVariables {
		own[name] = strconv.Itoa(c.ports[i+1])
	}
	command := exec.Command(c.tools.Server, "start")
	command.Env = environ(c.opts.Server, own)
	c.temporal = newChild("Temporal's server", command, c.opts.Log)
	command.Stdout = c.temporal.stderr // It logs to stdout.
	if err := c.temporal.spawn(); err != nil {
		return fmt.Errorf("start Temporal's server: %w", err)
	}
	return c.temporal.awaitUp(ctx, func(ctx context.Context) error {
		t, err := dial(ctx, c.Address, "temporal-system")
		if err != nil {
			return err
		}
		defer t.Close()
		return poll(ctx, func() error {
			_, err := t.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		})
	})
}

// KillTemporal ends Temporal's server as `kill -9` does, and waits until it is gone.
func (c *Cluster) KillTemporal() { c.temporal.Kill() }

// Err says why Temporal's server ended by itself, as Server.Err does.
func (c *Cluster) Err() error { return c.temporal.Err() }

// Close ends both servers and deletes their data.
func (c *Cluster) Close() error {
	if c.temporal != nil {
		c.temporal.Kill()
	}
	if err := c.Postgres.remove(); err != nil {
		return fmt.Errorf("remove PostgreSQL's folder: %w", err)
	}
	return nil
}

// environ returns the given environment, overridden by our own.
func environ(given, own map[string]string) []string {
	all := map[string]string{}
	maps.Copy(all, given)
	maps.Copy(all, own)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, name+"="+all[name])
	}
	return list
}
