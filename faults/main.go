// Command faults makes many recordings while everything goes wrong at once, and judges whether the
// promise was kept. The shipped parts run as processes and are killed like them; package check
// judges each recording from the logs of the agents, of LiveKit, of the consumer and of the
// pipeline's step. It is for tests: it must never be pointed at a LiveKit, a Temporal or a consumer
// that is not its own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/faults/check"
)

func main() { os.Exit(start()) }

func start() int {
	ctx, stop := app.Interruptible()
	defer stop()
	if config := os.Getenv(roleVariable); config != "" {
		return play(ctx, config, os.Stderr)
	}
	return command(ctx, os.Args, os.Stdout, os.Stderr)
}

const manual = `Runs the worker, starter serve, a Temporal, a fake LiveKit and a step's worker as processes, kills them and starts them
again, and has agents record meanwhile. Then it judges by the logs of the agents, LiveKit, the consumer and the step. What
happens and how often is in the scenario; docs/faults.md describes all of it. Settings of Reelkeeper come from the scenario
alone.

Examples:
  go run ./faults
  go run ./faults --scenario faults/full.yaml --lives 1000 --seed 7 --state /tmp/run
  go run ./faults --resume /tmp/run
  go run ./faults --check /tmp/run

Exit status: 0 the promise was kept, 1 it was not (each finding is printed) or the run failed, 2 an argument or the
scenario is wrong (the error names it).`

// command runs one command line and returns the exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &cli.Command{
		Name:            "faults",
		Usage:           "make recordings under many faults at once, and check that the promise is kept",
		Description:     manual,
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // app.Exit prints, once
		OnUsageError:    app.UsageError,
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "scenario", Value: "faults/ci.yaml", Usage: "what happens, and how often: `FILE`"},
			&cli.Uint64Flag{Name: "seed", Usage: "repeat the draws of an earlier run", DefaultText: "a new seed, which is printed"},
			&cli.IntFlag{Name: "lives", Usage: "how many recordings", DefaultText: "as the scenario has it"},
			&cli.StringFlag{Name: "state", Usage: "keep logs and state in `DIR`, which must be empty (default: a temporary one, removed when all is well)"},
			&cli.StringFlag{Name: "resume", Usage: "go on with the interrupted run in `DIR`"},
			&cli.StringFlag{Name: "check", Usage: "only judge the run in `DIR` again"},
			&cli.StringFlag{Name: "bin", Usage: "folder with worker and starter (default: they are built)"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object instead of words"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return egress.Invalidf(cmd.Args().First(), "is not an argument of faults")
			}
			if err := fits(cmd); err != nil {
				return err
			}
			o := options{stdout: stdout, stderr: stderr, bin: cmd.String("bin"), asJSON: cmd.Bool("json")}
			if dir := cmd.String("check"); dir != "" {
				return o.again(dir)
			}
			return o.perform(ctx, cmd)
		},
	}
	return app.Exit(stderr, c.Name, c.Run(ctx, args))
}

// fits rejects flags that are empty, as from an unset variable of a script, or that say nothing for
// an old run.
func fits(cmd *cli.Command) error {
	for _, name := range []string{"scenario", "state", "resume", "check", "bin"} {
		if cmd.IsSet(name) && cmd.String(name) == "" {
			return egress.Invalidf("--"+name, "is empty: give it a value, or leave it out")
		}
	}
	for _, old := range []string{"resume", "check"} {
		for _, name := range []string{"check", "scenario", "seed", "lives", "state"} {
			if old != name && cmd.IsSet(old) && cmd.IsSet(name) {
				return egress.Invalidf("--"+name, "does not go with --%s, whose folder holds all of the run", old)
			}
		}
	}
	if bin := cmd.String("bin"); bin != "" {
		for _, name := range []string{"worker", "starter"} {
			if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
				return egress.Invalidf("--bin", "%v", err)
			}
		}
	}
	return nil
}

type options struct {
	stdout, stderr io.Writer
	bin            string
	asJSON         bool
}

// perform plays a run, new or interrupted, and judges it.
func (o options) perform(ctx context.Context, cmd *cli.Command) error {
	s, dir, temporary, err := o.state(cmd)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // the lock ends with the process
	sc, err := s.scenario()
	if err != nil {
		return err
	}
	if o.bin == "" {
		if o.bin, err = build(ctx, s.path("bin"), o.stderr); err != nil {
			return err
		}
	}
	fmt.Fprintf(o.stderr, "seed %d, %d lives, logs in %s\n", s.Seed, sc.Lives, dir)
	r := &run{scenario: sc, state: s, out: o.stderr, stage: &stage{scenario: sc, state: s, bin: o.bin, progress: o.stderr}}
	if err := r.play(ctx); err != nil {
		fmt.Fprintf(o.stderr, "interrupted; continue with --resume %s\n", dir)
		return err
	}
	if err := o.judge(s, sc); err != nil || !temporary {
		return err
	}
	return os.RemoveAll(dir)
}

// state opens the folder of a run.
func (o options) state(cmd *cli.Command) (s *state, dir string, temporary bool, err error) {
	if dir = cmd.String("resume"); dir != "" {
		s, err = oldState("--resume", dir)
		return s, dir, false, err
	}
	_, text, err := readScenario(cmd.String("scenario"))
	if err != nil {
		return nil, "", false, err
	}
	if lives := cmd.Int("lives"); cmd.IsSet("lives") && (lives < 1 || lives > 1_000_000) {
		return nil, "", false, egress.Invalidf("--lives", "want 1 to 1000000, got %d", lives)
	}
	seed := rand.Uint64N(1_000_000)
	if cmd.IsSet("seed") {
		seed = cmd.Uint64("seed")
	}
	if dir = cmd.String("state"); dir == "" {
		if dir, err = os.MkdirTemp("", "reelkeeper-faults-"); err != nil {
			return nil, "", false, err
		}
		temporary = true
	}
	s, err = newState(dir, text, seed, cmd.Int("lives"))
	return s, dir, temporary, err
}

// again judges a completed run once more.
func (o options) again(dir string) error {
	s, err := oldState("--check", dir)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // the lock ends with the process
	sc, err := s.scenario()
	if err != nil {
		return err
	}
	return o.judge(s, sc)
}

// judge checks the logs against the promise, and prints the result. It is an error if not all
// lives are done: nobody knows of the others.
func (o options) judge(s *state, sc scenario) error {
	logs, err := check.Read(s.dir)
	if err != nil {
		return err
	}
	findings, figures := check.Judge(logs, sc.rules())
	secrets, err := check.Search(s.ours(""), canaryOf(s.Seed))
	if err != nil {
		return err
	}
	findings = slices.Concat(findings, secrets, check.SearchTold(logs.Consumer, announcePath, canaryOf(s.Seed)))
	if o.asJSON {
		counts := map[check.Kind]int{}
		for _, k := range check.Kinds() {
			counts[k] = check.Count(findings, k)
		}
		err = json.NewEncoder(o.stdout).Encode(map[string]any{"seed": s.Seed, "figures": figures, "counts": counts, "findings": findings})
	} else {
		err = check.Print(o.stdout, findings, figures)
	}
	if err != nil {
		return err
	}
	if done := doneOf(logs.Agents); done < sc.Lives {
		return fmt.Errorf("only %d of %d lives are done; continue with --resume %s", done, sc.Lives, s.dir)
	}
	if len(findings) == 0 {
		return nil
	}
	return fmt.Errorf("the promise is broken %d times; seed %d, logs in %s", len(findings), s.Seed, s.dir)
}

// build builds worker and starter from the module that we are in.
func build(ctx context.Context, dir string, progress io.Writer) (string, error) {
	fmt.Fprintln(progress, "building worker and starter")
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	c := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./worker", "./starter")
	c.Dir = string(root[:len(root)-1])
	if out, err := c.CombinedOutput(); err != nil {
		return "", errors.New("build worker and starter: " + string(out))
	}
	return dir, nil
}
