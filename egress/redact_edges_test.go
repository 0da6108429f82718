package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAPathThatWouldBeNoURLIsNoCredential(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"calls/100%.mp4", "rtmp://calls/a.mp4", "a://user:word@b.mp4"} {
		require.NoError(t, egress.RefuseCredentials(&livekit.RoomCompositeEgressRequest{
			RoomName: "daily", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: path}},
		}), path)
	}
}

func TestTheFirstOfTwoCredentialsIsNamed(t *testing.T) {
	t.Parallel()
	err := egress.RefuseCredentials(&livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{
		{Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{AccessKey: "a", Secret: "b"}}},
	}})
	require.ErrorContains(t, err, "access_key")
}

func TestAWebhookThatIsNoneIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	_, err := egress.ParseEvent([]byte(`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","web":{"webhooks":["https://a.example"]}}}`))
	require.Error(t, err)
}

func TestTheCallersWebhooksAreShownHoweverTheRequestIsSpelled(t *testing.T) {
	t.Parallel()
	hooks := []*livekit.WebhookConfig{{Url: "https://a.example/hook"}}
	for _, body := range []string{
		`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","roomComposite":{"roomName":"daily"}}}`,
		`{"event":"egress_ended","egress_info":{"egress_id":"EG_1","room_composite":{"room_name":"daily"}}}`,
	} {
		e, err := egress.ParseEvent([]byte(body))
		require.NoError(t, err)
		shown, err := e.WithWebhooks(hooks)
		require.NoError(t, err)
		got := egress.Webhooks(shown.Proto().GetEgressInfo())
		require.Len(t, got, 1, body)
		require.Equal(t, "https://a.example/hook", got[0].GetUrl())
	}
}

func TestAWebhookThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	e, err := egress.ParseEvent([]byte(`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","web":{}}}`))
	require.NoError(t, err)
	_, err = e.WithWebhooks([]*livekit.WebhookConfig{{Url: "\xff"}})
	require.ErrorContains(t, err, "encode webhook")
}
