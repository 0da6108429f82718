package devtemporal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPostgres reports that there is no PostgreSQL to run.
var ErrNoPostgres = errors.New("no PostgreSQL: in Debian, the package postgresql has its programs")

// debianPrograms is where Debian keeps them, off the PATH, several versions side by side.
const debianPrograms = "/usr/lib/postgresql/*/bin"

// PostgresPrograms returns the folder of PostgreSQL's programs: that of the initdb on the PATH, else
// the newest of Debian's. It returns ErrNoPostgres if there is none.
func PostgresPrograms() (string, error) {
	return postgresPrograms(exec.LookPath, debianPrograms)
}

func postgresPrograms(lookPath func(string) (string, error), pattern string) (string, error) {
	var folders []string
	if initdb, err := lookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			folders = append(folders, filepath.Dir(initdb))
		}
	}
	more, err := filepath.Glob(pattern)
	if err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	slices.SortFunc(more, func(a, b string) int { return majorOf(b) - majorOf(a) })
	for _, folder := range append(folders, more...) {
		whole := true
		for _, program := range []string{"initdb", "postgres", "pg_isready", "psql"} {
			whole = whole && exists(filepath.Join(folder, program))
		}
		if whole {
			return folder, nil
		}
	}
	return "", ErrNoPostgres
}

// majorOf returns the version in a folder such as /usr/lib/postgresql/15/bin, or 0.
func majorOf(folder string) int {
	major, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return major
}

// Postgres is a PostgreSQL server in its own folder, on loopback, with default durability: what it
// has acknowledged is on disk. It can be killed and restarted.
type Postgres struct {
	// Port is its port on 127.0.0.1. It stays the same across restarts.
	Port int
	// User is its superuser.
	User string
	// PasswordFile holds the user's password.
	PasswordFile string

	password string
	programs string
	dir      string
	owner    *owner
	log      io.Writer
	running  *child
}

// newPostgres makes a database cluster in a new temporary folder, without starting its server.
// PostgreSQL refuses to run as root, so for root the cluster belongs to another user.
func newPostgres(ctx context.Context, port int, user string, log io.Writer) (*Postgres, error) {
	programs, err := PostgresPrograms()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "reelkeeper-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make PostgreSQL's folder: %w", err)
	}
	p := &Postgres{
		Port: port, User: user, PasswordFile: filepath.Join(dir, "password"),
		password: rand.Text(), programs: programs, dir: dir, log: log,
	}
	if err := p.initialize(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func (p *Postgres) initialize(ctx context.Context) error {
	err := os.WriteFile(p.PasswordFile, []byte(p.password+"\n"), 0o600)
	if err != nil {
		return fmt.Errorf("write PostgreSQL's password: %w", err)
	}
	if p.owner, err = unprivileged("postgres", "nobody"); err != nil {
		return fmt.Errorf("run PostgreSQL: %w", err)
	}
	if err := p.owner.give(p.dir, p.PasswordFile); err != nil {
		return fmt.Errorf("hand PostgreSQL its folder: %w", err)
	}
	initdb := p.program(ctx, "initdb", "--pgdata", p.data(), "--username", p.User, "--pwfile", p.PasswordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync") // Skips the sync of the new files only.
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// program returns a command that runs one of PostgreSQL's programs as the owner. A client's server is
// this one.
func (p *Postgres) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(p.programs, name), args...)
	command.Dir = p.dir
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C",
		"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(p.Port), "PGPASSWORD=" + p.password,
	}
	p.owner.lend(command)
	return command
}

// Start starts the server and waits until it accepts connections. After a Kill it retries for as
// long as the last processes of the previous server hold its memory.
func (p *Postgres) Start(ctx context.Context) error {
	return poll(ctx, func() error {
		command := p.program(context.WithoutCancel(ctx), "postgres", "-D", p.data(), "-h", "127.0.0.1",
			"-p", strconv.Itoa(p.Port), "-c", "unix_socket_directories=")
		p.running = newChild("PostgreSQL", command, p.log)
		p.owner.lend(command) // newChild sets attributes of its own.
		if err := p.running.spawn(); err != nil {
			return fmt.Errorf("start PostgreSQL: %w", err)
		}
		return p.running.awaitUp(ctx, func(ctx context.Context) error {
			return poll(ctx, func() error {
				return p.program(ctx, "pg_isready", "--quiet").Run()
			})
		})
	})
}

// Kill ends the server as `kill -9` does: nothing is flushed, and the next Start recovers from the
// write-ahead log.
func (p *Postgres) Kill() { p.running.Kill() }

// Query returns the result of SQL on a database: one line per row, with | between the columns.
func (p *Postgres) Query(ctx context.Context, database, sql string) (string, error) {
	out, err := p.program(ctx, "psql", "--username", p.User, "--dbname", database,
		"--no-psqlrc", "--no-align", "--tuples-only", "--command", sql).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// remove ends the server and deletes its folder.
func (p *Postgres) remove() error {
	if p.running != nil {
		p.running.Kill()
	}
	return os.RemoveAll(p.dir)
}
