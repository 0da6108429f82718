package catalogue_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/catalogue"
)

func TestProfilesAreLiveKitsOwnMessages(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("from: \"a\" file\n"), 0o600))
	p, err := catalogue.Profiles(written(t, `
default: main
profiles:
  main:
    s3: &s3
      bucket: recordings
      region: eu-central-1
      access_key: ${KEY}
      secret: ${file:`+secret+`}
      force_path_style: true
      metadata: {team: "a-${KEY}", literal: "$${KEY}"}
      proxy: {url: "https://proxy.example", username: u}
  same: {s3: *s3}
  cold: {gcp: {bucket: b, credentials: '{"type":"service_account"}'}}
  az: {azure: {account_name: n, account_key: 12, container_name: c}}
  ali: {ali_oss: {bucket: b, region: r}}
`), map[string]string{"KEY": "AKIA: {x}\r\n"})
	require.NoError(t, err)
	main := &livekit.StorageConfig{Provider: &livekit.StorageConfig_S3{S3: &livekit.S3Upload{
		Bucket: "recordings", Region: "eu-central-1", AccessKey: "AKIA: {x}", Secret: `from: "a" file`, ForcePathStyle: true,
		Metadata: map[string]string{"team": "a-AKIA: {x}", "literal": "${KEY}"}, Proxy: &livekit.ProxyConfig{Url: "https://proxy.example", Username: "u"},
	}}}
	want := map[string]*livekit.StorageConfig{
		"main": main, "same": main,
		"cold": {Provider: &livekit.StorageConfig_Gcp{Gcp: &livekit.GCPUpload{Bucket: "b", Credentials: `{"type":"service_account"}`}}},
		"az":   {Provider: &livekit.StorageConfig_Azure{Azure: &livekit.AzureBlobUpload{AccountName: "n", AccountKey: "12", ContainerName: "c"}}},
		"ali":  {Provider: &livekit.StorageConfig_AliOSS{AliOSS: &livekit.AliOSSUpload{Bucket: "b", Region: "r"}}},
	}
	require.Equal(t, "main", p.Default)
	require.Len(t, p.Named, len(want))
	for name, w := range want {
		require.True(t, proto.Equal(w, p.Named[name]), "%s: got %v", name, p.Named[name])
	}
}

func TestWhatIsWrongWithAProfileIsNamedByLineAndFieldAndNeverShown(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	for text, want := range map[string]string{
		"":                         ":1: profiles: is missing, or empty",
		"profiles: {}":             ":1: profiles: is missing, or empty",
		"default: main":            ":1: profiles: is missing, or empty",
		"- hunter2":                ":1: want fields with values, got a list",
		"profiles: hunter2":        ":1: profiles: want fields with values, got a string",
		"a: b: hunter2":            ":1: is not valid YAML",
		"a: b\n---\nhunter2":       ":2: there is more than one document",
		"profiles:\n  a: *hunter2": ":1: is not valid YAML",
		"profiles:\n\tx: hunter2":  ":2: is not valid YAML",
		"\nprofile: hunter2":       ":2: profile: there is no such field; did you mean profiles?",
		"profiles: {a: {s3: {bucket: b}}}\n\ndefault: b":                              `:3: default: there is no "b"; want one of a`,
		"profiles: {a: {s3: {bucket: b}}}\ndefault: [a]":                              ":2: default: want a string, got a list",
		"profiles: {a b: {s3: {bucket: b}}}":                                          ":1: profiles.a b: must have a name of 1 to 64 characters of [A-Za-z0-9._-]",
		"profiles:\n  a: hunter2":                                                     ":2: profiles.a: want fields with values, got a string",
		"profiles:\n  a: {}":                                                          ":2: profiles.a: want exactly one store, one of ali_oss, azure, gcp, s3",
		"profiles:\n  a:\n    s4: {}":                                                 ":3: profiles.a.s4: there is no such field; did you mean s3?",
		"profiles:\n  a: {s3: {bucket: b}, gcp: {bucket: b}}":                         ":2: profiles.a: want exactly one store, one of ali_oss, azure, gcp, s3",
		"profiles:\n  a:\n    gcp: {}":                                                ":3: profiles.a.gcp: lacks bucket",
		"profiles:\n  a:\n    azure: {account_name: x}":                               ":3: profiles.a.azure: lacks container_name",
		"profiles:\n  a:\n    gcp:\n      bukket: hunter2":                            ":4: profiles.a.gcp.bukket: there is no such field; did you mean bucket?",
		"profiles:\n  a:\n    gcp:\n      bucket: b\n      bucket: hunter2":           ":5: profiles.a.gcp.bucket: is set twice; the other one is in line 4",
		"profiles:\n  a:\n    gcp:\n      bucket: b\n      proxy:\n        hunter: 2": ":6: profiles.a.gcp.proxy.hunter: there is no such field; want one of password, url, username",
		"profiles:\n  a:\n    s3:\n      secret: {hunter2: x}":                        ":4: profiles.a.s3.secret: want a value",
		"profiles:\n  a:\n    s3:\n      secret:":                                     ":4: profiles.a.s3.secret: want a value",
		"profiles:\n  a:\n    s3:\n      secret: hunter2${NONE}":                      ":4: profiles.a.s3.secret: the variable NONE is not set",
		"profiles:\n  a:\n    s3:\n      secret: hunter2${file:/no/such/file}":        ":4: profiles.a.s3.secret: open /no/such/file: no such file or directory",
		"profiles:\n  a:\n    s3:\n      force_path_style: hunter2":                   ":4: profiles.a.s3.force_path_style: want true or false",
		"profiles:\n  a:\n    s3:\n      metadata: hunter2":                           ":4: profiles.a.s3.metadata: want fields with values, got a string",
		"profiles:\n  a:\n    s3:\n      metadata: {x: [hunter2]}":                    ":4: profiles.a.s3.metadata.x: want a value",
		"profiles: 12345": ":1: profiles: want fields with values, got a value that is not a string",
		"default: ${X}\nprofiles: {a: {s3: {bucket: b}}}": `:1: default: there is no "${X}"; want one of a`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			path := written(t, text)
			_, err := catalogue.Profiles(path, nil)
			require.EqualError(t, err, "REELKEEPER_STORAGE: "+path+want)
			require.NotContains(t, err.Error(), canary)
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason)
		})
	}
}

func TestASecretsFileThatHoldsNoneIsNamed(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"": "is empty", "\r\n": "is empty",
		"\ufeffhunter2": "is not UTF-8 without a byte-order mark", "\xff\xfeh\x00": "is not UTF-8 without a byte-order mark",
	} {
		secret := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(secret, []byte(content), 0o600))
		path := written(t, "profiles: {a: {s3: {bucket: b, secret: '${file:"+secret+"}'}}}")
		_, err := catalogue.Profiles(path, nil)
		require.EqualError(t, err, "REELKEEPER_STORAGE: "+path+":1: profiles.a.s3.secret: the file "+secret+" "+want)
	}
}

func TestAFileOfProfilesThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	_, err := catalogue.Profiles("/no/such/file", nil)
	require.EqualError(t, err, "REELKEEPER_STORAGE: open /no/such/file: no such file or directory")
	p, err := catalogue.Profiles("", nil)
	require.NoError(t, err)
	require.Zero(t, p)
}
