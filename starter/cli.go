package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// recorder is what the commands call; *recordings.Client implements it.
type recorder interface {
	Start(ctx context.Context, o egress.StartOptions) (recordings.Started, error)
	State(ctx context.Context, id string) (recordings.View, error)
	Stop(ctx context.Context, id string) (egress.Info, error)
	Wait(ctx context.Context, id string) (egress.Verdict, error)
	List(ctx context.Context, f recordings.Filter) iter.Seq2[recordings.Row, error]
	Report(ctx context.Context, since, until time.Time) (recordings.Report, error)
	Retry(ctx context.Context, id, step string) error
	Skip(ctx context.Context, id, step string) error
	WaitingSteps(ctx context.Context, id string) ([]recordings.WaitingStep, error)
	Redeliver(ctx context.Context, id string, o recordings.RedeliverOptions) (recordings.Redelivered, error)
	Settled(ctx context.Context, s recordings.Span) iter.Seq2[recordings.Row, error]
	Verdicts(ctx context.Context, s recordings.Span) iter.Seq2[egress.Verdict, error]
}

// deps is the environment of the commands.
type deps struct {
	environ         map[string]string
	dir             string // the working directory, from which a dev instance is searched for
	stdin           io.Reader
	stdout, stderr  io.Writer
	canAsk, watched bool // whether a person can answer a question, and is looking on

	serve   func(ctx context.Context, environ map[string]string) error
	examine func(environ map[string]string) (examiner, func(), error)
	connect func(ctx context.Context, environ map[string]string, role config.Role) (recorder, func(), error)
}

// run runs one command line and returns the exit status: 0 clean, 1 our failure, 2 invalid input, 3
// a recording is not as it should be.
func run(ctx context.Context, args []string, d deps) int {
	d.stdin = interruptible{ctx, d.stdin}
	root := d.root()
	err := wantText(args)
	if err == nil {
		err = root.Run(ctx, append([]string{root.Name}, args...))
	}
	if err != nil {
		fmt.Fprintf(d.stderr, "%s: %s\n", root.Name, oneLine(err))
		return statusOf(err)
	}
	return 0
}

// wantText rejects invalid UTF-8: neither Temporal nor LiveKit accepts it, and each has its own
// error message.
func wantText(args []string) error {
	for i, arg := range args {
		if utf8.ValidString(arg) {
			continue
		}
		name := fmt.Sprintf("argument %d", i+1)
		if flag, _, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(flag, "-") && utf8.ValidString(flag) {
			name = flag
		} else if i > 0 && strings.HasPrefix(args[i-1], "-") {
			name += ", after " + args[i-1]
		}
		return egress.Invalidf(name, "is not UTF-8")
	}
	return nil
}

// root returns the tree of all commands.
func (d deps) root() *cli.Command {
	root := &cli.Command{
		Name:           "starter",
		Usage:          "durable LiveKit egress recordings",
		Version:        app.ThisBuild().String(),
		Writer:         d.stdout,
		ErrWriter:      d.stderr,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // run prints, once
		// starter completion bash|zsh|fish|pwsh prints the completion script of a shell.
		EnableShellCompletion: true,
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden, c.Usage = false, "print a shell's completion script: bash, zsh, fish or pwsh"
			c.Action = nil // otherwise an unknown shell prints the help
			configure(c)
		},
		Flags: []cli.Flag{devFlag()},
		Commands: []*cli.Command{
			d.serveCommand(), d.startCommand(), d.showCommand(), d.listCommand(), d.reportCommand(),
			d.waitCommand(), d.stopCommand(), d.retryCommand(), d.skipCommand(), d.redeliverCommand(), d.exportCommand(), d.doctorCommand(),
		},
	}
	configure(root)
	describe(root, "")
	return root
}

// configure stops every command from printing its own usage errors and from splitting values at
// commas, and makes each command that only groups others reject unknown names.
func configure(c *cli.Command) {
	c.HideHelpCommand = true
	c.DisableSliceFlagSeparator = true // the URL of a stream may contain a comma
	c.OnUsageError = app.UsageError
	if c.Action == nil {
		c.Action = func(_ context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return unknownCommand(c, name)
			}
			return cli.ShowSubcommandHelp(c)
		}
	}
	for _, sub := range c.Commands {
		configure(sub)
	}
}

// serveCommand leaves everything to package app, which reads its own settings.
func (d deps) serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "serve LiveKit's API to agents, and the webhook endpoint to LiveKit",
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := wantArgs(c); err != nil {
				return err
			}
			if c.IsSet("dev") {
				return egress.Invalidf("--dev", "is not for serve: a development instance has its own")
			}
			return d.serve(ctx, d.environ)
		},
	}
}

// unknownCommand lists the existing commands: guesses mislead more than they help.
func unknownCommand(c *cli.Command, name string) error {
	return egress.Invalidf(name, "is not a command of %s; want one of %s", c.FullName(), strings.Join(commandNames(c), ", "))
}

// commandNames returns the names of a command's subcommands.
func commandNames(c *cli.Command) []string {
	var names []string
	for _, sub := range c.Commands {
		names = append(names, sub.Name)
	}
	return names
}

// wantArgs names the missing arguments of a command, or the first extra one.
func wantArgs(c *cli.Command, names ...string) error {
	switch given := c.Args().Slice(); {
	case len(given) < len(names):
		return egress.Invalidf(names[len(given)], "is missing: %s %s", c.FullName(), strings.Join(names, " "))
	case len(given) > len(names):
		return egress.Invalidf(given[len(names)], "is one argument too many: %s", strings.TrimSpace(c.FullName()+" "+strings.Join(names, " ")))
	}
	return nil
}

// wantValues rejects flags with an empty value, as from an unset variable of a script: they would
// count as omitted.
func wantValues(c *cli.Command, names ...string) error {
	for _, name := range names {
		if c.IsSet(name) && strings.TrimSpace(c.String(name)) == "" {
			return emptyFlag(name)
		}
	}
	return nil
}

func emptyFlag(name string) error {
	return egress.Invalidf("--"+name, "is empty: give it a value, or leave it out")
}
