package egress

import (
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
)

func TestAURLKeepsWhatALookerOnNeedsAndNothingElse(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]string{
		"https://example.com/hook":                 "https://example.com/hook",
		"https://example.com":                      "https://example.com",
		"https://user:pass@example.com:8443/x":     "https://{redacted}@example.com:8443/x",
		"https://user@example.com/x":               "https://{redacted}@example.com/x",
		"https://example.com/?b=2&a=1":             "https://example.com/?a={redacted}&b={redacted}",
		"https://example.com/?a=1&a=2":             "https://example.com/?a={redacted}",
		"https://example.com/?s3cr3t":              "https://example.com/?{redacted}",
		"https://example.com/?s3cr3t&other&a=1":    "https://example.com/?a={redacted}&{redacted}",
		"https://example.com/?a%26b=1":             "https://example.com/?a%26b={redacted}",
		"https://example.com/x#s3cr3t":             "https://example.com/x",
		"rtmp://live.example.com/app/key":          "rtmp://live.example.com/app/{redacted}",
		"rtmp://live.example.com/app/key/":         "rtmp://live.example.com/app/{redacted}",
		"RTMPS://live.example.com/app/key":         "rtmps://live.example.com/app/{redacted}",
		"srt://live.example.com:9000?passphrase=x": "srt://{redacted}",
		"mux://key":                 "mux://{redacted}",
		"twitch://key":              "twitch://{redacted}",
		"example.com/x?token=1":     "example.com/x?token={redacted}",
		"https://bad host/?token=1": "{redacted}",
		"%zz":                       "{redacted}",
		"wss://example.com/audio?auth=1&room=daily": "wss://example.com/audio?auth={redacted}&room={redacted}",
		"mailto:someone":                      "mailto://{redacted}",
		"rtpm://live.example.com/app/key":     "rtpm://live.example.com/app/{redacted}",
		"socks5://u:p@proxy.example.com:1080": "socks5://{redacted}@proxy.example.com:1080",
	} {
		require.Equal(t, want, maskURL(v), v)
		require.Equal(t, want, maskURL(want), "masked twice: %s", v)
	}
}

func TestAURLThatHoldsACredentialIsOne(t *testing.T) {
	t.Parallel()
	f := field{owner: infoMessage, name: "customBaseUrl", desc: infoMessage.Fields().ByName("error")}
	for v, want := range map[string]bool{
		"":                                        false,
		"https://example.com/x?layout=grid":       false,
		"https://example.com/x?keynote=1":         true, // a name with "key" in it: better to refuse once too often
		"https://example.com/x?access_token=":     true,
		"https://example.com/x?X-Amz-Signature=1": true,
		"https://example.com/x?Password=1":        true,
		"https://example.com/x?client_secret":     true,
		"https://example.com/x?a;token=1":         true,
		"https://u@example.com/x":                 true,
		"rtmp://example.com/app/key":              true,
		"srt://example.com":                       true,
		"socks5h://example.com":                   false,
		"https://bad host/":                       true,
	} {
		require.Equal(t, want, f.isCredential(v), v)
	}
	stream := field{owner: (&livekit.StreamOutput{}).ProtoReflect().Descriptor(), name: "urls", desc: infoMessage.Fields().ByName("error")}
	for v, want := range map[string]bool{
		"live.example.com/app/key": true, "https://live.example.com/app/key": true, "rtpm://live.example.com/app/key": true,
		"": false, "wss://example.com/audio": false,
	} {
		require.Equal(t, want, stream.isCredential(v), v)
	}
}

func TestWhatATextQuotesOfARequestIsMasked(t *testing.T) {
	t.Parallel()
	r := &livekit.RoomCompositeEgressRequest{
		RoomName:      "a",
		StreamOutputs: []*livekit.StreamOutput{{Urls: []string{"live.example.com/app/k3y", "rtmp:/live.example.com/app/k3y", "rtmp://live.example.com/it's k3y", "https://live.example.com/app/k3y", "live.example.com/app/k3y?next=https://x", "WSSS://h/k3y", "live.example.com/top-s3cr3t-k3y", ""}}},
		FileOutputs:   []*livekit.EncodedFileOutput{{Filepath: "a.mp4", Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Secret: "s3cr3t-k3y", SessionToken: "s3cr3t", AccessKey: "short"}}}},
	}
	for _, u := range r.StreamOutputs[0].Urls {
		require.NotContains(t, MaskQuoted("invalid url "+u+": invalid scheme", r), "k3y")
	}
	require.Equal(t, "no {redacted} in a.mp4 at short notice, see https://x.example.com/?a={redacted}",
		MaskQuoted("no s3cr3t-k3y in a.mp4 at short notice, see https://x.example.com/?a=1", r))
}

func TestTheURLsInATextAreMasked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no outputs":                             "no outputs",
		"https://a.example/x?c2VjcmV0MQ== and ?": "https://a.example/x?{redacted} and ?",
		"invalid url rtmps://a.example/key: rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)": "invalid url rtmps://a.example/{redacted} rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)",
		`parse "rtmp://a.example:x/app/key": invalid port, and https://a.example/x?token=1`:                                    `parse "{redacted}": invalid port, and https://a.example/x?token={redacted}`,
	} {
		require.Equal(t, want, MaskURLs(text))
		require.Equal(t, want, MaskURLs(want), "masked twice")
	}
}
