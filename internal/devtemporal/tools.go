package devtemporal

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// serverModule is Temporal's server, at the version that the devserver module requires.
const serverModule = "go.temporal.io/server"

// The programs in Temporal's images, built unmodified. Nearly all of their packages are also the
// devserver's.
var (
	temporalServer  = Binary{Folder: devserver.Folder, Name: "temporal-server", Package: serverModule + "/cmd/server", Title: "Temporal's server"}
	temporalSQLTool = Binary{Folder: devserver.Folder, Name: "temporal-sql-tool", Package: serverModule + "/cmd/tools/sql", Title: "Temporal's SQL tool"}
)

// Tools are the parts of Temporal's images that a Cluster needs.
type Tools struct {
	Server  string // the binary `temporal-server`
	SQLTool string // the binary `temporal-sql-tool`
	Schemas string // the folder of PostgreSQL's schemas
}

// FindTools returns Temporal's own programs from the user's cache folder. If they are not there, it
// builds them first, from the module in Go's cache that the development server is built from. It
// needs the source tree. progress receives a line every few seconds.
func FindTools(ctx context.Context, progress io.Writer) (Tools, error) {
	f, err := newFinder(progress)
	if err != nil {
		return Tools{}, err
	}
	var tools Tools
	if tools.Server, err = f.built(ctx, temporalServer); err != nil {
		return Tools{}, err
	}
	if tools.SQLTool, err = f.built(ctx, temporalSQLTool); err != nil {
		return Tools{}, err
	}
	source, err := findSource(f.near, devserver.Folder)
	if err != nil {
		return Tools{}, err
	}
	module, err := f.command(ctx, source, "list", "-m", "-f", "{{.Dir}}", serverModule).Output()
	if err != nil {
		return Tools{}, fmt.Errorf("find Temporal's schemas: %w", err)
	}
	tools.Schemas = filepath.Join(strings.TrimSpace(string(module)), "schema", "postgresql", "v12")
	return tools, nil
}
