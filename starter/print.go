package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v3"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// show prints a value as JSON with --json, and otherwise as text does.
func show[T any](c *cli.Command, w io.Writer, v T, text func(io.Writer, T) error) error {
	if c.Bool("json") {
		return printJSON(w, v)
	}
	return text(w, v)
}

// printJSON prints a value of ours, with each EgressInfo in it as `lk` prints it: protojson with
// proto field names.
func printJSON(w io.Writer, v any) error {
	switch t := v.(type) {
	case egress.Info:
		v = t.Spelled()
	case recordings.View:
		v = viewSpelled(t)
	case egress.Verdict:
		v = t.Spelled()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return indent(w, b)
}

// viewSpelled returns a View with each EgressInfo spelled out; a View holds it as LiveKit wrote it.
func viewSpelled(v recordings.View) recordings.View {
	v.Info = v.Info.Spelled()
	if v.Verdict != nil {
		spelled := v.Verdict.Spelled()
		v.Verdict = &spelled
	}
	return v
}

// indent writes JSON for people, ending in a newline.
func indent(w io.Writer, b []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

// facts prints names and values, omitting those without a value.
func facts(w io.Writer, pairs ...[2]string) error {
	t := plainTable()
	for _, p := range pairs {
		if p[1] != "" {
			t.AppendRow(cells(p[0], p[1]))
		}
	}
	return render(w, t)
}

// cells returns a table row that is safe to show on a terminal.
func cells(values ...any) table.Row {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = visible(fmt.Sprint(v))
	}
	return row
}

// visible escapes what a terminal would obey, or not show, in text that others chose: a room's name
// could erase the line above it.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) || r == zeroWidthJoiner {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

const zeroWidthJoiner = '\u200d' // joins the parts of an emoji

// screen replaces control characters by their pictures in output that is not a table, if it goes to
// a terminal; files get it unchanged.
func screen(w io.Writer) io.Writer {
	return transform.NewWriter(w, runes.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || strconv.IsPrint(r) || r == zeroWidthJoiner:
			return r
		case r < ' ':
			return '\u2400' + r // Unicode's picture of a control character
		default:
			return utf8.RuneError
		}
	}))
}

// plainTable makes a table with columns and no borders, so that scripts can cut it.
func plainTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	return t
}

// render writes a table without spaces at the ends of lines.
func render(w io.Writer, t table.Writer) error {
	var b strings.Builder
	for line := range strings.Lines(t.Render() + "\n") {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// at returns a time for people to read, or "" for the zero time.
func at(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 MST")
}
