package egress_test

import (
	"fmt"
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

func TestWhatEndsLikeAPlaceholderIsASecretAllTheSame(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{"{secret}": "{secret}", "hunter2}": "{redacted}", "{Hunter 2}": "{redacted}"} {
		e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":"egress_ended","egressInfo":{"egressId":"EG_1","web":{"fileOutputs":[{"s3":{"secret":%q}}]}}}`, secret))
		require.NoError(t, err)
		require.Contains(t, string(e.Raw()), fmt.Sprintf(`"secret":%q`, want))
	}
}

func TestOfAStreamsURLAllStaysButItsKey(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"rtmp://a.example/live/hunter2": "rtmp://a.example/live/{redacted}",
		"https://a.example/hunter2":     "{redacted}", // not a stream's scheme: nobody knows where its key is
		"a.example/live/hunter2":        "{redacted}",
		"ws://a.example/live":           "ws://a.example/live", // a websocket of a track egress, which has no key
		"wss://a.example/live":          "wss://a.example/live",
	} {
		e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":"egress_ended","egressInfo":{"egressId":"EG_1","web":{"streamOutputs":[{"protocol":"RTMP","urls":[%q]}]}}}`, url))
		require.NoError(t, err)
		require.Contains(t, string(e.Raw()), fmt.Sprintf(`{"protocol":"RTMP","urls":[%q]}`, want))
	}
}

func TestAURLOfAnyStreamIsACredential(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"rtmp", "rtmps", "srt", "mux", "twitch", "RTMPS"} {
		r := &livekit.WebEgressRequest{Url: scheme + "://a.example/hunter2"}
		require.ErrorContains(t, egress.RefuseCredentials(r), "web.url", scheme)
	}
	require.NoError(t, egress.RefuseCredentials(&livekit.WebEgressRequest{Url: "https://a.example/page"}))
}

func TestOnlyAStreamsPathIsMaskedInAText(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https", "ws", "wss", "socks5", "s3", "gs", "file"} {
		text := "cannot write " + scheme + "://a.example/rec/standup"
		require.Equal(t, text, egress.MaskURLs(text))
	}
	require.Equal(t, "no rtmp://a.example/live/{redacted} there", egress.MaskURLs("no rtmp://a.example/live/hunter2 there"))
}

func TestARefusalShowsNothingOfWhatItQuotes(t *testing.T) {
	t.Parallel()
	update := &livekit.UpdateStreamRequest{AddOutputUrls: []string{"a.example/live/hunter2"}}
	require.Equal(t, `"{redacted}" is no URL`, egress.MaskQuoted(`"a.example/live/hunter2" is no URL`, update))
	upload := func(secret string) *livekit.RoomCompositeEgressRequest {
		return &livekit.RoomCompositeEgressRequest{RoomName: "standup", FileOutputs: []*livekit.EncodedFileOutput{
			{Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Secret: secret}}},
		}}
	}
	require.Equal(t, "{redacted} of standup is wrong", egress.MaskQuoted("abcdef of standup is wrong", upload("abcdef")))
	require.Equal(t, "short of standup is wrong", egress.MaskQuoted("short of standup is wrong", upload("short")), "a word, more likely")
	require.Equal(t, "nothing was asked", egress.MaskQuoted("nothing was asked", nil))
}
