package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/log"
)

// asDevserver in the environment turns this test binary into the devserver itself: the tests start
// real processes without linking 150 MB a second time.
const asDevserver = "REELKEEPER_TEST_AS_DEVSERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asDevserver) != "" {
		main()
	}
	if err := os.Setenv(asDevserver, "1"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// process is a running devserver.
type process struct {
	cmd     *exec.Cmd
	address string
	stderr  *bytes.Buffer
}

// start runs a devserver on a free port, without the UI, until it says that it serves.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	args = append([]string{"server", "start-dev", "--headless", "--port", port}, args...)
	p := &process{cmd: exec.Command(executable(t), args...), address: "127.0.0.1:" + port, stderr: &bytes.Buffer{}}
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(p.kill)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Persistence:") {
			return p
		}
	}
	t.Fatalf("devserver ended before it served: %v\n%s", p.cmd.Wait(), p.stderr)
	return nil
}

// troubles are the lines of a log but for those that a server logs where the machine gives it no time.
func troubles(log *bytes.Buffer) string {
	var said strings.Builder
	for line := range strings.Lines(log.String()) {
		lower := strings.ToLower(line)
		if !strings.Contains(lower, "deadline") && !strings.Contains(lower, "timeout") && !strings.Contains(lower, "slow") {
			said.WriteString(line)
		}
	}
	return said.String()
}

// kill is kill -9, and returns when the process is gone.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// dial connects to the server's namespace "default".
func (p *process) dial(t *testing.T) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: p.address, Logger: log.NewSdkLogger(log.NewNoopLogger())})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// runHere runs a command line in this process, for those that end by themselves.
func runHere(args ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = run(args, &out, &errOut)
	return status, out.String(), errOut.String()
}

func freePort(t *testing.T) int {
	t.Helper()
	ports, err := freePorts(1)
	must(t, err)
	return ports[0]
}

// parsed are the options of a command line that has to be right.
func parsed(t *testing.T, args ...string) *options {
	t.Helper()
	opts, err := parseArgs(args)
	must(t, err)
	return opts
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}
