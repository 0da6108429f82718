package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Stop tells LiveKit to end an egress and returns it as it then is. Stopping twice
// is harmless: LiveKit answers a second stop with the egress that is ending, and
// one that has ended is looked up.
func (a *LiveKit) Stop(ctx context.Context, egressID string) (egress.Info, error) {
	m, err := a.api.Stop(ctx, egressID)
	var e *egress.Error
	if errors.As(err, &e) && e.Reason == egress.AlreadyOver {
		m, err = a.api.Get(ctx, egressID)
	}
	if err != nil {
		return egress.Info{}, toTemporal(fmt.Errorf("stop egress %s: %w", egressID, err))
	}
	info, err := egress.NewInfo(m)
	return info, toTemporal(err)
}
