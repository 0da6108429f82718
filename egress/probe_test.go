package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAProbeLiesBesideTheOutput(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ path, playlist, want string }{
		"no path":                 {"", "", ".reelkeeper-probe-x"},
		"a file":                  {"a.mp4", "", ".reelkeeper-probe-x"},
		"a file in a directory":   {"calls/2026/a.mp4", "", "calls/2026/.reelkeeper-probe-x"},
		"a directory":             {"calls/", "", "calls/.reelkeeper-probe-x"},
		"a placeholder in a name": {"calls/a-{time}.mp4", "", "calls/.reelkeeper-probe-x"},
		"one in a directory":      {"calls/{room_name}/a.mp4", "", "calls/.reelkeeper-probe-x"},
		"one at once":             {"{room_name}/a.mp4", "", ".reelkeeper-probe-x"},
		"from the root":           {"/a.mp4", "", "/.reelkeeper-probe-x"},
		"a playlist alone":        {"", "hls/p.m3u8", "hls/.reelkeeper-probe-x"},
		"segments below it":       {"seg/s", "hls/p.m3u8", "hls/.reelkeeper-probe-x"},
		"segments beside it":      {"s", "tenants/a/{room_name}/p.m3u8", "tenants/a/.reelkeeper-probe-x"},
		"below an unknown one":    {"seg/s", "{room_name}/p.m3u8", ".reelkeeper-probe-x"},
		"a playlist beside them":  {"seg/s", "p.m3u8", "seg/.reelkeeper-probe-x"},
		"from above the root":     {"../../rec/a.mp4", "", "rec/.reelkeeper-probe-x"},
		"from here":               {"./rec/a.mp4", "", "rec/.reelkeeper-probe-x"},
		"two slashes":             {"rec//a.mp4", "", "rec/.reelkeeper-probe-x"},
		"two slashes at the end":  {"rec//", "", "rec/.reelkeeper-probe-x"},
		"nothing but above":       {"..", "./", ".reelkeeper-probe-x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.Destination{Path: tc.path, Playlist: tc.playlist}.ProbePath("x"))
		})
	}
}

func TestWhatAStoresAnswerSaysOfTheFieldAtFault(t *testing.T) {
	t.Parallel()
	s3 := egress.Destination{Field: "file_outputs[0].s3", Upload: egress.Upload{S3: &livekit.S3Upload{Region: "eu-west-1"}}}
	unnamed := egress.Destination{Field: "file.s3", Upload: egress.Upload{S3: &livekit.S3Upload{}}}
	gcp := egress.Destination{Field: "storage.gcp", Upload: egress.Upload{GCP: &livekit.GCPUpload{}}}
	azure := egress.Destination{Field: "file.azure", Upload: egress.Upload{Azure: &livekit.AzureBlobUpload{}}}
	for name, tc := range map[string]struct {
		to     egress.Destination
		status int
		code   string
		want   string // empty: not a definite refusal
	}{
		"no bucket":                {s3, 404, "NoSuchBucket", "file_outputs[0].s3.bucket: there is no such bucket (the store answers NoSuchBucket)"},
		"a bad name":               {s3, 400, "InvalidBucketName", "file_outputs[0].s3.bucket: is not a valid bucket name (the store answers InvalidBucketName)"},
		"no such key":              {s3, 403, "InvalidAccessKeyId", "file_outputs[0].s3.access_key: the store does not know this key (the store answers InvalidAccessKeyId)"},
		"no such key, of a role":   {s3, 403, "InvalidClientTokenId", "file_outputs[0].s3.access_key: the store does not know this key (the store answers InvalidClientTokenId)"},
		"not allowed":              {s3, 403, "AccessDenied", "file_outputs[0].s3.access_key: may not write there (the store answers AccessDenied)"},
		"another secret":           {s3, 403, "SignatureDoesNotMatch", "file_outputs[0].s3.secret: does not belong to the access key (the store answers SignatureDoesNotMatch)"},
		"an old token":             {s3, 400, "ExpiredToken", "file_outputs[0].s3.session_token: has expired (the store answers ExpiredToken)"},
		"a bad token":              {s3, 400, "InvalidToken", "file_outputs[0].s3.session_token: is not valid (the store answers InvalidToken)"},
		"another region":           {s3, 301, "PermanentRedirect", "file_outputs[0].s3.region: is not the bucket's (the store answers PermanentRedirect)"},
		"another region's key":     {s3, 400, "AuthorizationHeaderMalformed", "file_outputs[0].s3.region: is not the bucket's (the store answers AuthorizationHeaderMalformed)"},
		"another location":         {s3, 400, "IllegalLocationConstraintException", "file_outputs[0].s3.region: is not the bucket's (the store answers IllegalLocationConstraintException)"},
		"another than we guessed":  {unnamed, 301, "PermanentRedirect", ""},
		"too many":                 {s3, 503, "SlowDown", ""},
		"our clock":                {s3, 403, "RequestTimeTooSkewed", ""},
		"a fault of the store's":   {s3, 500, "InternalError", ""},
		"a proxy's 404":            {s3, 404, "", ""},
		"a code of another store":  {s3, 404, "ContainerNotFound", ""},
		"no answer":                {s3, 0, "", ""},
		"Google: gone":             {gcp, 404, "", "storage.gcp.bucket: there is no such bucket (the store answers 404)"},
		"Google: not allowed":      {gcp, 403, "", "storage.gcp.credentials: may not write there (the store answers 403)"},
		"Google: unknown":          {gcp, 401, "", "storage.gcp.credentials: are refused (the store answers 401)"},
		"Google: no token":         {gcp, 400, egress.NoToken, "storage.gcp.credentials: are refused (the store answers no token)"},
		"Google: another refusal":  {gcp, 400, "", ""},
		"Google: busy":             {gcp, 429, "", ""},
		"Azure: no container":      {azure, 404, "ContainerNotFound", "file.azure.container_name: there is no such container (the store answers ContainerNotFound)"},
		"Azure: going":             {azure, 409, "ContainerBeingDeleted", "file.azure.container_name: is being deleted (the store answers ContainerBeingDeleted)"},
		"Azure: another key":       {azure, 403, "AuthenticationFailed", "file.azure.account_key: is refused (the store answers AuthenticationFailed)"},
		"Azure: not allowed":       {azure, 403, "AuthorizationPermissionMismatch", "file.azure.account_key: may not write there (the store answers AuthorizationPermissionMismatch)"},
		"Azure: disabled":          {azure, 403, "AccountIsDisabled", "file.azure.account_name: is disabled (the store answers AccountIsDisabled)"},
		"Azure: from this address": {azure, 403, "AuthorizationFailure", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := tc.to.Fault(tc.status, tc.code)
			if tc.want == "" {
				require.Nil(t, e)
				return
			}
			require.EqualError(t, e, tc.want)
			require.Equal(t, egress.Invalid, e.Reason)
		})
	}
}

func TestAFaultOfAProfileNamesTheProfile(t *testing.T) {
	t.Parallel()
	filled, err := profiles("").Fill(parse(t, egress.KindEgress, `{"outputs":[{"file":{}}]}`), "main")
	require.NoError(t, err)
	d := egress.Destinations(filled)[0]
	e := d.Fault(404, "NoSuchBucket")
	require.EqualError(t, d.OfProfile("main", e), `storage: profile "main": s3.bucket: there is no such bucket (the store answers NoSuchBucket)`)
	require.Equal(t, "outputs[0].storage.s3.bucket", e.Field, "what was given is not changed")
}

func TestOnlyCredentialsOfTheRequestsOwnAreTried(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		upload egress.Upload
		want   bool
	}{
		"none":          {egress.Upload{}, false},
		"S3":            {egress.Upload{S3: &livekit.S3Upload{AccessKey: "k"}}, true},
		"S3 without":    {egress.Upload{S3: &livekit.S3Upload{Bucket: "b"}}, false},
		"GCP":           {egress.Upload{GCP: &livekit.GCPUpload{Credentials: "{}"}}, true},
		"GCP without":   {egress.Upload{GCP: &livekit.GCPUpload{Bucket: "b"}}, false},
		"Azure":         {egress.Upload{Azure: &livekit.AzureBlobUpload{AccountKey: "k"}}, true},
		"Azure without": {egress.Upload{Azure: &livekit.AzureBlobUpload{AccountName: "n"}}, false},
		"Ali":           {egress.Upload{AliOSS: &livekit.AliOSSUpload{AccessKey: "k"}}, true},
		"Ali without":   {egress.Upload{AliOSS: &livekit.AliOSSUpload{Bucket: "b"}}, false},
	} {
		require.Equal(t, tc.want, tc.upload.HasKeys(), name)
	}
}

func TestEachOutcomeOfATryIsListed(t *testing.T) {
	t.Parallel()
	require.Equal(t, []egress.Probed{"good", "known", "undeleted", "refused", "unreachable", "slow", "unchecked"}, egress.Probes())
}

func TestWhereAProfileLeads(t *testing.T) {
	t.Parallel()
	d := profiles("").Destination("cold")
	require.Equal(t, "cold.gcp", d.Field)
	require.Equal(t, "cold", d.Upload.GCP.GetBucket())
	require.Empty(t, d.Path)
}
