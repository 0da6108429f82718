// Command livekit plays what a real livekit-server needs around it in a test, one process for each role:
//
//	livekit redis                  keeps and passes on what livekit-server and its workers store and say
//	livekit worker -redis HOST:PORT -url WS
//	                               records as an egress worker: little, and as it is told to
//	livekit people -url WS         lets people join rooms with a microphone and a camera, and leave them
//	livekit server -- FILE ARG...  runs livekit-server, and takes it along when it ends
//
// Each writes the address that it serves on, or the process ID of livekit-server, as its first line to standard output, and
// ends when its standard input does, so that none outlives the test that started it. It must never serve but on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
)

// account is how a role logs in to livekit-server.
type account struct{ url, key, secret string }

func main() {
	lksdk.SetLogger(logger.GetDiscardLogger())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := play(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "livekit:", err)
		os.Exit(1)
	}
}

func play(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("which role? redis, worker, people or server")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	var a account
	flags.StringVar(&a.url, "url", "", "livekit-server, as ws://HOST:PORT")
	flags.StringVar(&a.key, "key", "", "API key")
	flags.StringVar(&a.secret, "secret", "", "API secret")
	redisAddr := flags.String("redis", "", "HOST:PORT of redis")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "redis":
		return serveRedis(ctx)
	case "worker":
		w, err := newWorker(a, *redisAddr)
		if err != nil {
			return err
		}
		return serve(ctx, w.control())
	case "people":
		return serve(ctx, newPeople(a).control())
	case "server":
		return runServer(ctx, flags.Args())
	}
	return fmt.Errorf("there is no role %q", args[0])
}

// serveRedis also advances time: keys in redis expire by its clock.
func serveRedis(ctx context.Context) error {
	r := miniredis.NewMiniRedis()
	if err := r.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("serve redis: %w", err)
	}
	defer r.Close()
	fmt.Println(r.Addr())
	const step = time.Second
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.FastForward(step)
		}
	}
}

// runServer ends with the server, or ends it.
func runServer(ctx context.Context, command []string) error {
	if len(command) == 0 {
		return errors.New("which file is livekit-server?")
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Println(cmd.Process.Pid)
	if err := cmd.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// serve serves the requests that steer a role.
func serve(ctx context.Context, h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	fmt.Println(l.Addr())
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}
