// Command mutate finds out whether the tests of a package of pure rules would notice a change: it
// changes one place at a time, runs the package's tests, and names the changes that no test
// noticed. It writes nothing into the source: changes reach the compiler as an overlay.
//
//	go run ./internal/mutate -explained docs/mutation.md ./egress
//
// It ends with exit status 0 if every survivor is explained, 1 if one is not, and 2 if it could not
// do its work.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options say what to change, and which survivors are explained.
type options struct {
	dir       string         // of the package
	files     *regexp.Regexp // names of the files to change
	explained string         // text that explains survivors
	workers   int            // how many tests run at once
	list      bool           // list the changes without running anything
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	mutants, err := o.mutants()
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	if o.list {
		for _, m := range mutants {
			fmt.Fprintf(stdout, "%s:%d: %s\n", m.file, m.line, m)
		}
		return 0
	}
	fates, err := o.try(ctx, mutants, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	return min(o.report(stdout, mutants, fates), 1)
}

// report names the survivors and counts the rest. It returns how many survivors nobody has
// explained.
func (o options) report(w io.Writer, mutants []mutant, fates []fate) (unexplained int) {
	tally := map[fate]int{}
	for n, m := range mutants {
		tally[fates[n]]++
		if fates[n] != survived {
			continue
		}
		word := "explained"
		if !strings.Contains(o.explained, "- "+m.String()+": ") {
			word = "SURVIVED"
			unexplained++
		}
		fmt.Fprintf(w, "%s %s:%d: %s\n", word, m.file, m.line, m)
	}
	fmt.Fprintf(w, "%d mutants: %d killed, %d survived, %d of them not explained. %d more did not compile.\n",
		tally[killed]+tally[survived], tally[killed], tally[survived], unexplained, tally[invalid])
	return unexplained
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	files := flags.String("files", `.`, "change files alone whose name matches this `REGEXP`")
	explained := flags.String("explained", "", "`FILE` that explains survivors, one in a line")
	flags.IntVar(&o.workers, "workers", 2, "how many tests run at once")
	flags.BoolVar(&o.list, "list", false, "print the mutants and run nothing")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() != 1 {
		return o, fmt.Errorf("want one package's folder, got %d", flags.NArg())
	}
	o.dir = flags.Arg(0)
	o.workers = max(o.workers, 1)
	var err error
	if o.files, err = regexp.Compile(*files); err != nil {
		return o, fmt.Errorf("-files: %w", err)
	}
	if *explained != "" {
		text, err := os.ReadFile(*explained)
		if err != nil {
			return o, fmt.Errorf("-explained: %w", err)
		}
		o.explained = string(text)
	}
	return o, nil
}

// mutants returns those of all requested files, in source order.
func (o options) mutants() ([]mutant, error) {
	names, err := filepath.Glob(filepath.Join(o.dir, "*.go"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []mutant
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || !o.files.MatchString(filepath.Base(name)) {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		of, err := mutantsOf(name, source)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is nothing to change", o.dir)
	}
	return all, nil
}
