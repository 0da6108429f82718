package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc/codes"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// Connect makes a client for one command, and a function that closes its connection. Unlike a
// server, it does not wait for Temporal and logs nothing: a failure is the command's one line of
// output. A command that only reads needs no secret, unless payloads are encrypted.
func Connect(ctx context.Context, environ map[string]string, role config.Role) (*recordings.Client, func(), error) {
	cfg, err := config.Load(environ, role)
	if err != nil {
		return nil, nil, err
	}
	opts, err := config.TemporalOptions(environ)
	if err != nil {
		return nil, nil, err
	}
	conf := recordings.Config{Namespace: opts.Namespace}
	if cfg.Seals() {
		keys, err := keysOf(cfg)
		if err != nil {
			return nil, nil, err
		}
		if conf.Codec, err = encrypt(&opts, keys, cfg.Payloads.Encrypt); err != nil {
			return nil, nil, err
		}
		conf.Sealer = keys
	} else if cfg.Payloads.Encrypt {
		return nil, nil, egress.Invalidf("LIVEKIT_API_SECRET", "is not set, and REELKEEPER_ENCRYPT_PAYLOADS needs it to read what is encrypted")
	}
	conf.AskedBy = egress.AskedBy(cfg.LiveKit.APIKey, userName(environ))
	opts.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	temporal, err := client.DialContext(ctx, opts)
	if err != nil {
		return nil, nil, unreached(ctx, environ, opts.HostPort, err)
	}
	conf.Temporal = temporal
	return recordings.New(conf), temporal.Close, nil
}

// unreached explains why Temporal could not be dialled. A server that refuses a key is up; one that
// did not answer in time may be.
func unreached(ctx context.Context, environ map[string]string, address string, err error) error {
	e, words := &egress.Error{Reason: egress.Unavailable, Field: "TEMPORAL_ADDRESS", Err: err}, recordings.Words(err)
	switch code := serviceerror.ToStatus(err).Code(); {
	case code == codes.Unauthenticated || code == codes.PermissionDenied:
		e.Reason, e.Field, e.Message = egress.Denied, "TEMPORAL_API_KEY", fmt.Sprintf("Temporal at %s denies access (%s)", address, err)
	case errors.Is(ctx.Err(), context.Canceled):
		e.Field, e.Message = "", fmt.Sprintf("interrupted before Temporal at %s answered", address)
	case ctx.Err() != nil:
		e.Field, e.Message = "--timeout", fmt.Sprintf("ran out before Temporal at %s answered", address)
	case environ["TEMPORAL_ADDRESS"] == "" && environ["TEMPORAL_PROFILE"] == "":
		e.Message = fmt.Sprintf("is not set, and Temporal does not answer at %s; `go run ./dev` starts one (%s)", address, words)
	default:
		e.Message = fmt.Sprintf("Temporal does not answer at %s (%s)", address, words)
	}
	return e
}

// userName returns who runs the command, as far as the machine knows; a container may not know its
// own user.
func userName(environ map[string]string) string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return environ["USER"]
}
