package app

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/reelkeeper/reelkeeper/egress"
)

var (
	undefinedFlag = regexp.MustCompile(`^flag provided but not defined: -+(\S+)$`)
	lackingFlag   = regexp.MustCompile(`^flag needs an argument: -+(\S+)$`)
	wrongFlag     = regexp.MustCompile(`^invalid value (".*") for flag -+(\S+): (.*)$`)
)

// UsageError is a command's OnUsageError: it says in our words what the flag parser says in
// its own.
func UsageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	words := err.Error()
	if m := undefinedFlag.FindStringSubmatch(words); m != nil {
		return egress.Invalidf("--"+m[1], "is no flag of %s; see %s --help", c.FullName(), c.FullName())
	}
	if m := lackingFlag.FindStringSubmatch(words); m != nil {
		return egress.Invalidf("--"+m[1], "needs a value")
	}
	if m := wrongFlag.FindStringSubmatch(words); m != nil {
		reason := m[3]
		switch {
		case strings.Contains(reason, "duration"):
			reason = `want a duration such as "3h"`
		case reason == "parse error": // of a bool alone
			reason = "want true or false"
		case strings.Contains(reason, "ParseUint"):
			reason = "want a number from 0 on"
		case strings.Contains(reason, "strconv.Parse"):
			reason = "want a number"
		}
		return egress.Invalidf("--"+m[2], "%s is no value for it: %s", m[1], reason)
	}
	return egress.Invalidf("", "%s", words)
}

// Watched reports whether a person looks on where w writes, at a terminal that can draw over
// what it shows. The environment's TERM says so: an editor's is often dumb.
func Watched(w io.Writer, terminal string) bool {
	f, ok := w.(*os.File)
	return ok && terminal != "" && terminal != "dumb" && term.IsTerminal(int(f.Fd()))
}

// ShellWord is a text as a shell takes it for one word.
func ShellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
