package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// startTimeout is above the 75 s for which LiveKit itself tries.
const startTimeout = 90 * time.Second

// startCommand has a subcommand for each kind, and takes any request from a file.
func (d deps) startCommand() *cli.Command {
	return &cli.Command{
		Name:      "start",
		Usage:     "start a durable recording",
		UsageText: "starter start room-composite|participant|track-composite|track|web [flags]\nstarter start --request FILE|- [flags]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "request", Usage: "start the request in `FILE` (- for standard input): {\"room_composite\": {…}}, in protojson"},
			&cli.StringFlag{Name: "id", Usage: "idempotency `KEY`: the same key twice starts one recording"},
			&cli.DurationFlag{Name: "max-duration", Usage: "stop the recording after `DURATION`", DefaultText: "none"},
			&cli.IntFlag{Name: "recover", Usage: "start the recording again up to `N` times, as its next part, when it fails, is lost or reaches LiveKit's limit while its room is live", DefaultText: "the worker's REELKEEPER_RECOVER"},
			&cli.StringFlag{Name: "storage", Usage: "storage profile `NAME` to record to (default: the worker's default profile, for outputs without a storage of their own)"},
			&cli.BoolFlag{Name: "preflight", Usage: "test the storage before the start, even if it was tested just before"},
			&cli.StringFlag{Name: "pipeline", Usage: "run the pipeline `NAME` when the recording ends (default: the default one in the worker's REELKEEPER_PIPELINE)"},
			&cli.DurationFlag{Name: "timeout", Usage: "wait at most `DURATION` for LiveKit's answer; after that the start still goes on", Value: startTimeout},
			jsonFlag("print LiveKit's EgressInfo as JSON"),
		},
		Commands: []*cli.Command{
			d.startKind(egress.KindRoomComposite, "record a room with a layout", encoded(roomComposite), outputFlags(egress.KindRoomComposite,
				roomFlag(), &cli.StringFlag{Name: "layout", Usage: "`LAYOUT` of the room: grid, speaker, single-speaker, or a template's own"},
				&cli.StringFlag{Name: "base-url", Usage: "`URL` of a layout template of your own"}, audioOnlyFlag(), videoOnlyFlag())...),
			d.startKind(egress.KindParticipant, "record a participant's audio and video", encoded(participant), outputFlags(egress.KindParticipant,
				roomFlag(), &cli.StringFlag{Name: "identity", Usage: "`IDENTITY` of the participant"},
				&cli.BoolFlag{Name: "screen-share", Usage: "record the screen share instead of camera and microphone"})...),
			d.startKind(egress.KindTrackComposite, "record an audio and a video track together", encoded(trackComposite), outputFlags(egress.KindTrackComposite,
				roomFlag(), &cli.StringFlag{Name: "audio-track", Usage: "`ID` of the audio track"}, &cli.StringFlag{Name: "video-track", Usage: "`ID` of the video track"})...),
			d.startKind(egress.KindTrack, "record one track as it is", track,
				roomFlag(), &cli.StringFlag{Name: "track", Usage: "`ID` of the track"}, fileFlag(egress.KindTrack),
				&cli.StringFlag{Name: "stream", Usage: "stream to the websocket `URL`"}),
			d.startKind(egress.KindWeb, "record a web page", encoded(webPage), outputFlags(egress.KindWeb,
				&cli.StringFlag{Name: "url", Usage: "`URL` of the page"}, audioOnlyFlag(), videoOnlyFlag())...),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return unknownCommand(c, name)
			}
			if c.String("request") == "" {
				return egress.Invalidf("--request", "is missing; give it, or name what to record: %s", strings.Join(commandNames(c), ", "))
			}
			r, err := d.readRequest(c.String("request"))
			if err != nil {
				return asGiven(c, err, "request")
			}
			return d.start(ctx, c, r)
		},
	}
}

// startKind builds the command for one kind of request.
func (d deps) startKind(k egress.Kind, usage string, build func(*cli.Command) (egress.Request, error), flags ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:  commandOf(k),
		Usage: usage,
		Flags: flags,
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.IsSet("request") {
				return egress.Invalidf("--request", "names its own kind; leave out %s", c.Name)
			}
			if err := cmp.Or(wantArgs(c), wantValues(c, texts(flags)...)); err != nil {
				return err
			}
			r, err := build(c)
			if err != nil {
				return err
			}
			return d.start(ctx, c, r)
		},
	}
}

// texts returns the names of the flags that take one text.
func texts(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		if text, ok := f.(*cli.StringFlag); ok {
			names = append(names, text.Name)
		}
	}
	return names
}

// encoded builds a request with encoded outputs. That of a track has its own, since a track is not
// encoded again.
func encoded(build func(*cli.Command, outputs) (egress.Request, error)) func(*cli.Command) (egress.Request, error) {
	return func(c *cli.Command) (egress.Request, error) {
		out, err := readOutputs(c)
		if err != nil {
			return nil, err
		}
		return build(c, out)
	}
}

// start makes the remaining checks, and starts the recording.
func (d deps) start(ctx context.Context, c *cli.Command, r egress.Request) error {
	if c.IsSet("id") {
		if err := egress.ValidateRequestID(c.String("id")); err != nil {
			return asFlag(err)
		}
	}
	if c.IsSet("max-duration") && c.Duration("max-duration") <= 0 {
		return egress.Invalidf("--max-duration", "must be positive, got %s", c.Duration("max-duration"))
	}
	opts := egress.StartOptions{
		RequestID: c.String("id"), Request: r, MaxDuration: c.Duration("max-duration"), Storage: c.String("storage"), Preflight: c.Bool("preflight"),
		Pipeline: c.String("pipeline"),
	}
	if c.IsSet("storage") {
		if err := egress.ValidateProfile(opts.Storage); err != nil {
			return asFlag(err)
		}
	}
	if c.IsSet("pipeline") && !egress.ValidName(opts.Pipeline) {
		return asFlag(egress.BadPipeline(opts.Pipeline))
	}
	if c.IsSet("recover") {
		n := c.Int("recover")
		if n < 0 || n > egress.MaxRecover {
			return egress.Invalidf("--recover", "must be 0 to %d, got %d", egress.MaxRecover, n)
		}
		opts.Recover = &n
	}
	return d.with(ctx, c, config.Client, func(ctx context.Context, rec recorder) error {
		started, err := rec.Start(ctx, opts)
		switch {
		case opts.RequestID != "" && egress.ReasonOf(err) == egress.Conflict:
			return &egress.Error{Reason: egress.Conflict, Field: "--id", Message: fmt.Sprintf(
				"another request already has the ID %q: starter show %s shows it; to record something else, give another ID", opts.RequestID, egress.ForCommand(opts.RequestID))}
		case err != nil:
			return asGiven(c, err, "storage", "pipeline")
		}
		if c.Bool("json") {
			return printJSON(d.stdout, started.Info)
		}
		return printStarted(d.stdout, started)
	})
}

// readRequest reads the request from a file, or from standard input for "-".
func (d deps) readRequest(path string) (egress.Request, error) {
	if path == "-" {
		b, err := io.ReadAll(d.stdin)
		if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		return parseRequest(b)
	}
	b, err := os.ReadFile(path)
	switch {
	case err != nil && strings.HasPrefix(strings.TrimSpace(path), "{"): // a request, which may hold credentials
		return nil, egress.Invalidf("--request", "want the path of a file, or - for standard input")
	case err != nil:
		return nil, egress.Invalidf("--request", "%s", err)
	}
	return parseRequest(b)
}

// parseRequest first reports text that is not JSON at all, in words that make sense without knowing
// a parser. It rejects webhooks that can never be called, although LiveKit and our front door accept
// them: here nobody loses a recording by it, since the one who typed the URL can correct it at once.
func parseRequest(b []byte) (egress.Request, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // as some editors write before UTF-8
	if !json.Valid(b) {
		return nil, egress.Invalidf("--request", `is not JSON; want {"room_composite": {…}} or another kind`)
	}
	r, err := egress.ParseRequestFile(b)
	if err != nil {
		return nil, err
	}
	for i, w := range r.GetWebhooks() {
		if err := checkURL(fmt.Sprintf("webhooks[%d].url", i), w.GetUrl(), "http", "https"); err != nil {
			return nil, err
		}
	}
	return r, nil
}
