package doctor_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
)

// tried returns a result by bucket.
type tried map[string]egress.Probed

func (p tried) Probe(_ context.Context, d egress.Destination, name string) (egress.Probed, error) {
	found := p[d.Upload.S3.GetBucket()]
	if len(name) < 16 || found == egress.ProbeGood || found == egress.ProbeUnchecked {
		return found, nil
	}
	return found, &egress.Error{Reason: egress.Invalid, Field: d.Field, Message: "says " + string(found)}
}

func TestEachStorageProfileIsTried(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		found     tried
		want      doctor.Status
		text, fix string
	}{
		"none":        {nil, doctor.OK, "no storage profiles: each request says where it goes (REELKEEPER_STORAGE)", ""},
		"good":        {tried{"a": egress.ProbeGood, "b": egress.ProbeUnchecked}, doctor.OK, "a can be written to; b is not tried: it uses LiveKit's own credentials, or a store that we cannot access", ""},
		"refused":     {tried{"a": egress.ProbeRefused, "b": egress.ProbeGood}, doctor.Fail, "a.s3: says refused; b can be written to", "correct the field in the file of REELKEEPER_STORAGE: no recording that goes there is kept"},
		"undeleted":   {tried{"a": egress.ProbeGood, "b": egress.ProbeUndeleted}, doctor.Warn, "a can be written to; b.s3: says undeleted", "let the key delete .reelkeeper-probe-* and its versions, or set REELKEEPER_PREFLIGHT to off"},
		"unreachable": {tried{"a": egress.ProbeUnreachable}, doctor.Warn, "a.s3: says unreachable", "see whether the store can be reached from here; REELKEEPER_ALLOW_HOSTS opens private addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := egress.Profiles{Named: map[string]*livekit.StorageConfig{}}
			for bucket := range tc.found {
				p.Named[bucket] = &livekit.StorageConfig{Provider: &livekit.StorageConfig_S3{S3: &livekit.S3Upload{Bucket: bucket}}}
			}
			got := doctor.New(doctor.Config{Profiles: p, Stores: tc.found}).Run(t.Context(), doctor.Storage)
			require.Equal(t, []doctor.Finding{{Check: doctor.Storage, Status: tc.want, Found: tc.text, Fix: tc.fix}}, got)
		})
	}
}
