package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// said is a command's output and exit status.
type said struct {
	out, err string
	status   int
}

// starter runs one of the starter's commands as a person would.
func (w *world) starter(stdin string, args ...string) said {
	w.t.Helper()
	return command(w.t, "starter", w.environ, stdin, args...)
}

// says runs a command until its output contains all of wants: a slow Temporal has no answer at
// first.
func (w *world) says(args string, wants ...string) said {
	w.t.Helper()
	var got said
	w.answered("starter "+args, func() error {
		got = w.starter("", strings.Fields(args)...)
		for _, want := range wants {
			if !strings.Contains(got.out+got.err, want) {
				return fmt.Errorf("%q is not in: %s%s", want, got.out, got.err)
			}
		}
		return nil
	})
	return got
}

func command(t *testing.T, name string, environ map[string]string, stdin string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t, name), args...)
	cmd.Env = append(os.Environ(), "LIVEKIT_URL=", "TEMPORAL_ADDRESS=")
	for k, v := range environ {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Dir = t.TempDir()
	cmd.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	_ = cmd.Run() // the status is checked
	return said{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestAPersonRecordsARoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("standup", fakelivekit.RoomScript{})

	started := w.starter("", "start", "room-composite", "--room", "standup", "--file", "{room_name}-{time}.mp4", "--id", "one", "--json")
	require.Zero(t, started.status, started.err)
	var info struct {
		EgressID string `json:"egress_id"`
		RoomName string `json:"room_name"`
	}
	require.NoError(t, json.Unmarshal([]byte(started.out), &info), started.out)
	require.Equal(t, "standup", info.RoomName)
	require.NotContains(t, started.out, "/webhooks/livekit/", "our own webhook is not shown")

	again := w.starter("", "start", "room-composite", "--room", "standup", "--file", "{room_name}-{time}.mp4", "--id", "one", "--json")
	require.Contains(t, again.out, info.EgressID, "the same key is the same egress")
	w.want("it is listed", func() bool { return strings.Contains(w.starter("", "list").out, info.EgressID) })
	for _, id := range []string{info.EgressID, "one", "egress/one"} {
		shown := w.starter("", "show", id)
		require.Zero(t, shown.status, shown.err)
		require.Contains(t, shown.out, info.EgressID)
	}
	stopped := w.starter("", "stop", info.EgressID)
	require.Zero(t, stopped.status, stopped.err)
	ended := w.starter("", "wait", "one", "--json")
	require.Contains(t, ended.out, info.EgressID)
}

func TestTheUnifiedStartComesFromAFileOrStandardInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("standup", fakelivekit.RoomScript{})

	started := w.starter(`{"egress":{"room_name":"standup","template":{"layout":"grid"},"outputs":[{"file":{"filepath":"x.mp4"}}]}}`,
		"start", "--request", "-", "--id", "unified")

	require.Zero(t, started.status, started.err)
	require.NotZero(t, w.fake.Calls()["StartEgress"])
	require.Len(t, w.fake.Egresses(), 1)
	require.NoError(t, w.fake.EndCall("standup"))
	require.Contains(t, w.starter("", "wait", "unified", "--json").out, `"ended_by":`)
}

func TestBadInputIsOneLineThatNamesTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("standup", fakelivekit.RoomScript{})
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"a room that LiveKit does not know": {"", []string{"start", "room-composite", "--room", "nowhere", "--file", "x.mp4"}, "not_found: requested room does not exist"},
		"no outputs":                        {"", []string{"start", "room-composite", "--room", "standup"}, "--file"},
		"no room":                           {"", []string{"start", "room-composite", "--file", "x.mp4"}, "--room"},
		"JSON that is none":                 {"{", []string{"start", "--request", "-"}, "request"},
		"an unknown field":                  {`{"web":{"urk":"x"}}`, []string{"start", "--request", "-"}, "urk"},
		"no outputs, which LiveKit says":    {`{"room_composite":{"room_name":"standup"}}`, []string{"start", "--request", "-"}, "request has missing or invalid field: output"},
		"a URL that is none":                {"", []string{"start", "web", "--url", "not a url", "--file", "x.mp4"}, "--url"},
		"an ID of LiveKit's":                {"", []string{"start", "web", "--url", "https://x.example", "--file", "x.mp4", "--id", "EG_x"}, "id: begins with EG_"},
		"a recording that is none":          {"", []string{"show", "nothing"}, "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.starter(tt.stdin, tt.args...)

			require.Equal(t, 2, s.status, s.err)
			require.Contains(t, s.err, tt.want)
			require.Equal(t, 1, strings.Count(s.err, "\n"), s.err)
			require.Empty(t, s.out)
		})
	}
	t.Cleanup(func() { require.Empty(t, w.fake.Egresses(), "nothing was started") })
}
