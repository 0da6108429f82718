package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Stores probes a destination: it writes a small object there and deletes it. Its error has the
// field at fault, and no credential.
type Stores interface {
	Probe(ctx context.Context, d egress.Destination, name string) (egress.Probed, error)
}

// storage probes all profiles concurrently.
func (d *Doctor) storage(ctx context.Context) Finding {
	names := d.cfg.Profiles.Names()
	if len(names) == 0 && d.cfg.Problem != nil {
		return d.notChecked("REELKEEPER_STORAGE")
	}
	if len(names) == 0 {
		return ok("no storage profiles: each request says where it goes (REELKEEPER_STORAGE)")
	}
	found := make([]Finding, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { found[i] = d.profile(ctx, name) })
	}
	all.Wait()
	var texts, fixes []string
	for _, f := range found {
		texts = append(texts, f.Found)
		if f.Fix != "" && !slices.Contains(fixes, f.Fix) {
			fixes = append(fixes, f.Fix)
		}
	}
	return Finding{Status: Worst(found), Found: strings.Join(texts, "; "), Fix: strings.Join(fixes, "; ")}
}

func (d *Doctor) profile(ctx context.Context, name string) Finding {
	probed, err := d.cfg.Stores.Probe(ctx, d.cfg.Profiles.Destination(name), strings.ToLower(rand.Text()))
	switch probed {
	case egress.ProbeGood:
		return ok(name + " can be written to")
	case egress.ProbeUnchecked:
		return ok(name + " is not tried: it uses LiveKit's own credentials, or a store that we cannot access")
	case egress.ProbeRefused:
		return failed(err.Error(), "correct the field in the file of REELKEEPER_STORAGE: no recording that goes there is kept")
	case egress.ProbeUndeleted:
		return warn(err.Error(), "let the key delete .reelkeeper-probe-* and its versions, or set REELKEEPER_PREFLIGHT to off")
	default:
		return warn(fmt.Sprint(err), "see whether the store can be reached from here; REELKEEPER_ALLOW_HOSTS opens private addresses")
	}
}
