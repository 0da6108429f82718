package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// printInfo prints an EgressInfo as `lk` does: protojson with proto field names.
func printInfo(w io.Writer, i egress.Info) error {
	b, err := snake(i.Proto())
	if err != nil {
		return err
	}
	return indent(w, b)
}

// snake is protojson with proto field names, without its random spacing.
func snake(m *livekit.EgressInfo) (json.RawMessage, error) {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("print EgressInfo: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return nil, fmt.Errorf("print EgressInfo: %w", err)
	}
	return out.Bytes(), nil
}

// printJSON prints a value of ours, and each EgressInfo in it as printInfo does.
func printJSON(w io.Writer, v any) error {
	var err error
	switch t := v.(type) {
	case recordings.View:
		v, err = viewJSON(t)
	case egress.Verdict:
		v, err = verdictJSON(t)
	}
	if err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return indent(w, b)
}

// viewJSON replaces the EgressInfo, which a View keeps as LiveKit spelled it.
func viewJSON(v recordings.View) (any, error) {
	out := struct {
		recordings.View
		Info    json.RawMessage `json:"info,omitempty"`
		Verdict any             `json:"verdict,omitempty"`
	}{View: v}
	var err error
	if v.Info.Known() {
		if out.Info, err = snake(v.Info.Proto()); err != nil {
			return nil, err
		}
	}
	if v.Verdict != nil {
		out.Verdict, err = verdictJSON(*v.Verdict)
	}
	return out, err
}

// verdictJSON does the same for a verdict.
func verdictJSON(v egress.Verdict) (any, error) {
	b, err := snake(v.Info.Proto())
	return struct {
		egress.Verdict
		Info json.RawMessage `json:"info"`
	}{v, b}, err
}

// indent writes JSON for people who read it, with a newline at its end.
func indent(w io.Writer, b []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

// facts prints names and values, leaving out those without a value.
func facts(w io.Writer, pairs ...[2]string) error {
	t := plainTable()
	for _, p := range pairs {
		if p[1] != "" {
			t.AppendRow(table.Row{p[0], p[1]})
		}
	}
	return render(w, t)
}

// plainTable has columns and nothing around them, so that scripts can cut it.
func plainTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	return t
}

// render leaves no spaces at the ends of lines.
func render(w io.Writer, t table.Writer) error {
	var b strings.Builder
	for line := range strings.Lines(t.Render() + "\n") {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// at is a time as a person reads it, empty where there is none.
func at(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 MST")
}
