package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mutant is one file with one change.
type mutant struct {
	file   string
	line   int
	in     string // the function, or the first variable of a declaration
	before string // the original text
	after  string // the new text, empty if removed
	nth    int    // number among those of its function with the same text, from 1

	edit edit
	body *body // of the function, nil outside of one
}

// edit replaces a part of a file.
type edit struct {
	from, to int
	with     string
}

func (e edit) apply(source []byte) []byte {
	return slices.Concat(source[:e.from], []byte(e.with), source[e.to:])
}

// body is the position of a function's body in its file, without braces.
type body struct {
	from, to int
	results  string // its results as written in the source, empty if there are none
}

// String names a mutant by its text, which survives a change of line numbers.
func (m mutant) String() string {
	after := "removed"
	if m.after != "" {
		after = "`" + oneLine(m.after) + "`"
	}
	name := fmt.Sprintf("`%s` `%s`: `%s` → %s", filepath.Base(m.file), m.in, oneLine(m.before), after)
	if m.nth > 1 {
		name += fmt.Sprintf(" (%d)", m.nth)
	}
	return name
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// mutator finds the changes of one file.
type mutator struct {
	name   string
	source []byte
	files  *token.FileSet
	in     string
	body   *body
	all    []mutant
}

func mutantsOf(name string, source []byte) ([]mutant, error) {
	m := &mutator{name: name, source: source, files: token.NewFileSet()}
	file, err := parser.ParseFile(m.files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range file.Decls {
		m.in, m.body = "", nil
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			m.in, m.body = f.Name.Name, &body{from: m.offset(f.Body.Lbrace) + 1, to: m.offset(f.Body.Rbrace)}
			if f.Type.Results != nil {
				m.body.results = m.text(f.Type.Results)
			}
		}
		ast.Inspect(decl, m.visit)
	}
	slices.SortStableFunc(m.all, func(a, b mutant) int { return cmp.Compare(a.line, b.line) })
	seen := map[string]int{}
	for n := range m.all {
		name := m.all[n].String()
		seen[name]++
		m.all[n].nth = seen[name]
	}
	return m.all, nil
}

func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		m.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			m.replace(n, m.text(n.X))
		}
	case *ast.BasicLit:
		if i, err := strconv.Atoi(n.Value); n.Kind == token.INT && err == nil {
			m.inLine(n, strconv.Itoa(i+1))
		}
	case *ast.Ident:
		if other, ok := opposite[n.Name]; ok {
			m.inLine(n, other)
		}
	case *ast.ValueSpec:
		if m.in == "" {
			m.in = n.Names[0].Name
		}
	case *ast.IfStmt:
		m.negate(n.Cond)
	case *ast.SwitchStmt:
		m.cases(n)
	case *ast.BlockStmt:
		m.statements(n.List)
	case *ast.CaseClause:
		m.statements(n.Body)
	case *ast.CompositeLit:
		for i := range n.Elts {
			m.dropFrom(n.Elts, i, n.Rbrace)
		}
	case *ast.ImportSpec, *ast.StructType, *ast.FuncType:
		return false
	}
	return true
}

var opposite = map[string]string{"true": "false", "false": "true"}

// swapped maps operators to their replacements.
var swapped = map[token.Token][]string{
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.XOR: {"&"}, token.AND: {"|"}, token.OR: {"&"}, token.SHL: {">>"}, token.SHR: {"<<"},
}

func (m *mutator) binary(n *ast.BinaryExpr) {
	for _, op := range swapped[n.Op] {
		m.replace(n, m.between(n.Pos(), n.OpPos)+op+m.between(n.OpPos+token.Pos(len(n.Op.String())), n.End()))
	}
	if n.Op == token.LAND || n.Op == token.LOR {
		m.replace(n, m.text(n.X))
		m.replace(n, m.text(n.Y))
	}
}

// negate negates a condition that is not mutated in another way.
func (m *mutator) negate(cond ast.Expr) {
	switch cond.(type) {
	case *ast.CallExpr, *ast.Ident, *ast.SelectorExpr:
		m.replace(cond, "!"+m.text(cond))
	}
}

// cases changes the conditions of a switch without a tag, and the values of one with a tag.
func (m *mutator) cases(n *ast.SwitchStmt) {
	for _, c := range n.Body.List {
		clause := c.(*ast.CaseClause)
		for i, e := range clause.List {
			if n.Tag == nil {
				m.negate(e)
			}
			if len(clause.List) > 1 {
				m.dropFrom(clause.List, i, clause.Colon)
			}
		}
	}
}

// statements removes each statement that has an effect of its own. It keeps declarations, since
// their uses would not compile.
func (m *mutator) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.BranchStmt, *ast.ReturnStmt:
			m.replace(s, "")
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
			m.replace(s, "")
			for i := range s.Lhs {
				if len(s.Lhs) > 1 && m.text(s.Lhs[i]) != "_" {
					m.change(s, s.Lhs[i].Pos(), s.Lhs[i].End(), "_")
				}
			}
		}
	}
}

// dropFrom removes one element of a list, with the comma after it.
func (m *mutator) dropFrom(list []ast.Expr, i int, closing token.Pos) {
	from, to := list[i].Pos(), closing
	if i+1 < len(list) {
		to = list[i+1].Pos()
	} else if i > 0 {
		from = list[i-1].End()
	}
	m.add(list[i].Pos(), m.text(list[i]), "", from, to, "")
}

func (m *mutator) replace(n ast.Node, with string) {
	m.add(n.Pos(), m.text(n), with, n.Pos(), n.End(), with)
}

// change changes a part of a node, and shows the whole node.
func (m *mutator) change(n ast.Node, from, to token.Pos, with string) {
	after := m.between(n.Pos(), from) + with + m.between(to, n.End())
	m.add(n.Pos(), m.text(n), after, from, to, with)
}

// inLine changes a part that says little by itself, and shows the whole line.
func (m *mutator) inLine(n ast.Node, with string) {
	file := m.files.File(n.Pos())
	line := file.Line(n.Pos())
	from, to := file.LineStart(line), token.Pos(file.Base()+file.Size())
	if line < file.LineCount() {
		to = file.LineStart(line + 1)
	}
	before := m.between(from, to)
	after := m.between(from, n.Pos()) + with + m.between(n.End(), to)
	m.add(n.Pos(), before, after, n.Pos(), n.End(), with)
}

func (m *mutator) add(at token.Pos, before, after string, from, to token.Pos, with string) {
	m.all = append(m.all, mutant{
		file: m.name, line: m.files.Position(at).Line, in: m.in, before: before, after: after,
		edit: edit{m.offset(from), m.offset(to), with}, body: m.body,
	})
}

func (m *mutator) text(n ast.Node) string { return m.between(n.Pos(), n.End()) }

func (m *mutator) between(from, to token.Pos) string {
	return string(m.source[m.offset(from):m.offset(to)])
}

func (m *mutator) offset(p token.Pos) int { return m.files.Position(p).Offset }
