package e2e

import (
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// wordy returns a request with that much metadata, whose caller names a webhook, and whose media
// are looked for in a store that does not exist.
func (w *world) wordy(room string, bytes int) *livekit.RoomCompositeEgressRequest {
	u := &livekit.S3Upload{
		Bucket: "recordings", AccessKey: "key", Secret: canary, Region: "eu-west-1", ForcePathStyle: true, Endpoint: w.consumer.URL,
		Metadata: map[string]string{"word": strings.Repeat("w", bytes)},
	}
	return &livekit.RoomCompositeEgressRequest{
		RoomName: room, FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a.mp4", Output: &livekit.EncodedFileOutput_S3{S3: u}}},
		Webhooks: []*livekit.WebhookConfig{{Url: w.consumer.URL, SigningKey: apiKey}},
	}
}

func TestWhatIsTooLargeForItsWorkflowIsRefusedAndAllElseIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) { environ["REELKEEPER_VERIFY_FOR"] = "1s" })
	w.startWorker()
	for _, room := range []string{"refused", "told"} {
		w.room(room, fakelivekit.RoomScript{})
	}

	_, err := w.askStored(w.wordy("refused", 700<<10), "key", "")
	var te twirp.Error
	require.ErrorAs(t, err, &te)
	require.Equal(t, twirp.InvalidArgument, te.Code())
	require.Regexp(t, "^request: takes [0-9]+ bytes", te.Msg())
	require.Empty(t, w.fake.Egresses(), "LiveKit has not heard of it")

	_, err = w.askStored(w.wordy("told", 180<<10), "key", "")
	require.NoError(t, err, "the key is free")
	require.NoError(t, w.fake.EndCall("told"))
	v, err := w.client.Wait(w.ctx(), "key")
	require.NoError(t, err)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, []string{"announce", "webhook-1"}, v.Delivered)
}

func TestAStrayOfWhichLiveKitSaysMoreThanTemporalTakesIsAdoptedAndTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_RECONCILE_EVERY"], environ["REELKEEPER_RECONCILE_GRACE"] = "240000h", "1ms" // next in 2052
	})
	w.startWorker()
	w.room("stray", fakelivekit.RoomScript{})
	r := composite("stray").(*livekit.RoomCompositeEgressRequest)
	r.Layout = strings.Repeat("<", 1<<20) // six times as long in JSON
	stray, err := lksdk.NewEgressClient(w.fake.URL(), apiKey, apiSecret).StartRoomCompositeEgress(w.ctx(), r)
	require.NoError(t, err)
	w.becomes(stray.GetEgressId(), livekit.EgressStatus_EGRESS_ACTIVE)

	w.want("it is adopted", func() bool { return w.round(false).Adopted == 1 })
	require.NoError(t, w.fake.EndCall("stray"))
	v := w.verdictOf(stray.GetEgressId())
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromPoll, v.EndedBy, "a webhook of more than 1 MiB is not taken")
	require.Len(t, w.consumer.told(stray.GetEgressId()), 1)
	require.Less(t, len(v.Info.Raw()), 1<<16+1)
}
