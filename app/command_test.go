package app_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatTheFlagParserSaysIsSaidInOurWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"--prot 1":                    "--prot: is not a flag of cut; see cut --help",
		"--port":                      "--port: needs a value",
		"--port http":                 `--port: "http" is not a valid value: want a whole number`,
		"--port 1.5":                  `--port: "1.5" is not a valid value: want a whole number`,
		"--port 99999999999999999999": `--port: "99999999999999999999" is not a valid value: it is out of range`,
		"--seed 99999999999999999999": `--seed: "99999999999999999999" is not a valid value: it is out of range`,
		"--loss 1e999":                `--loss: "1e999" is not a valid value: it is out of range`,
		"--every 9999999h":            `--every: "9999999h" is not a valid value: want a duration of at most 2562047h`,
		"--loss 30%":                  `--loss: "30%" is not a valid value: want a number`,
		"--seed=-1":                   `--seed: "-1" is not a valid value: want a whole number, 0 or more`,
		"--every 3":                   `--every: "3" is not a valid value: want a duration such as "3h"`,
		"--json=x":                    `--json: "x" is not a valid value: want true or false`,
	} {
		c := &cli.Command{
			Name: "cut", OnUsageError: app.UsageError, Writer: &bytes.Buffer{}, ErrWriter: &bytes.Buffer{},
			Flags: []cli.Flag{
				&cli.IntFlag{Name: "port"}, &cli.FloatFlag{Name: "loss"}, &cli.Uint64Flag{Name: "seed"},
				&cli.DurationFlag{Name: "every"}, &cli.BoolFlag{Name: "json"},
			},
			ExitErrHandler: func(context.Context, *cli.Command, error) {},
		}
		err := c.Run(t.Context(), append([]string{"cut"}, strings.Fields(line)...))
		require.EqualError(t, err, want)
		require.Equal(t, egress.Invalid, egress.ReasonOf(err))
	}
}

func TestATerminalIsDrawnOnWhereItCanBe(t *testing.T) {
	t.Parallel()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no terminals here")
	}
	t.Cleanup(func() { _ = terminal.Close() })
	require.True(t, app.Watched(terminal, "xterm-256color"))
	require.False(t, app.Watched(terminal, "dumb"))
	require.False(t, app.Watched(terminal, ""))
	require.False(t, app.Watched(&bytes.Buffer{}, "xterm-256color"))
}

func TestAShellReadsAWordAsItWas(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", "plain", "two words", "it's", `$HOME "x" \`, "''"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+app.ShellWord(word)).Output() //nolint:gosec // that is what is tested
		require.NoError(t, err)
		require.Equal(t, word, string(out))
	}
}
