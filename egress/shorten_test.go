package egress

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
)

// long returns an EgressInfo whose echoed request is changed to be long.
func long(change func(r *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload)) *livekit.EgressInfo {
	u := &livekit.S3Upload{Bucket: "recordings", Region: "eu-west-1"}
	r := &livekit.RoomCompositeEgressRequest{
		RoomName: "room", Webhooks: []*livekit.WebhookConfig{{Url: "https://agent.example.com/ended"}}, FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a.mp4", Output: &livekit.EncodedFileOutput_S3{S3: u}}},
	}
	change(r, u)
	return &livekit.EgressInfo{
		EgressId: "EG_long", RoomId: "RM_long", RoomName: "room", Status: livekit.EgressStatus_EGRESS_COMPLETE, StartedAt: 1, EndedAt: 2,
		Request:     &livekit.EgressInfo_RoomComposite{RoomComposite: r},
		FileResults: []*livekit.FileInfo{{Filename: "a.mp4", Size: 1 << 60, Location: "s3://recordings/a.mp4"}},
	}
}

func metadata(entries, size int) map[string]string {
	m := map[string]string{}
	for i := range entries {
		m[fmt.Sprintf("%0*d", size, i)] = strings.Repeat("v", size)
	}
	return m
}

func urls(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("rtmp://live.example.com/app/%d", i))
	}
	return list
}

func TestOfAMessageThatIsTooLongItsLongestPartIsCut(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload){
		"a layout": func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
			r.Layout = strings.Repeat("é", 1<<20)
		},
		"what JSON escapes": func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
			r.Layout = strings.Repeat("<", 1<<20)
		},
		"a page and a layout": func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
			r.Layout, r.CustomBaseUrl = strings.Repeat("l", 60<<10), "https://example.com/"+strings.Repeat("p", 60<<10)
		},
		"a word of the upload": func(_ *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload) {
			u.Tagging = strings.Repeat("t", 1<<20)
		},
		"an entry of its metadata": func(_ *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload) { u.Metadata = metadata(1, 1<<20) },
		"a name in its metadata": func(_ *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload) {
			u.Metadata = map[string]string{strings.Repeat("n", 1<<20): ""}
		},
		"many entries of its metadata":  func(_ *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload) { u.Metadata = metadata(20_000, 20) },
		"as many names as there can be": func(_ *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload) { u.Metadata = metadata(60, 20<<10) },
		"streams": func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
			r.StreamOutputs = []*livekit.StreamOutput{{Urls: urls(20_000)}}
		},
		"some large files before small ones": func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
			for i := range 6 {
				u := &livekit.S3Upload{Bucket: "recordings"}
				if i < 3 {
					u.Metadata = metadata(1, 12<<10)
				}
				r.FileOutputs = append(r.FileOutputs, &livekit.EncodedFileOutput{Filepath: "a.mp4", Output: &livekit.EncodedFileOutput_S3{S3: u}})
			}
		},
		"some large fields before small ones": func(r *livekit.RoomCompositeEgressRequest, u *livekit.S3Upload) {
			r.CustomBaseUrl, u.Metadata = "https://example.com/"+strings.Repeat("p", 25<<10), metadata(3, 4<<10)
			r.ImageOutputs = []*livekit.ImageOutput{{FilenamePrefix: strings.Repeat("i", 25<<10)}}
		},
		"files": func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
			for i := range 5_000 {
				r.FileOutputs = append(r.FileOutputs, &livekit.EncodedFileOutput{Filepath: fmt.Sprintf("%d-%s.mp4", i, strings.Repeat("f", 100))})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := long(change)
			info, err := NewInfo(sent)
			require.NoError(t, err)
			require.LessOrEqual(t, len(info.Raw()), longestMessage)
			requireKept(t, sent, info)

			body, err := protojson.Marshal(&livekit.WebhookEvent{Event: EventEnded, Id: "EV_long", EgressInfo: sent})
			require.NoError(t, err)
			e, err := ParseEvent(body)
			require.NoError(t, err)
			require.LessOrEqual(t, len(e.Raw()), longestMessage)
			require.Equal(t, "EV_long", e.Proto().GetId())
			told, err := e.Info()
			require.NoError(t, err)
			requireKept(t, sent, told)
		})
	}
}

// requireKept requires what the rules depend on.
func requireKept(t *testing.T, sent *livekit.EgressInfo, info Info) {
	t.Helper()
	m := info.Proto()
	require.Equal(t, sent.GetEgressId(), m.GetEgressId())
	require.Equal(t, sent.GetRoomName(), m.GetRoomName())
	require.Equal(t, sent.GetRoomId(), m.GetRoomId())
	require.Equal(t, sent.GetStatus(), m.GetStatus())
	require.Equal(t, sent.GetEndedAt(), m.GetEndedAt())
	require.Equal(t, sent.GetFileResults()[0].GetSize(), m.GetFileResults()[0].GetSize())
	require.Equal(t, KindRoomComposite, KindOf(mustRequest(t, m)))
	require.Equal(t, sent.GetRoomName(), m.GetRoomComposite().GetRoomName())
	require.Len(t, m.GetRoomComposite().GetWebhooks(), len(sent.GetRoomComposite().GetWebhooks()))
}

func mustRequest(t *testing.T, m *livekit.EgressInfo) Request {
	t.Helper()
	r, ok := RequestOf(m)
	require.True(t, ok)
	return r
}

func TestNoMoreThanHasToBeIsLeftOut(t *testing.T) {
	t.Parallel()
	sent := long(func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
		r.Layout = strings.Repeat("l", 1<<20)
	})
	info, err := NewInfo(sent)
	require.NoError(t, err)
	require.Greater(t, len(info.Raw()), longestMessage/4)

	sent = long(func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
		r.Layout = strings.Repeat("l", longestMessage/2)
	})
	info, err = NewInfo(sent)
	require.NoError(t, err)
	require.Equal(t, sent.GetRoomComposite().GetLayout(), info.Proto().GetRoomComposite().GetLayout())
}

func TestWhatNobodyCanShortenStaysLonger(t *testing.T) {
	t.Parallel()
	md := (&livekit.EgressInfo{}).ProtoReflect().Descriptor()
	tree := map[string]any{}
	for i := range 100_000 {
		tree[fmt.Sprint(i)] = json.Number("1")
	}
	b, err := fitting(md, tree, longestMessage)
	require.NoError(t, err)
	require.Greater(t, len(b), longestMessage)

	tree = map[string]any{"n": json.Number(strings.Repeat("1", 1<<20))}
	number, err := fitting(md, tree, longestMessage)
	require.NoError(t, err)
	require.JSONEq(t, `{"n": null}`, string(number))
}

func TestARecordingOfAsManyPartsAsThereCanBeIsNoMoreThanTemporalTakes(t *testing.T) {
	t.Parallel()
	const temporals = 2 << 20
	sent := long(func(r *livekit.RoomCompositeEgressRequest, _ *livekit.S3Upload) {
		r.Layout = strings.Repeat("l", 1<<20)
	})
	sent.Error = strings.Repeat("e", longestMessage)
	info, err := NewInfo(sent)
	require.NoError(t, err)
	// A step is given the files of all parts, and each only once.
	file := MediaFile{Kind: OutputFile, Path: strings.Repeat("p", 400), Location: strings.Repeat("l", 500), Size: 1 << 40, Want: 1 << 40, Media: MediaPresent}
	media := &MediaReport{Files: slices.Repeat([]MediaFile{file}, 6)}
	s := State{Phase: Settled, Part: 1, ID: "EG_long", Latest: info, Media: media, Outcome: Outcome{Event: info.Raw(), Status: "EGRESS_FAILED"}}
	for range MaxRecover {
		s.NextPart()
		s.Phase, s.ID, s.Latest, s.Media, s.Event, s.Status = Settled, "EG_long", info, media, info.Raw(), "EGRESS_FAILED"
	}
	require.Len(t, s.Parts, MaxRecover)
	requireKept(t, sent, s.Parts[0].Info)

	of := map[string]any{"a run's input": Input{Sealed: make([]byte, longestRequest/2), Carried: &s}, "the verdict": s.Verdict("key", Summary{})}
	of["a step's"] = s.StepInput("key", Summary{}, Step{Name: "step"})
	for what, v := range of {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		require.Less(t, len(b)+maxResults, temporals, what)
	}
}

func TestARequestThatIsTooLargeToBeCarriedIsRefused(t *testing.T) {
	t.Parallel()
	input := func(size int) Input {
		r := &livekit.RoomCompositeEgressRequest{RoomName: "room", Layout: strings.Repeat("l", size)}
		return Input{Plain: r}
	}
	require.NoError(t, input(longestRequest-1000).Validate("key"))
	var refused *Error
	require.ErrorAs(t, input(longestRequest).Validate("key"), &refused)
	require.Equal(t, Invalid, refused.Reason)
	require.Equal(t, "request", refused.Field)

	sealed := Input{Summary: &Summary{Kind: KindRoomComposite, Room: "room"}, Sealed: make([]byte, longestRequest)}
	require.ErrorAs(t, sealed.Validate("key"), &refused)
	sealed.Sealed = make([]byte, longestRequest/2)
	require.NoError(t, sealed.Validate("key"))
	sealed.Carried = &State{Outcome: Outcome{LostBecause: strings.Repeat("s", longestRequest)}}
	require.NoError(t, sealed.Validate("key"), "what a run has carried over is no part of the request")
}
