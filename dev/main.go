// Command dev runs Reelkeeper on one machine with one command: a development Temporal with its UI,
// a fake LiveKit unless a real one is configured, the worker and the starter's server. It is built
// from what ships; only the two stand-ins are its own. It must never be reachable from another
// machine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

func main() {
	app.WatchConnections()
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := app.Interruptible()
	defer stop()
	cmd := command(stdout, stderr)
	return app.Exit(stderr, "dev", cmd.Run(ctx, args))
}

const manual = `Runs Temporal with its UI, a fake LiveKit, the worker and the starter's server, and prints the address of each, until
SIGTERM or Ctrl-C. The state stays in the folder of --state, so what was recorded outlives the process. The starter's
commands find an instance that runs here by themselves.

With LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET it records on that LiveKit, which must reach REELKEEPER_PUBLIC_URL
for its webhooks to arrive. With TEMPORAL_ADDRESS it uses that Temporal. README.md lists all variables under Settings.

Examples:
  go run ./dev
  go run ./dev --state /tmp/reelkeeper --port-base 17980
  go run ./dev demo

Exit status: 0 asked to stop, 1 a failure, 2 an argument or a setting is wrong (the error names it).`

func command(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:           "dev",
		Usage:          "run all of Reelkeeper on this machine",
		Description:    manual,
		Version:        app.ThisBuild().String(),
		Writer:         stdout,
		ErrWriter:      stderr,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // run prints it, once
		OnUsageError:   app.UsageError,

		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "state", Local: true, Value: app.DevState, Usage: "keep the state in `DIR`, which outlives the process"},
			&cli.IntFlag{Name: "port-base", Local: true, Usage: "move all ports: starter at `N`, then admin, LiveKit, Temporal, its UI", DefaultText: defaultPorts.String()},
			&cli.BoolFlag{Name: "json", Local: true, Usage: "print one JSON line once ready"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return egress.Invalidf(cmd.Args().First(), "is not a command; want demo, or nothing")
			}
			if cmd.String("state") == "" {
				return egress.Invalidf("--state", "is empty: name a folder, or leave it out")
			}
			ports, err := portsFrom(cmd.Int("port-base"), cmd.IsSet("port-base"))
			if err != nil {
				return err
			}
			return serve(ctx, instanceOptions{
				stateDir: cmd.String("state"), ports: ports, environ: config.Environ(), progress: stderr, log: stderr,
			}, stdout, cmd.Bool("json"))
		},
		Commands: []*cli.Command{demoCommand(stdout, stderr)},
	}
}

// serve runs an instance until the context ends or a part of it fails.
func serve(ctx context.Context, o instanceOptions, stdout io.Writer, asJSON bool) error {
	i, err := startInstance(ctx, o)
	switch {
	case ctx.Err() != nil && i == nil:
		return nil // a signal stopped us during the start
	case err != nil:
		return err
	}
	if err := i.place.announce(stdout, asJSON); err != nil {
		return errors.Join(err, i.stop())
	}
	select {
	case <-ctx.Done():
	case <-i.failed():
	}
	return i.stop()
}

// place says where to reach an instance.
type place struct {
	Starter   string `json:"starter"`
	LiveKit   string `json:"livekit"`
	APIKey    string `json:"api_key"`
	APISecret string `json:"api_secret"`
	Temporal  string `json:"temporal"`
	Namespace string `json:"namespace"`
	UI        string `json:"ui"`
	State     string `json:"state"`
	Room      string `json:"-"` // with people in it, on the fake; empty on a real LiveKit
}

func (p place) announce(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(p)
	}
	people, record, room := "", "Record a room of yours", "ROOM"
	if p.Room != "" {
		people, record, room = fmt.Sprintf(", room %q has people in it", p.Room), "Record something", p.Room
	}
	_, err := fmt.Fprintf(w, `Reelkeeper is ready. Ctrl-C ends it; its state stays in %s.

  starter    %s   webhooks at %s%s
  LiveKit    %s   API key %s%s
  Temporal   %s   namespace %s
  UI         %s%s

%s:  go run ./starter%s start room-composite --room %s --file '{room_name}-{time}.mp4'
`, p.State, p.Starter, p.Starter, egress.WebhookPath, p.LiveKit, p.APIKey, people, p.Temporal, p.Namespace, p.UI, p.stuck(), record, p.flag(), room)
	return err
}

// flag returns the flag by which the starter's commands find an instance outside this folder.
func (p place) flag() string {
	if here, err := filepath.Abs(app.DevState); err == nil && here == p.State {
		return ""
	}
	return " --dev " + app.ShellWord(p.State)
}

// stuck returns a line that links the UI's list of what needs a person, if the UI is ours.
func (p place) stuck() string {
	if p.UI == "" {
		return ""
	}
	query := fmt.Sprintf("WorkflowType = '%s' AND %s = true AND ExecutionStatus != 'ContinuedAsNew'", egress.WorkflowType, egress.AttributeStuck)
	return "\n  stuck      " + p.UI + "/namespaces/" + url.PathEscape(p.Namespace) + "/workflows?query=" + url.QueryEscape(query)
}
