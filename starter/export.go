package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// exportCommand is for archives: Temporal forgets what is older than its retention.
func (d deps) exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "print the verdicts of recordings whose workflow has closed, one JSON object per line, last closed first",
		UsageText: "starter export [--since 24h] [--until TIME] [--where QUERY] [--csv] [--out FILE]",
		Description: "A recording counts in the span in which its workflow closed, so that adjoining spans hold each verdict once, in its final form.\n" +
			"One that may still be corrected has not closed yet: it will be in a later span.",
		Flags: append(spanFlags("24h"),
			&cli.BoolFlag{Name: "csv", Usage: "print CSV with a header line"},
			jsonFlag("print JSON lines, the default"),
			&cli.StringFlag{Name: "out", Usage: "write to `FILE`, which appears once it is complete"},
			timeoutFlag(0),
		),
		Action: d.export,
	}
}

func (d deps) export(ctx context.Context, c *cli.Command) error {
	if err := checkFormat(c); err != nil {
		return err
	}
	span, err := readWhich(c, time.Now())
	if err != nil {
		return err
	}
	out, err := readOut(c)
	if err != nil {
		return err
	}
	return d.with(ctx, c, config.Reader, func(ctx context.Context, rec recorder) error {
		gone := 0
		write := func(w io.Writer) (int, error) { return printVerdicts(ctx, w, rec, span, c.Bool("csv"), &gone) }
		if out == "" {
			if _, err := write(d.stdout); err != nil {
				return err
			}
			return tooLate(gone)
		}
		n, err := writeFile(out, write)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(d.stderr, "%d verdicts in %s\n", n, c.String("out")); err != nil {
			return err
		}
		return tooLate(gone)
	})
}

// readOut returns the file to write, or "" for standard output. For a link it returns the target.
// It rejects a device or a pipe: a file would replace it.
func readOut(c *cli.Command) (string, error) {
	path := c.String("out")
	if !c.IsSet("out") {
		return "", nil
	}
	if path == "" {
		return "", egress.Invalidf("--out", "is empty: name a file, or leave it out for standard output")
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", egress.Invalidf("--out", "%s", err)
	}
	switch is, err := os.Stat(file); {
	case err != nil:
		return "", egress.Invalidf("--out", "%s", err)
	case is.IsDir():
		return "", egress.Invalidf("--out", "%s is a folder: name a file", path)
	case !is.Mode().IsRegular():
		return "", egress.Invalidf("--out", "%s is not a regular file: name one, or leave it out for standard output", path)
	}
	return file, nil
}

// tooLate says that some recordings are missing from the export.
func tooLate(gone int) error {
	if gone == 0 {
		return nil
	}
	return driftError{fmt.Sprintf("Temporal deleted %d at the end of their retention, before they were read; all others are there", gone)}
}

// printVerdicts prints each verdict as it is read, and returns their number. In gone it counts
// those that Temporal had deleted by then.
func printVerdicts(ctx context.Context, w io.Writer, rec recorder, s recordings.Span, asCSV bool, gone *int) (n int, err error) {
	buffered := bufio.NewWriter(w)
	line, flush := jsonLines(buffered), buffered.Flush
	if asCSV {
		if line, err = csvLines(buffered); err != nil {
			return 0, err
		}
	}
	for v, err := range rec.Verdicts(ctx, s) {
		if egress.ReasonOf(err) == egress.NotFound {
			*gone++
			continue
		}
		if err != nil {
			// Flush whole lines only: what is already there is correct.
			return n, errors.Join(asFlag(err), flush())
		}
		if err := line(v); err != nil {
			return n, err
		}
		n++
	}
	return n, flush()
}

func jsonLines(w io.Writer) func(egress.Verdict) error {
	return func(v egress.Verdict) error {
		return json.NewEncoder(w).Encode(v.Spelled())
	}
}

func csvLines(w io.Writer) (func(egress.Verdict) error, error) {
	lines := csv.NewWriter(w)
	write := func(cells []string) error {
		if err := lines.Write(cells); err != nil {
			return fmt.Errorf("print CSV: %w", err)
		}
		lines.Flush()
		return lines.Error()
	}
	var header []string
	for _, c := range verdictColumns() {
		header = append(header, c.name)
	}
	return func(v egress.Verdict) error {
		var cells []string
		for _, c := range verdictColumns() {
			cells = append(cells, cell(c.of(v)))
		}
		return write(cells)
	}, write(header)
}

// writeFile writes a temporary file next to path, and renames it once it is complete: readers see
// all or nothing. Only its owner can read it.
func writeFile(path string, write func(io.Writer) (int, error)) (n int, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return 0, egress.Invalidf("--out", "%s", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	n, err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(f.Name(), path)
}
