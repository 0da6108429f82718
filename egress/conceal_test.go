package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAProfilesCredentialsAreConcealedAndTheCallersOwnStay(t *testing.T) {
	t.Parallel()
	p := egress.Profiles{Named: map[string]*livekit.StorageConfig{
		"main": {Provider: &livekit.StorageConfig_S3{S3: &livekit.S3Upload{
			AccessKey: "AKIA", Secret: "hunter2", SessionToken: "session", Bucket: "b", Metadata: map[string]string{"x": "y"},
			Proxy: &livekit.ProxyConfig{Url: "https://proxy", Username: "user", Password: "pass"},
		}}},
		"far": {Provider: &livekit.StorageConfig_Gcp{Gcp: &livekit.GCPUpload{
			Credentials: "account's", Bucket: "b", Proxy: &livekit.ProxyConfig{Url: "http://user:pw@proxy:3128"},
		}}},
		"az": {Provider: &livekit.StorageConfig_Azure{Azure: &livekit.AzureBlobUpload{AccountName: "n", AccountKey: "account", ContainerName: "c"}}},
	}}
	require.ElementsMatch(t, []string{"AKIA", "hunter2", "session", "user", "pass", "account", "account's", "http://user:pw@proxy:3128"}, p.Secrets())

	filled, err := p.Fill(parse(t, egress.KindRoomComposite, `{"room_name":"hunter2","file_outputs":[{}],"segment_outputs":[{"s3":{"secret":"own"}}],"stream_outputs":[{"urls":["rtmp://x/y"]}],"webhooks":[{"url":"https://x"}]}`), "main")
	require.NoError(t, err)
	m := &livekit.EgressInfo{RoomName: "hunter2", Request: &livekit.EgressInfo_RoomComposite{RoomComposite: filled.(*livekit.RoomCompositeEgressRequest)}}
	got := p.Conceal(m)
	want := parse(t, egress.KindRoomComposite, `{"room_name":"hunter2","file_outputs":[{"s3":{"access_key":"{redacted}","secret":"{redacted}",
		"session_token":"{redacted}","bucket":"b","metadata":{"x":"y"},"proxy":{"url":"https://proxy","username":"{redacted}","password":"{redacted}"}}}],
		"segment_outputs":[{"s3":{"secret":"own"}}],"stream_outputs":[{"urls":["rtmp://x/y"]}],"webhooks":[{"url":"https://x"}]}`)
	requireSame(t, want, got.GetRoomComposite())
	require.Equal(t, "hunter2", got.GetRoomName(), "a room may have any name")
	require.Equal(t, "hunter2", m.GetRoomComposite().GetFileOutputs()[0].GetS3().GetSecret(), "what was given is not changed")

	filled, err = p.Fill(parse(t, egress.KindTrack, `{"room_name":"r","file":{}}`), "far")
	require.NoError(t, err)
	got = p.Conceal(&livekit.EgressInfo{Request: &livekit.EgressInfo_Track{Track: filled.(*livekit.TrackEgressRequest)}})
	requireSame(t, parse(t, egress.KindTrack, `{"room_name":"r","file":{"gcp":{"credentials":"{redacted}","bucket":"b","proxy":{"url":"{redacted}"}}}}`), got.GetTrack())

	require.Same(t, m, egress.Profiles{}.Conceal(m))
}
