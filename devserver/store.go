package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema/sqlite"
)

// driverName is what Temporal's SQLite plugin registers with database/sql.
const driverName = "sqlite"

// sqliteBusy is SQLite's result code for a file that another process has locked.
const sqliteBusy = 5

// filePragmas are for a database that survives kill -9 at little cost: with a write-ahead log,
// synchronous=normal loses no acknowledged write when a process dies (a power cut may take the last
// ones). The exclusive lock keeps a second server away from the file, which would ruin it; the
// kernel lifts the lock with the process.
var filePragmas = map[string]string{
	"journal_mode": "wal",
	"synchronous":  "normal",
	"locking_mode": "exclusive",
}

// openStore returns the store that the options name, with its schema, namespaces and search
// attributes in place.
func openStore(ctx context.Context, opts *options) (*config.SQL, error) {
	store := storeConfig(opts)
	if opts.dbFilename == "" {
		return store, ensureNamespaces(ctx, store, opts)
	}
	if err := ensureSchema(ctx, opts.dbFilename); err != nil {
		return nil, fileError(opts.dbFilename, err)
	}
	if err := ensureNamespaces(ctx, store, opts); err != nil {
		return nil, fileError(opts.dbFilename, err)
	}
	return store, nil
}

// storeConfig tells Temporal's SQLite plugin which database to open. The plugin keeps to one
// connection when not told otherwise, which is what SQLite does best.
func storeConfig(opts *options) *config.SQL {
	store := &config.SQL{PluginName: sqliteplugin.PluginName}
	if opts.dbFilename == "" {
		store.DatabaseName = "memory"
		store.ConnectAttributes = map[string]string{"mode": "memory", "cache": "shared"}
	} else {
		store.DatabaseName = escapePath(opts.dbFilename)
		store.ConnectAttributes = map[string]string{"mode": "rwc"}
		maps.Copy(store.ConnectAttributes, filePragmas)
	}
	maps.Copy(store.ConnectAttributes, opts.sqlitePragmas)
	return store
}

// escapePath protects the characters that end a path in SQLite's file URIs.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// fileError names the file, which is what the user can do something about.
func fileError(file string, err error) error {
	if absolute, absErr := filepath.Abs(file); absErr == nil {
		file = absolute
	}
	var coded interface{ Code() int }
	if errors.As(err, &coded) && coded.Code()&0xff == sqliteBusy {
		return fmt.Errorf("database file %s is in use by another process", file)
	}
	return fmt.Errorf("database file %s: %w", file, err)
}

// ensureSchema makes the schema in a new file and refuses a file whose schema is not this server's:
// Temporal has no migrations for SQLite, and its queries would fail one by one later on.
func ensureSchema(ctx context.Context, file string) error {
	// The busy timeout gives a server that was just killed the time to let go of the file.
	db, err := sql.Open(driverName, "file:"+escapePath(file)+"?mode=rwc&_pragma=busy_timeout%3d2000")
	if err != nil {
		return err
	}
	defer db.Close()
	have, err := columns(ctx, db)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		return createSchema(ctx, db)
	}
	want, err := expectedColumns(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(have, want) {
		return fmt.Errorf("not made by Temporal server %s (%s): name another file with --db-filename",
			headers.ServerVersion, firstDifference(have, want))
	}
	return nil
}

// columns lists every column of every table, sorted: a schema's fingerprint that does not depend on
// how its statements were written.
func columns(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT t.name || '.' || c.name || ' ' || c.type
		FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return nil, err
		}
		all = append(all, column)
	}
	return all, rows.Err()
}

func expectedColumns(ctx context.Context) ([]string, error) {
	db, err := sql.Open(driverName, ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // Each connection to :memory: is a database of its own.
	if err := createSchema(ctx, db); err != nil {
		return nil, err
	}
	return columns(ctx, db)
}

func firstDifference(have, want []string) string {
	for _, column := range want {
		if !slices.Contains(have, column) {
			return "it has no column " + column
		}
	}
	for _, column := range have {
		if !slices.Contains(want, column) {
			return "it has an unknown column " + column
		}
	}
	return "its tables differ"
}

// createSchema runs the server's schema in one transaction: a file has all of it or none.
func createSchema(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // Does nothing after the commit.
	if err := sqlite.SetupSchemaOnDB(schemaTx{exec: func(statement string, args ...any) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	}}); err != nil {
		return fmt.Errorf("create schema: %w", err)
	}
	return tx.Commit()
}

// schemaTx is the one method of an AdminDB that the schema's set-up calls.
type schemaTx struct {
	sqlplugin.AdminDB
	exec func(statement string, args ...any) error
}

// Exec runs one statement within the transaction.
func (s schemaTx) Exec(statement string, args ...any) error {
	return s.exec(statement, args...)
}
