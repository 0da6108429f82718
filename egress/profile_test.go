package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	lkegress "github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func profiles(def string) egress.Profiles {
	return egress.Profiles{Default: def, Named: map[string]*livekit.StorageConfig{
		"main": {Provider: &livekit.StorageConfig_S3{S3: &livekit.S3Upload{Bucket: "main", Secret: "s"}}},
		"cold": {Provider: &livekit.StorageConfig_Gcp{Gcp: &livekit.GCPUpload{Bucket: "cold"}}},
		"az":   {Provider: &livekit.StorageConfig_Azure{Azure: &livekit.AzureBlobUpload{ContainerName: "az"}}},
		"ali":  {Provider: &livekit.StorageConfig_AliOSS{AliOSS: &livekit.AliOSSUpload{Bucket: "ali"}}},
	}}
}

func parse(t *testing.T, k egress.Kind, text string) egress.Request {
	t.Helper()
	r, err := egress.ParseRequest(k, []byte(text))
	require.NoError(t, err)
	return r
}

func TestAProfileFillsTheOutputsThatHaveNoStorageAndNoOther(t *testing.T) {
	t.Parallel()
	const (
		main = `"s3":{"bucket":"main","secret":"s"}`
		own  = `"azure":{"container_name":"own"}`
	)
	for name, tc := range map[string]struct {
		kind         egress.Kind
		before, want string
	}{
		"lists of a room": {egress.KindRoomComposite,
			`{"file_outputs":[{"filepath":"a"}],"segment_outputs":[{}],"image_outputs":[{` + own + `},{` + own + `}],"stream_outputs":[{"urls":["rtmp://x/y"]}]}`,
			`{"file_outputs":[{"filepath":"a",` + main + `}],"segment_outputs":[{` + main + `}],"image_outputs":[{` + own + `},{` + own + `}],"stream_outputs":[{"urls":["rtmp://x/y"]}]}`},
		"the single file of old":      {egress.KindRoomComposite, `{"file":{}}`, `{"file":{` + main + `}}`},
		"the single segments of old":  {egress.KindWeb, `{"segments":{}}`, `{"segments":{` + main + `}}`},
		"the single one's own":        {egress.KindTrackComposite, `{"file":{` + own + `}}`, `{"file":{` + own + `}}`},
		"a participant":               {egress.KindParticipant, `{"file_outputs":[{}]}`, `{"file_outputs":[{` + main + `}]}`},
		"a web page":                  {egress.KindWeb, `{"segment_outputs":[{}]}`, `{"segment_outputs":[{` + main + `}]}`},
		"tracks":                      {egress.KindTrackComposite, `{"image_outputs":[{}]}`, `{"image_outputs":[{` + main + `}]}`},
		"a track's file":              {egress.KindTrack, `{"file":{}}`, `{"file":{` + main + `}}`},
		"a track's file with its own": {egress.KindTrack, `{"file":{` + own + `}}`, `{"file":{` + own + `}}`},
		"a track's websocket":         {egress.KindTrack, `{"websocket_url":"wss://x"}`, `{"websocket_url":"wss://x"}`},
		"the unified request": {egress.KindEgress,
			`{"outputs":[{"file":{}},{"segments":{}},{"images":{}},{"file":{},"storage":{` + own + `}},{"stream":{}},{"segments":{` + own + `}},{"images":{` + own + `}},{}]}`,
			`{"outputs":[{"file":{},"storage":{` + main + `}},{"segments":{},"storage":{` + main + `}},{"images":{},"storage":{` + main + `}},{"file":{},"storage":{` + own + `}},{"stream":{}},{"segments":{},"storage":{` + own + `}},{"images":{},"storage":{` + own + `}},{}]}`},
		"the unified request's own": {egress.KindEgress, `{"outputs":[{"file":{}}],"storage":{` + own + `}}`, `{"outputs":[{"file":{}}],"storage":{` + own + `}}`},
		"a storage inside does not go before others": {egress.KindEgress,
			`{"outputs":[{"segments":{"gcp":{}},"storage":{` + own + `}},{"images":{"aliOSS":{}}}],"storage":{` + own + `}}`,
			`{"outputs":[{"segments":{},"storage":{` + own + `}},{"images":{}}],"storage":{` + own + `}}`},
		"an empty storage is not the request's": {egress.KindEgress,
			`{"outputs":[{"images":{},"storage":{}},{"segments":{` + own + `},"storage":{}}],"storage":{"gcp":{}}}`,
			`{"outputs":[{"images":{},"storage":{` + main + `}},{"segments":{},"storage":{` + own + `}}],"storage":{"gcp":{}}}`},
		"an empty storage is none": {egress.KindEgress, `{"outputs":[{"file":{},"storage":{}}],"storage":{}}`, `{"outputs":[{"file":{},"storage":{` + main + `}}],"storage":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, tc.kind, tc.before)
			got, err := profiles("").Fill(r, "main")
			require.NoError(t, err)
			requireSame(t, parse(t, tc.kind, tc.want), got)
			requireSame(t, parse(t, tc.kind, tc.before), r)
			again, err := profiles("").Fill(got, "cold")
			require.NoError(t, err)
			requireSame(t, got, again)
		})
	}
}

// LiveKit reads no storage inside an output of StartEgress, and does not mask its keys there.
func TestAStorageInsideAnOutputIsMadeTheOutputsOwnWithoutAProfile(t *testing.T) {
	t.Parallel()
	r := parse(t, egress.KindEgress, `{"outputs":[{"segments":{"filename_prefix":"a","s3":{"bucket":"b","secret":"hunter2"}}},{"file":{}}]}`)
	got, err := profiles("").Fill(r, "")
	require.NoError(t, err)
	requireSame(t, parse(t, egress.KindEgress, `{"outputs":[{"segments":{"filename_prefix":"a"},"storage":{"s3":{"bucket":"b","secret":"hunter2"}}},{"file":{}}]}`), got)
	m, _ := got.(*livekit.StartEgressRequest)
	lkegress.RedactStartEgressRequest(m)
	require.NotContains(t, protojson.Format(m), "hunter2")
}

func requireSame(t *testing.T, want, got proto.Message) {
	t.Helper()
	require.True(t, proto.Equal(want, got), "want %s\ngot  %s", protojson.Format(want), protojson.Format(got))
}

// LiveKit masks the keys of a kind's sole output. Those of several outputs it shows to whoever may
// list, and sends to the request's webhooks.
func TestAProfileIsNotFilledInWhereLiveKitWouldShowItsKeys(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"image_outputs":[{},{}]}`, `{"file_outputs":[{},{}]}`, `{"segment_outputs":[{},{}]}`, `{"image_outputs":[{"gcp":{"bucket":"own"}},{}]}`,
	} {
		r := parse(t, egress.KindRoomComposite, body)
		_, err := profiles("main").Pick(r, "")
		requireInvalid(t, err, `storage: has the profile "main" for one of 2 outputs of a kind, whose keys LiveKit shows to anyone who may list: use StartEgress, one output of a kind, or storages of the request's own`)
		name, err := profiles("").Pick(r, "")
		require.NoError(t, err)
		require.Empty(t, name, "without one there is nothing to show")
	}
	for body, filled := range map[string]string{
		`{"image_outputs":[{}]}`: `{"image_outputs":[{"s3":{"bucket":"main","secret":"{secret}"}}]}`, `{"file":{}}`: `{"file":{"s3":{"bucket":"main","secret":"{secret}"}}}`,
	} {
		r, err := profiles("").Fill(parse(t, egress.KindRoomComposite, body), "main")
		require.NoError(t, err)
		lkegress.RedactEncodedOutputs(r.(*livekit.RoomCompositeEgressRequest))
		requireSame(t, parse(t, egress.KindRoomComposite, filled), r)
	}
}

func TestEachStoreIsFilledInUnderItsOwnName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"main": `{"file":{"s3":{"bucket":"main","secret":"s"}}}`, "cold": `{"file":{"gcp":{"bucket":"cold"}}}`,
		"az": `{"file":{"azure":{"container_name":"az"}}}`, "ali": `{"file":{"aliOSS":{"bucket":"ali"}}}`,
	} {
		got, err := profiles("").Fill(parse(t, egress.KindTrack, `{"file":{}}`), name)
		require.NoError(t, err)
		requireSame(t, parse(t, egress.KindTrack, want), got)
	}
}

func TestAFilledRequestSharesNothingWithItsProfile(t *testing.T) {
	t.Parallel()
	p := profiles("")
	for kind, text := range map[egress.Kind]string{egress.KindTrack: `{"file":{}}`, egress.KindEgress: `{"outputs":[{"file":{}}]}`} {
		got, err := p.Fill(parse(t, kind, text), "main")
		require.NoError(t, err)
		egress.Destinations(got)[0].Upload.S3.Bucket = "changed"
		require.Equal(t, "main", p.Named["main"].GetS3().GetBucket())
	}
}

func TestWhatANewerLiveKitMaySayOfAStorageStands(t *testing.T) {
	t.Parallel()
	strange := protowire.AppendVarint(protowire.AppendTag(nil, 500, protowire.VarintType), 1)
	track := &livekit.DirectFileOutput{}
	output := func() *livekit.StartEgressRequest {
		r, _ := parse(t, egress.KindEgress, `{"outputs":[{"segments":{},"storage":{}}],"storage":{}}`).(*livekit.StartEgressRequest)
		return r
	}
	inside, inItsStorage, inStorage := output(), output(), output()
	inStorage.GetOutputs()[0].Storage = nil // an empty one would go first
	for newer, tc := range map[proto.Message]struct {
		request egress.Request
		field   string
	}{
		track:                                {&livekit.TrackEgressRequest{Output: &livekit.TrackEgressRequest_File{File: track}}, "file"},
		inside.GetOutputs()[0].GetSegments(): {inside, "outputs[0].segments"},
		inItsStorage.GetOutputs()[0].GetStorage(): {inItsStorage, "outputs[0].storage"},
		inStorage.GetStorage():                    {inStorage, "storage"},
	} {
		newer.ProtoReflect().SetUnknown(strange)
		got, name, err := profiles("main").Apply(tc.request, "")
		require.NoError(t, err)
		require.Empty(t, name)
		requireSame(t, tc.request, got)
		got, err = profiles("").Fill(tc.request, "main")
		require.NoError(t, err)
		requireSame(t, tc.request, got)
		_, err = profiles("").Pick(tc.request, "cold")
		require.EqualError(t, err, `storage: names the profile "cold", but the request has a storage of its own: `+tc.field+", in a field that only a newer LiveKit knows")
	}
}

func TestWhichProfileIsPicked(t *testing.T) {
	t.Parallel()
	const (
		lacking = `{"file_outputs":[{"filepath":"a"}]}`
		mixed   = `{"file_outputs":[{"gcp":{"bucket":"b"}}],"segment_outputs":[{"filename_prefix":"a"}]}`
		own     = `{"file_outputs":[{"gcp":{"bucket":"b"}}]}`
		streams = `{"stream_outputs":[{"urls":["rtmp://x/y"]}]}`
	)
	for name, tc := range map[string]struct{ request, def, named, want, problem string }{
		"none, and no default":             {lacking, "", "", "", ""},
		"the default":                      {lacking, "main", "", "main", ""},
		"the one that is named":            {lacking, "main", "cold", "cold", ""},
		"a name without a default":         {lacking, "", "cold", "cold", ""},
		"its own storage":                  {own, "main", "", "", ""},
		"the default for the rest":         {mixed, "main", "", "main", ""},
		"a stream needs none":              {streams, "main", "", "", ""},
		"nor where one is named":           {streams, "main", "cold", "", ""},
		"a name beside its own":            {own, "main", "cold", "", `storage: names the profile "cold", but the request has a storage of its own: file_outputs[0].gcp`},
		"a name beside some of its own":    {mixed, "main", "cold", "", `storage: names the profile "cold", but the request has a storage of its own: file_outputs[0].gcp`},
		"a name beside two of its own":     {`{"file_outputs":[{"gcp":{"bucket":"b"}},{"s3":{"bucket":"b"}}]}`, "main", "cold", "", `storage: names the profile "cold", but the request has a storage of its own: file_outputs[0].gcp`},
		"a name that is not known":         {lacking, "main", "hot", "", `storage: "hot" is not a profile; want one of ali, az, cold, main`},
		"a name that is not, of a stream":  {streams, "main", "hot", "", `storage: "hot" is not a profile; want one of ali, az, cold, main`},
		"a name that is not, beside owned": {own, "main", "hot", "", `storage: "hot" is not a profile; want one of ali, az, cold, main`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := profiles(tc.def).Pick(parse(t, egress.KindRoomComposite, tc.request), tc.named)
			require.Equal(t, tc.want, got)
			if tc.problem == "" {
				require.NoError(t, err)
				return
			}
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
			require.EqualError(t, err, tc.problem)
		})
	}
}

func TestWithoutProfilesNothingIsFilledIn(t *testing.T) {
	t.Parallel()
	var none egress.Profiles
	r := parse(t, egress.KindTrack, `{"file":{}}`)
	got, name, err := none.Apply(r, "")
	require.NoError(t, err)
	require.Empty(t, name)
	require.Same(t, r, got)
	_, _, err = none.Apply(r, "main")
	require.EqualError(t, err, `storage: names the profile "main", but there are none: set REELKEEPER_STORAGE`)
	_, err = profiles("").Fill(r, "gone")
	require.EqualError(t, err, `storage: "gone" is not a profile; want one of ali, az, cold, main`)
}

func TestTheProfileThatIsChosenIsFilledInAndNamed(t *testing.T) {
	t.Parallel()
	got, name, err := profiles("main").Apply(parse(t, egress.KindTrack, `{"file":{}}`), "")
	require.NoError(t, err)
	require.Equal(t, "main", name)
	require.Equal(t, "main", egress.Destinations(got)[0].Upload.S3.GetBucket())
}

func TestTheNameOfAProfileInAnInput(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{"main": true, "Main-2_b.c": true, "": false, "a b": false, "ü": false, "a/b": false} {
		require.Equal(t, good, egress.ValidateProfile(name) == nil, name)
	}
	in := egress.Input{Plain: parse(t, egress.KindTrack, `{"file":{}}`), Storage: "a b"}
	require.EqualError(t, in.Validate("id"), `storage: want the name of a profile, 1 to 64 characters of [A-Za-z0-9._-], got "a b"`)
	in.Storage = "main"
	require.NoError(t, in.Validate("id"))
	in.Pipeline = "archive"
	require.NoError(t, in.Validate("id"))
	in.Plain = parse(t, egress.KindTrack, `{"file":{"s3":{"secret":"hunter2"}}}`)
	require.ErrorContains(t, in.Validate("id"), "file.s3.secret", "names that are good hide no credential")
	in.Pipeline = "a b"
	require.ErrorContains(t, in.Validate("id"), "pipeline: ")
}
