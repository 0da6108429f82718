package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// chosen is the environment variable that selects a mutant by its number.
const chosen = "MUTATE_CHOSEN"

// overlay is a package with all its mutants in it, so that it is compiled once and not once for
// each. A function's mutated bodies come before its own, and the chosen one runs instead.
type overlay struct {
	dir     string            // where its files are
	replace map[string]string // original file, or one that does not exist, to file in dir
}

func newOverlay(dir string) *overlay { return &overlay{dir: dir, replace: map[string]string{}} }

// weave adds the mutants that are inside functions. Their numbers are their indexes in the list;
// omitted ones are nil.
func (o *overlay) weave(mutants []*mutant) error {
	byFile := map[string][]int{}
	for n, m := range mutants {
		if m != nil && m.body != nil {
			byFile[m.file] = append(byFile[m.file], n)
		}
	}
	for name, numbers := range byFile {
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := o.put(name, woven(source, mutants, numbers)); err != nil {
			return err
		}
	}
	for name := range byFile { // any of them gives the package name
		return o.chooser(name)
	}
	return nil
}

// chooser adds the file that reads which mutant is chosen.
func (o *overlay) chooser(beside string) error {
	file, err := parser.ParseFile(token.NewFileSet(), beside, nil, parser.PackageClauseOnly)
	if err != nil {
		return err
	}
	return o.put(filepath.Join(filepath.Dir(beside), "mutate_chosen.go"),
		fmt.Appendf(nil, "package %s\n\nimport \"os\"\n\nvar mutateChosen = os.Getenv(%q)\n", file.Name.Name, chosen))
}

// woven returns a file with the mutated bodies of its functions added.
func woven(source []byte, mutants []*mutant, numbers []int) []byte {
	before := map[int]*bytes.Buffer{} // by insertion position
	for _, n := range numbers {
		m := mutants[n]
		b := before[m.body.from]
		if b == nil {
			b = &bytes.Buffer{}
			before[m.body.from] = b
		}
		e := m.edit
		changed := edit{e.from - m.body.from, e.to - m.body.from, e.with}.apply(source[m.body.from:m.body.to])
		open, end := "func() {", "}(); return }"
		if m.body.results != "" {
			open, end = "return func() "+m.body.results+" {", "}() }"
		}
		// The compiler's errors name the mutant by the line directive.
		fmt.Fprintf(b, "\n//line %s:1\nif mutateChosen == \"%d\" { %s%s\n%s\n", nameOf(n), n, open, changed, end)
	}
	var out bytes.Buffer
	at := 0
	for _, place := range slices.Sorted(maps.Keys(before)) {
		out.Write(source[at:place])
		out.Write(before[place].Bytes())
		at = place
	}
	out.Write(source[at:])
	return out.Bytes()
}

func nameOf(mutant int) string { return fmt.Sprintf("mutant_%d.go", mutant) }

// put makes content replace a file.
func (o *overlay) put(name string, content []byte) error {
	original, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	at := filepath.Join(o.dir, filepath.Base(name))
	o.replace[original] = at
	return os.WriteFile(at, content, 0o600)
}

// flag writes the overlay's compiler flag.
func (o *overlay) flag() (string, error) {
	b, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return "", err
	}
	at := filepath.Join(o.dir, "overlay.json")
	return "-overlay=" + at, os.WriteFile(at, b, 0o600)
}
