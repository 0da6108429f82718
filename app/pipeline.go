package app

import (
	"maps"
	"slices"

	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/internal/pipeline"
)

// readPipelines reads the file of pipelines, so that what is wrong with it is said
// before the worker takes anything.
func (a *App) readPipelines() error {
	var err error
	a.pipelines, err = pipeline.Load(a.cfg.Pipeline, slices.Sorted(maps.Keys(a.cfg.LiveKit.AllKeys())))
	return err
}

// clear writes what nobody has to decrypt, for steps of the user's own that say so, and
// reads what somebody has encrypted all the same.
func (a *App) clear() (converter.DataConverter, error) {
	cipher, err := a.keys.Payloads()
	if err != nil {
		return nil, err
	}
	return codec.Converter(payload.Converter(), codec.Blocking(codec.New(cipher, false))), nil
}
