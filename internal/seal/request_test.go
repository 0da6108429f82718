package seal

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const canary = "CANARY-of-a-credential"

// requests returns one request of each kind, each with a credential.
func requests() map[egress.Kind]egress.Request {
	s3 := &livekit.S3Upload{Secret: canary, Bucket: "b"}
	file := &livekit.EncodedFileOutput{Filepath: "x.mp4", Output: &livekit.EncodedFileOutput_S3{S3: s3}}
	files := []*livekit.EncodedFileOutput{file}
	return map[egress.Kind]egress.Request{
		egress.KindRoomComposite:  &livekit.RoomCompositeEgressRequest{RoomName: "r", Layout: "grid", FileOutputs: files},
		egress.KindWeb:            &livekit.WebEgressRequest{Url: "https://example.com/?token=" + canary, FileOutputs: files},
		egress.KindParticipant:    &livekit.ParticipantEgressRequest{RoomName: "r", Identity: "a", FileOutputs: files},
		egress.KindTrackComposite: &livekit.TrackCompositeEgressRequest{RoomName: "r", FileOutputs: files},
		egress.KindTrack: &livekit.TrackEgressRequest{RoomName: "r", TrackId: "TR_x", Output: &livekit.TrackEgressRequest_File{
			File: &livekit.DirectFileOutput{Filepath: "x.ogg", Output: &livekit.DirectFileOutput_S3{S3: s3}}}},
		egress.KindEgress: &livekit.StartEgressRequest{RoomName: "r", Storage: &livekit.StorageConfig{
			Provider: &livekit.StorageConfig_S3{S3: s3}}},
	}
}

// throughHistory returns an input as the worker gets it: written and read as JSON.
func throughHistory(t *testing.T, in egress.Input) egress.Input {
	t.Helper()
	b, err := json.Marshal(in)
	require.NoError(t, err)
	require.NotContains(t, string(b), canary)
	var out egress.Input
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func TestARequestOfEachKindOpensAsItWasSealed(t *testing.T) {
	t.Parallel()
	require.Len(t, requests(), len(egress.Kinds()))
	for kind, r := range requests() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			k := keysOf(t, Config{Secret: testSecret})
			in, err := k.SealRequest("req-1", r, "", "")
			require.NoError(t, err)
			require.NoError(t, in.Validate("req-1"))
			require.Equal(t, egress.Summarize(r), *in.Summary)
			require.NotContains(t, string(in.Sealed), canary)

			got, err := k.OpenRequest("req-1", throughHistory(t, in))
			require.NoError(t, err)
			require.True(t, proto.Equal(r, got))
		})
	}
}

func TestFieldsOfANewerLiveKitSurviveTheSeal(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	unknown := protowire.AppendString(protowire.AppendTag(nil, 4242, protowire.BytesType), "new")
	r := &livekit.WebEgressRequest{Url: "https://example.com"}
	r.ProtoReflect().SetUnknown(unknown)

	in, err := k.SealRequest("req-1", r, "", "")
	require.NoError(t, err)
	got, err := k.OpenRequest("req-1", in)
	require.NoError(t, err)
	require.Equal(t, unknown, []byte(got.ProtoReflect().GetUnknown()))
}

func TestASealedRequestOpensUnderItsOwnIDAndSummaryAlone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(id *string, in *egress.Input){
		"another request ID":  func(id *string, _ *egress.Input) { *id = "req-2" },
		"another room":        func(_ *string, in *egress.Input) { in.Summary.Room = "other" },
		"another kind":        func(_ *string, in *egress.Input) { in.Summary.Kind = egress.KindWeb },
		"another path":        func(_ *string, in *egress.Input) { in.Summary.Paths = []string{"y.mp4"} },
		"another layout":      func(_ *string, in *egress.Input) { in.Summary.Layout = "speaker" },
		"another storage":     func(_ *string, in *egress.Input) { in.Storage = "cold" },
		"no storage":          func(_ *string, in *egress.Input) { in.Storage = "" },
		"no summary":          func(_ *string, in *egress.Input) { in.Summary = nil },
		"no sealed request":   func(_ *string, in *egress.Input) { in.Sealed = nil },
		"a changed last byte": func(_ *string, in *egress.Input) { in.Sealed[len(in.Sealed)-1]++ },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keysOf(t, Config{Secret: testSecret})
			in, err := k.SealRequest("req-1", requests()[egress.KindRoomComposite], "main", "")
			require.NoError(t, err)
			_, err = k.OpenRequest("req-1", in)
			require.NoError(t, err)
			id := "req-1"
			change(&id, &in)
			_, err = k.OpenRequest(id, in)
			requireSealed(t, err, "sealed: ")
		})
	}
}

// Another release has fields that this one does not know, or lacks some that this one always writes,
// or has them in another order. What it sealed opens all the same, also if it was passed on.
func TestARequestOpensBesideTheSummaryOfAnotherRelease(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	plaintext, err := encode(requests()[egress.KindWeb])
	require.NoError(t, err)
	for _, summary := range []string{
		`{"kind":"web","of_tomorrow":"a"}`, `{"kind":"web","room":"","layout":"a"}`, `{"layout":"a","kind":"web"}`, `{"kind":"web","layout":"a","paths":null}`,
	} {
		blob := base64.StdEncoding.EncodeToString(k.seal(plaintext, "req-1", []byte(summary+"main")))
		history := `{"summary":` + summary + `,"sealed":"` + blob + `","storage":"main"}`
		var in egress.Input
		require.NoError(t, json.Unmarshal([]byte(history), &in))
		for _, in := range []egress.Input{in, throughHistory(t, in), throughHistory(t, in.OnlyLook())} {
			got, err := k.OpenRequest("req-1", in)
			require.NoError(t, err, summary)
			require.True(t, proto.Equal(requests()[egress.KindWeb], got))
		}
		passed, err := json.Marshal(in)
		require.NoError(t, err)
		require.Equal(t, history, string(passed))

		require.NoError(t, json.Unmarshal([]byte(strings.Replace(history, `"a"`, `"b"`, 1)), &in))
		_, err = k.OpenRequest("req-1", in)
		requireSealed(t, err, "sealed: was changed, or belongs to another request or summary")
	}
}

// What starters of earlier releases have sealed is opened as long as their recordings run, and
// longer, to announce them again.
func TestTheRequestsOfRecordedHistoriesOpen(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: "e2e-secret-e2e-secret-e2e-secret-32"}) // as in e2e
	files, err := filepath.Glob("../../workflows/testdata/histories/*/*.json")
	require.NoError(t, err)
	opened := 0
	for _, file := range files {
		workflowID, in := inputOf(t, file)
		if len(in.Sealed) == 0 {
			continue
		}
		id, ok := egress.RequestID(workflowID)
		if !ok {
			id, ok = egress.RedeliveryOf(workflowID)
		}
		require.True(t, ok, workflowID)
		_, err := k.OpenRequest(id, in)
		require.NoError(t, err, file)
		opened++
	}
	require.NotZero(t, opened)
}

// inputOf returns the ID of the workflow that wrote a history, and its input, zero if it has none.
func inputOf(t *testing.T, file string) (workflowID string, in egress.Input) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var history struct {
		Events []struct {
			Began struct {
				WorkflowID   string
				WorkflowType struct{ Name string }
				Input        struct{ Payloads []struct{ Data []byte } }
			} `json:"workflowExecutionStartedEventAttributes"`
		}
	}
	require.NoError(t, json.Unmarshal(b, &history))
	began := history.Events[0].Began
	data := json.RawMessage("{}")
	switch began.WorkflowType.Name {
	case egress.WorkflowType:
		data = began.Input.Payloads[0].Data
	case egress.RedeliveryType:
		var redelivery egress.Redelivery
		require.NoError(t, json.Unmarshal(began.Input.Payloads[0].Data, &redelivery))
		data = redelivery.Input
	}
	require.NoError(t, json.Unmarshal(data, &in))
	return began.WorkflowID, in
}

func TestTheKindInsideMustBeTheSummarys(t *testing.T) {
	t.Parallel()
	web, err := encode(&livekit.WebEgressRequest{})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		bytes []byte
		kind  egress.Kind
		want  string
	}{
		"another kind":    {web, egress.KindTrack, "holds another kind of request"},
		"an unknown kind": {appendField(nil, []byte("replay")), "replay", "does not know: replay"},
		"no proto":        {append(appendField(nil, []byte("web")), 0xff), egress.KindWeb, "does not hold a request of kind web"},
		"nothing":         {nil, egress.KindWeb, "holds another kind"},
		"a length alone":  {[]byte{0, 0, 0, 9, 'w'}, egress.KindWeb, "holds another kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(tc.bytes, tc.kind)
			requireSealed(t, err, tc.want)
		})
	}
}

func TestARequestInTheClearIsClonedNotShared(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	plain := &livekit.WebEgressRequest{Url: "https://example.com"}
	got, err := k.OpenRequest("req-1", egress.Input{Plain: plain})
	require.NoError(t, err)
	require.True(t, proto.Equal(plain, got))
	got.(*livekit.WebEgressRequest).Url = "changed"
	require.Equal(t, "https://example.com", plain.GetUrl())
}

func TestWhatIsNoRequestIsNotSealed(t *testing.T) {
	t.Parallel()
	_, err := keysOf(t, Config{Secret: testSecret}).SealRequest("req-1", nil, "", "")
	require.EqualError(t, err, "request: is not of a kind that can be requested")
}

func TestEqualRequestsHaveEqualFingerprintsAndNoOthersDo(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	seen := map[string]egress.Kind{}
	for kind, r := range requests() {
		one, err := k.SealRequest("req-1", r, "", "")
		require.NoError(t, err)
		two, err := k.SealRequest("req-2", proto.Clone(r).(egress.Request), "", "")
		require.NoError(t, err)
		require.Equal(t, one.Fingerprint, two.Fingerprint)
		require.NotContains(t, seen, one.Fingerprint, "%s and %s", kind, seen[one.Fingerprint])
		seen[one.Fingerprint] = kind
		for _, to := range [][2]string{{"main", ""}, {"cold", ""}, {"", "main"}, {"", "cold"}, {"main", "cold"}, {"cold", "main"}} {
			in, err := k.SealRequest("req-1", r, to[0], to[1])
			require.NoError(t, err)
			require.Equal(t, to, [2]string{in.Storage, in.Pipeline})
			require.NotContains(t, seen, in.Fingerprint, "%s to %s", kind, to)
			seen[in.Fingerprint] = kind
		}
	}
	changed := proto.CloneOf(requests()[egress.KindRoomComposite].(*livekit.RoomCompositeEgressRequest))
	changed.FileOutputs[0].GetS3().Secret = "another"
	in, err := k.SealRequest("req-1", changed, "", "")
	require.NoError(t, err)
	require.NotContains(t, seen, in.Fingerprint)
}

// Two empty requests have the same bytes: only their kind distinguishes them.
func TestTheKindIsPartOfTheFingerprint(t *testing.T) {
	t.Parallel()
	k := keysOf(t, Config{Secret: testSecret})
	seen := map[string]bool{}
	for _, kind := range egress.Kinds() {
		in, err := k.SealRequest("req-1", egress.NewRequest(kind), "", "")
		require.NoError(t, err)
		seen[in.Fingerprint] = true
	}
	require.Len(t, seen, len(egress.Kinds()))
}
