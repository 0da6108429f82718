package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestFlagsMakeLiveKitsRequests(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"room-composite --room r --file f.mp4 --layout grid": `{"room_composite":{"room_name":"r","layout":"grid","file_outputs":[{"filepath":"f.mp4"}]}}`,
		"room-composite --room r --segments s --playlist p.m3u8 --preset H264_1080P_30 --audio-only --base-url https://t.example": `{"room_composite":{"room_name":"r",
			"audio_only":true,"custom_base_url":"https://t.example","preset":"H264_1080P_30","segment_outputs":[{"filename_prefix":"s","playlist_name":"p.m3u8"}]}}`,
		"room-composite --room r --stream rtmp://a/k1 --stream rtmps://b/k,2 --stream srt://c:1 --video-only": `{"room_composite":{"room_name":"r","video_only":true,
			"stream_outputs":[{"protocol":"RTMP","urls":["rtmp://a/k1","rtmps://b/k,2"]},{"protocol":"SRT","urls":["srt://c:1"]}]}}`,
		"participant --room r --identity ann --screen-share --file f.mp4 --preset PORTRAIT_H264_720P_30": `{"participant":{"room_name":"r","identity":"ann",
			"screen_share":true,"preset":"PORTRAIT_H264_720P_30","file_outputs":[{"filepath":"f.mp4"}]}}`,
		"track-composite --room r --audio-track TR_a --video-track TR_v --file f.mp4 --preset H264_720P_60": `{"track_composite":{"room_name":"r",
			"audio_track_id":"TR_a","video_track_id":"TR_v","preset":"H264_720P_60","file_outputs":[{"filepath":"f.mp4"}]}}`,
		"track --room r --track TR_1 --file f.ogg":       `{"track":{"room_name":"r","track_id":"TR_1","file":{"filepath":"f.ogg"}}}`,
		"track --room r --track TR_1 --stream wss://x/y": `{"track":{"room_name":"r","track_id":"TR_1","websocket_url":"wss://x/y"}}`,
		"web --url https://e.example/?a=b --file f.mp4 --preset H264_720P_30": `{"web":{"url":"https://e.example/?a=b","preset":"H264_720P_30",
			"file_outputs":[{"filepath":"f.mp4"}]}}`,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := newShell()
			got := s.run(t, append([]string{"start"}, fields(line)...)...)
			if got.status != 0 || got.stderr != "" || s.starts != 1 {
				t.Fatalf("got %+v after %d starts", got, s.starts)
			}
			wantRequest(t, s.started.Request, want)
		})
	}
}

func wantRequest(t *testing.T, got egress.Request, text string) {
	t.Helper()
	want, err := egress.ParseRequestFile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", protojson.Format(got), protojson.Format(want))
	}
}

func TestARequestFileMayHoldAnyKind(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"room_composite": {"room_name": "r", "file_outputs": [{"filepath": "f", "s3": {"bucket": "b", "secret": "s"}}]}}`,
		`{"egress": {"room_name": "r", "template": {"layout": "grid"}, "outputs": [{"file": {"filepath": "f"}}]}}`,
		"\ufeff" + `{"web": {"url": "https://example.com", "file_outputs": [{"filepath": "f"}]}}`,
	} {
		path := filepath.Join(t.TempDir(), "request.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{path, "-"} {
			s := newShell()
			s.stdin = text
			if got := s.run(t, "start", "--request", from, "--id", "k"); got.status != 0 || s.started.RequestID != "k" {
				t.Fatalf("got %+v", got)
			}
			wantRequest(t, s.started.Request, strings.TrimPrefix(text, "\ufeff"))
		}
	}
}

func TestFlagsOfAllStartsStandBeforeOrBehindTheKind(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"start --id k --max-duration 3h room-composite --room r --file f",
		"start room-composite --room r --file f --id k --max-duration 3h",
	} {
		s := newShell()
		if got := s.run(t, fields(line)...); got.status != 0 {
			t.Fatalf("got %+v", got)
		}
		if s.started.RequestID != "k" || s.started.MaxDuration != 3*time.Hour || !s.stopped || !s.closed || s.role != "client" {
			t.Errorf("%s: got %+v", line, s)
		}
	}
}

func TestAStartPrintsItsEgress(t *testing.T) {
	t.Parallel()
	s := newShell()
	golden(t, "start.txt", s.run(t, fields(aRoom)...))
	golden(t, "start.json", s.run(t, append(fields(aRoom), "--json")...))
}

// golden compares a command's output with a file in testdata.
func golden(t *testing.T, name string, got result) {
	t.Helper()
	if got.stderr != "" {
		t.Errorf("stderr: %s", got.stderr)
	}
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got.stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.stdout != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.stdout, want)
	}
}

const instance = `{"LIVEKIT_URL":"http://127.0.0.1:7880","LIVEKIT_API_KEY":"devkey","LIVEKIT_API_SECRET":"devsecret","REELKEEPER_RECOVER":"2",` +
	`"TEMPORAL_ADDRESS":"127.0.0.1:7233","TEMPORAL_NAMESPACE":"dev"}`

func inDev(t *testing.T, text string) (root, below string) {
	t.Helper()
	root = t.TempDir()
	below = filepath.Join(root, "a", "b")
	for _, dir := range []string{below, filepath.Join(root, ".reelkeeper")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, devFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, below
}

func TestARunningDevInstanceIsUsedAndSaid(t *testing.T) {
	t.Parallel()
	root, below := inDev(t, instance)
	for _, dir := range []string{root, below} {
		s := &shell{dir: dir, environ: map[string]string{"PATH": "/bin"}}
		got := s.run(t, fields(aRoom)...)
		if got.status != 0 || got.stderr != "using the development instance of "+filepath.Join(root, devFile)+"\n" {
			t.Errorf("got %+v", got)
		}
		for name, want := range map[string]string{
			"LIVEKIT_URL": "http://127.0.0.1:7880", "LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "devsecret",
			"TEMPORAL_ADDRESS": "127.0.0.1:7233", "TEMPORAL_NAMESPACE": "dev", "PATH": "/bin", "REELKEEPER_RECOVER": "2",
		} {
			if s.connected[name] != want {
				t.Errorf("%s is %q, want %q", name, s.connected[name], want)
			}
		}
	}
}

func TestADevInstanceDoesNotOverrideWhatIsSet(t *testing.T) {
	t.Parallel()
	_, below := inDev(t, instance)
	for _, name := range []string{"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_API_SECRET_FILE", "LIVEKIT_KEYS", "LIVEKIT_KEYS_FILE", "TEMPORAL_ADDRESS", "TEMPORAL_API_KEY_FILE", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"} {
		value := "k: v"
		if strings.HasSuffix(name, "_FILE") {
			value = filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(value, []byte("k: v\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := &shell{dir: below, environ: map[string]string{name: value}}
		got := s.run(t, "list")
		if got.status != 0 || got.stderr != "" || s.connected["TEMPORAL_NAMESPACE"] != "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// In a world-writable folder, anybody can have left one.
func TestADevInstanceOfAnotherUserIsNotFollowed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	root, below := inDev(t, instance)
	if err := os.Chown(filepath.Join(root, devFile), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	s := &shell{dir: below}
	got := s.run(t, "list")
	if got.status != 0 || got.stderr != "" || s.connected["TEMPORAL_NAMESPACE"] != "" {
		t.Errorf("got %+v", got)
	}
}

func TestABrokenDevFileIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"{": "is not JSON", `{"temporal":"127.0.0.1:7233"}`: "names no TEMPORAL_ADDRESS"} {
		root, _ := inDev(t, text)
		s := &shell{dir: root}
		got := s.run(t, "list")
		require.Equal(t, 2, got.status)
		require.Contains(t, got.stderr, "starter: "+filepath.Join(root, devFile)+": "+want)
	}
}

func TestADevInstanceThatIsNamedIsUsedWhateverElseIsSet(t *testing.T) {
	t.Parallel()
	root, _ := inDev(t, instance)
	state := filepath.Join(root, filepath.Dir(devFile))
	for _, line := range [][]string{{"--dev", state, "list"}, {"list", "--dev", state}} {
		s := &shell{dir: t.TempDir(), environ: map[string]string{"TEMPORAL_ADDRESS": "other:7233", "TEMPORAL_TLS": "true", "LIVEKIT_API_SECRET_FILE": "/nowhere", "REELKEEPER_SEAL_KEY": "another's"}}
		got := s.run(t, line...)
		if got.status != 0 || got.stderr != "" || s.connected["TEMPORAL_ADDRESS"] != "127.0.0.1:7233" || s.connected["LIVEKIT_API_SECRET"] != "devsecret" {
			t.Errorf("got %+v, connected to %v", got, s.connected)
		}
		for _, name := range []string{"TEMPORAL_TLS", "LIVEKIT_API_SECRET_FILE", "REELKEEPER_SEAL_KEY"} {
			if value, left := s.connected[name]; left {
				t.Errorf("%s is left, %q, which is another's", name, value)
			}
		}
	}
}

func TestADevInstanceThatIsNamedAndNotThereIsSaid(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"list --dev /nowhere":  "starter: --dev: no instance of yours runs with its state in /nowhere; `go run ./dev --state '/nowhere'` starts one",
		"serve --dev /nowhere": "starter: --dev: is not for serve: a development instance has its own",
		"doctor --dev=":        "starter: --dev: is empty: give it a value, or leave it out",
	} {
		s := newShell()
		if got := s.run(t, fields(line)...); got.status != 2 || strings.TrimSpace(got.stderr) != want {
			t.Errorf("%s: got %+v", line, got)
		}
	}
}

func TestAnIDThatIsTakenIsNamedByItsFlag(t *testing.T) {
	t.Parallel()
	s := newShell()
	s.err = egress.IDTaken("daily")
	want := "starter: --id: another request already has the ID \"daily\": starter show daily shows it; to record something else, give another ID\n"
	if got := s.run(t, fields(aRoom+"--id daily")...); got.status != 2 || got.stderr != want {
		t.Errorf("got %+v", got)
	}
}

func TestWhatAWorkerRefusesIsNamedByTheFlagThatGaveIt(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]map[string]string{ // by the field in the worker's answer
		"":                               {"storage": "storage", "pipeline": "pipeline"},
		"--storage nope --pipeline nope": {"storage": "--storage", "pipeline": "--pipeline", "file": "file"},
	} {
		for field, named := range want {
			s := newShell()
			s.err = egress.Invalidf(field, "is wrong")
			require.Equal(t, result{2, "", "starter: " + named + ": is wrong\n"}, s.run(t, fields(aRoom+flags)...))
		}
	}
}

func TestAStartNamesItsStorageAndAsksForItsTry(t *testing.T) {
	t.Parallel()
	s := newShell()
	got := s.run(t, fields("start --storage cold --preflight room-composite --room r --file f.mp4")...)
	if got.status != 0 || s.started.Storage != "cold" || !s.started.Preflight {
		t.Errorf("got %+v, started %+v", got, s.started)
	}
	for line, want := range map[string]string{
		"start --storage a/b room-composite --room r --file f.mp4": "--storage: want the name of a profile, 1 to 64 characters of [A-Za-z0-9._-], got \"a/b\"",
	} {
		s := newShell()
		if got := s.run(t, fields(line)...); got.status != 2 || s.starts != 0 || !strings.Contains(got.stderr, want) {
			t.Errorf("got %+v", got)
		}
	}
}
