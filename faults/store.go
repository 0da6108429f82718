package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/reelkeeper/reelkeeper/internal/fakes3"
)

// bucket is the one of all recordings.
const bucket = "recordings"

// storeConfig configures the object store of all recordings, passed in the environment of its own
// process: S3's protocol over the folder into which LiveKit puts media. It is also the proxy that
// the requests name.
type storeConfig struct {
	Addr  string
	Media string
	Seed  uint64
	Lives int
}

// serve runs the store until the context ends.
func (c storeConfig) serve(ctx context.Context) error {
	keys := map[string]string{}
	for n := 1; n <= c.Lives; n++ {
		u := plan{n: n, canary: canaryOf(c.Seed)}.s3()
		keys[u.GetAccessKey()] = u.GetSecret()
	}
	store, err := fakes3.NewOver(c.Media, keys, bucket)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: c.Addr, Handler: store, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // ends what follows
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
