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

// UsageError is a command's OnUsageError: it rephrases the flag parser's errors in our own words.
func UsageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	words := err.Error()
	if m := undefinedFlag.FindStringSubmatch(words); m != nil {
		return egress.Invalidf("--"+m[1], "is not a flag of %s; see %s --help", c.FullName(), c.FullName())
	}
	if m := lackingFlag.FindStringSubmatch(words); m != nil {
		return egress.Invalidf("--"+m[1], "needs a value")
	}
	if m := wrongFlag.FindStringSubmatch(words); m != nil {
		reason := m[3]
		switch {
		case strings.HasSuffix(reason, "value out of range"):
			reason = "it is out of range"
		case strings.Contains(reason, "duration"):
			reason = egress.WantDuration(strings.Trim(m[1], `"`))
		case reason == "parse error": // only for a bool
			reason = "want true or false"
		case strings.Contains(reason, "ParseUint"):
			reason = "want a whole number, 0 or more"
		case strings.Contains(reason, "ParseInt"):
			reason = "want a whole number"
		case strings.Contains(reason, "strconv.Parse"):
			reason = "want a number"
		}
		return egress.Invalidf("--"+m[2], "%s is not a valid value: %s", m[1], reason)
	}
	return egress.Invalidf("", "%s", words)
}

// Watched reports whether a person is looking at w, at a terminal that can redraw what it shows.
// TERM in the environment says whether it can: an editor's is often dumb.
func Watched(w io.Writer, terminal string) bool {
	f, ok := w.(*os.File)
	return ok && terminal != "" && terminal != "dumb" && term.IsTerminal(int(f.Fd()))
}

// ShellWord quotes a text so that a shell takes it as one word.
func ShellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
