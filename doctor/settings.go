package doctor

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const seeSettings = "correct it, or remove it if it is not a setting, for the worker and the starter alike; the README has the table of settings"

func (d *Doctor) settings(context.Context) Finding {
	leastSearch := egress.Unlisted + d.cfg.DoorFor
	wholeTry := d.cfg.CallTimeout + d.cfg.SearchFor
	switch {
	case d.cfg.Problem != nil:
		return failed(d.cfg.Problem.Error(), seeSettings)
	case d.cfg.SearchFor > 0 && d.cfg.SearchFor <= leastSearch:
		return warn(fmt.Sprintf("REELKEEPER_TOKEN_SEARCH is %s, but LiveKit may not list a start for up to %s after a worker begins to search: a slow start would be made twice", d.cfg.SearchFor, leastSearch),
			"leave it unset, or set it well above that, for the worker and the starter alike")
	case d.cfg.StartFor > 0 && d.cfg.StartFor <= wholeTry:
		return warn(fmt.Sprintf("REELKEEPER_START_FOR is %s, but a call that hangs and the search for what it started take %s (REELKEEPER_START_CALL_TIMEOUT + REELKEEPER_TOKEN_SEARCH): the search would be cut short", d.cfg.StartFor, wholeTry),
			"leave all three unset, or set REELKEEPER_START_FOR well above that")
	}
	return ok("all required settings are set")
}

// keys seals a request and opens it again.
func (d *Doctor) keys(context.Context) Finding {
	if d.cfg.Sealer == nil {
		return d.notChecked("LIVEKIT_API_SECRET")
	}
	const id = "reelkeeper-doctor"
	sent := &livekit.WebEgressRequest{Url: "https://example.com/?token=x"}
	in, err := d.cfg.Sealer.SealRequest(id, sent, "", "")
	if err != nil {
		return failed("a request cannot be sealed: "+err.Error(), "set REELKEEPER_SEAL_KEY to 32 characters or more (openssl rand -hex 32)")
	}
	got, err := d.cfg.Sealer.OpenRequest(id, in)
	if err != nil || !proto.Equal(sent, got) {
		return failed("what was sealed cannot be opened", "give the worker and the starter the same REELKEEPER_SEAL_KEY and LIVEKIT_API_SECRET")
	}
	if !d.cfg.SealKeySet {
		return ok("requests are sealed with a key derived from LIVEKIT_API_SECRET; with a REELKEEPER_SEAL_KEY, that secret could be rotated by itself")
	}
	return ok("requests are sealed with REELKEEPER_SEAL_KEY")
}
