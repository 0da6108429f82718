package app

import (
	"maps"
	"slices"

	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/catalogue"
	"github.com/reelkeeper/reelkeeper/internal/codec"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// readPipelines reads the file of pipelines, so that its mistakes are reported before the worker
// takes any task.
func (a *App) readPipelines() error {
	var err error
	a.pipelines, err = catalogue.Pipelines(a.cfg.Pipeline, a.cfg.LiveKit.KeyNames())
	if err != nil {
		return err
	}
	for _, name := range a.unclaimed() { // no error: recordings in progress may have a consumer that is no longer in the file
		a.log.Warn("REELKEEPER_WEBHOOK_SECRETS has a secret under a name that no consumer has", "name", name)
	}
	return nil
}

// unclaimed returns the names of webhook secrets that belong to no consumer in these settings.
func (a *App) unclaimed() []string {
	consumers := map[string]bool{egress.StepAnnounce: a.cfg.Announce.URL != ""}
	for _, p := range a.pipelines.Named {
		for _, c := range p.Consumers {
			consumers[c.Name] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a.cfg.Announce.Secrets)), func(name string) bool { return consumers[name] })
}

// clear returns a converter that writes unencrypted payloads, for the user's own steps that ask for
// them, and still reads encrypted ones.
func (a *App) clear() (converter.DataConverter, error) {
	cipher, err := a.keys.Payloads()
	if err != nil {
		return nil, err
	}
	return converter.NewCodecDataConverter(payload.Converter(), codec.Blocking(codec.New(cipher, false))), nil
}
