package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/internal/telemetry"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// answerLimit is how long Temporal may take to describe our namespace.
const answerLimit = 10 * time.Second

// connection holds how a process reaches Temporal.
type connection struct {
	temporal   client.Client
	working    client.Options // for the client that a worker polls with
	namespace  string
	payloads   converter.PayloadCodec
	recordings *recordings.Client
}

// connectionFor prepares a connection without dialling.
func connectionFor(cfg config.Config, o Options, keys *seal.Keys, tel *telemetry.Telemetry) (c connection, err error) {
	opts, err := config.TemporalOptions(o.Environ)
	if err != nil {
		return c, err
	}
	opts.Logger, opts.MetricsHandler = tel.TemporalLogger(), tel.TemporalMetrics()
	c.working, c.namespace = opts, opts.Namespace
	if c.payloads, err = encrypt(&opts, keys, cfg.Payloads.Encrypt); err != nil {
		return c, err
	}
	wrap(&c.working, codec.Blocking(c.payloads), cfg.Payloads.Encrypt)
	if c.temporal, err = client.NewLazyClient(opts); err != nil {
		return c, fmt.Errorf("Temporal client: %w", err)
	}
	o.Recordings.Temporal, o.Recordings.Namespace, o.Recordings.Sealer, o.Recordings.Codec = c.temporal, c.namespace, keys, c.payloads
	c.recordings = recordings.New(o.Recordings)
	return c, nil
}

// encrypt gives a Temporal client the codec. The codec always decrypts, since encryption may have
// been on before. encrypt returns it for data that is read without the client.
func encrypt(opts *client.Options, keys *seal.Keys, on bool) (converter.PayloadCodec, error) {
	cipher, err := keys.Payloads()
	if err != nil {
		return nil, err
	}
	c := codec.New(cipher, on)
	wrap(opts, c, on)
	return c, nil
}

func wrap(opts *client.Options, c converter.PayloadCodec, on bool) {
	opts.DataConverter = converter.NewCodecDataConverter(opts.DataConverter, c)
	opts.FailureConverter = codec.Failures(opts.DataConverter, on)
}

// awaitTemporal retries until Temporal answers for our namespace, so that processes may start in
// any order. It logs each reason why it waits once. It does not ask whether Temporal is healthy,
// which Temporal Cloud tells no API key.
func (a *App) awaitTemporal(ctx context.Context) error {
	for said := egress.Reason(""); ; {
		asking, cancel := context.WithTimeout(ctx, answerLimit)
		_, err := a.recordings.Retention(asking)
		cancel()
		if err == nil || egress.ReasonOf(err) == egress.Invalid { // the next call says that there is no such namespace
			return nil
		}
		if why := egress.ReasonOf(err); why != said {
			a.log.Warn("waiting for Temporal", "error", err)
			said = why
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(time.Second):
		}
	}
}
