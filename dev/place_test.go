package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestThePlaceIsOneJSONLineWithTheseKeys(t *testing.T) {
	t.Parallel()
	o := options(t, defaultPorts)
	p, err := o.place()
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, p.announce(&out, true))
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")))
	var got map[string]string
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Equal(t, map[string]string{
		"starter": "http://127.0.0.1:7980", "livekit": "http://127.0.0.1:7880", "api_key": "devkey", "api_secret": "secret",
		"temporal": "127.0.0.1:7233", "namespace": "default", "ui": "http://127.0.0.1:8233", "state": o.stateDir,
	}, got)
}

func TestThePlaceNamesTheUsersOwnServers(t *testing.T) {
	t.Parallel()
	o := options(t, defaultPorts)
	o.environ = ownServers()
	got, err := o.place()
	require.NoError(t, err)
	require.Equal(t, place{
		Starter: "http://127.0.0.1:7980", LiveKit: "wss://live.example.com", APIKey: "key", APISecret: "their-secret",
		Temporal: "temporal.example.com:7233", Namespace: "recordings", UI: "", State: o.stateDir,
	}, got)
	var out bytes.Buffer
	require.NoError(t, got.announce(&out, false))
	require.NotContains(t, out.String(), "their-secret")
	require.NotContains(t, out.String(), "EgressStuck", "their Temporal's UI may be anywhere")
	require.NotContains(t, out.String(), demoRoom, "their LiveKit has rooms of theirs")
	require.Contains(t, out.String(), "start room-composite --room ROOM")
}

func TestACommandThatIsPrintedFindsItsInstance(t *testing.T) {
	t.Parallel()
	o := options(t, defaultPorts)
	for dir, want := range map[string]string{
		o.stateDir:           "go run ./starter --dev '" + o.stateDir + "' start",
		o.stateDir + "/it's": "go run ./starter --dev '" + o.stateDir + `/it'\''s' start`,
		app.DevState:         "go run ./starter start",
	} {
		o.stateDir = dir
		p, err := o.place()
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, p.announce(&out, false))
		require.Contains(t, out.String(), want)
	}
}

func TestALiveKitThatIsOnlyHalfNamedIsNoneAndIsSaid(t *testing.T) {
	t.Parallel()
	without := func(name string) instanceOptions {
		o := options(t, defaultPorts)
		o.environ = ownServers()
		delete(o.environ, name)
		return o
	}
	for _, name := range []string{"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"} {
		_, err := without(name).place()
		require.ErrorContains(t, err, "LIVEKIT_URL: is set without LIVEKIT_API_KEY and LIVEKIT_API_SECRET", name)
	}
	p, err := without("LIVEKIT_URL").place()
	require.NoError(t, err)
	require.Equal(t, []string{"http://127.0.0.1:7880", devKey, devSecret}, []string{p.LiveKit, p.APIKey, p.APISecret})
}

func TestALiveKitThatIsOurOwnDoorIsRefused(t *testing.T) {
	t.Parallel()
	for url, itself := range map[string]bool{
		"http://127.0.0.1:7980": true, "http://localhost:7980/": true, "ws://[::1]:7980": true, "http://127.1.2.3:7980": true,
		"http://0.0.0.0:7980": true, "http://127.0.0.1:7880": false, "http://127.0.0.1": false,
		"https://live.example.com:7980": false, "http://10.0.0.1:7980": false, ":7980": false,
	} {
		o := options(t, defaultPorts)
		o.environ = ownServers()
		o.environ["LIVEKIT_URL"] = url
		_, err := o.place()
		if itself {
			require.ErrorContains(t, err, "LIVEKIT_URL: leads to the starter of this dev itself", url)
			require.Equal(t, egress.Invalid, egress.ReasonOf(err))
		} else {
			require.NoError(t, err, url)
		}
	}
}

func TestWhatIsMeantForOtherServersIsNotHandedOn(t *testing.T) {
	t.Parallel()
	o := options(t, defaultPorts)
	o.environ = ownServers()
	require.Equal(t, ownServers(), o.handed())
	delete(o.environ, "LIVEKIT_URL")
	delete(o.environ, "TEMPORAL_ADDRESS")
	maps.Copy(o.environ, map[string]string{"LIVEKIT_API_SECRET_FILE": "/secret", "TEMPORAL_PROFILE": "prod", "REELKEEPER_RECOVER": "1"})
	require.Equal(t, map[string]string{"TEMPORAL_CONFIG_FILE": os.DevNull, "REELKEEPER_RECOVER": "1"}, o.handed())
}

func TestAPersonIsToldWhatToDoNext(t *testing.T) {
	t.Parallel()
	p, err := options(t, defaultPorts).place()
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, p.announce(&out, false))
	for _, want := range []string{
		p.Starter, p.Starter + "/webhooks/livekit", p.LiveKit, p.Temporal, p.UI, p.State, p.APIKey, `room "standup" has people in it`,
		"go run ./starter --dev '" + p.State + "' start room-composite --room " + demoRoom,
		p.UI + "/namespaces/default/workflows?query=WorkflowType+%3D+%27Egress%27+AND+EgressStuck+%3D+true+AND+ExecutionStatus+%21%3D+%27ContinuedAsNew%27\n",
	} {
		require.Contains(t, out.String(), want)
	}
}

func TestTheStarterFindsTheInstanceInItsStateUntilItStops(t *testing.T) {
	t.Parallel()
	o := options(t, defaultPorts)
	maps.Copy(o.environ, map[string]string{"REELKEEPER_SEAL_KEY": "a key of this instance's own", "REELKEEPER_STORAGE": "profiles.yaml", "PATH": "/bin"})
	i := instanceAt(t, o)
	require.NoError(t, i.leaveWord(o))
	word := filepath.Join(o.stateDir, "dev.json")
	b, err := os.ReadFile(word)
	require.NoError(t, err)
	var got map[string]string
	require.NoError(t, json.Unmarshal(b, &got))
	require.NotContains(t, got, "PATH")
	profiles, err := filepath.Abs("profiles.yaml")
	require.NoError(t, err)
	require.Subset(t, got, map[string]string{
		"LIVEKIT_URL": i.place.LiveKit, "LIVEKIT_API_KEY": devKey, "LIVEKIT_API_SECRET": devSecret, "REELKEEPER_PUBLIC_URL": i.place.Starter,
		"TEMPORAL_ADDRESS": i.place.Temporal, "TEMPORAL_NAMESPACE": "default", "TEMPORAL_CONFIG_FILE": os.DevNull,
		"REELKEEPER_SEAL_KEY": "a key of this instance's own", "REELKEEPER_STORAGE": profiles,
	})
	info, err := os.Stat(word)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds a secret")

	require.NoError(t, i.stop())
	require.NoFileExists(t, word)
	requireFree(t, o.stateDir)
}

func TestEveryPortOfTheInstanceIsInItsPlace(t *testing.T) {
	t.Parallel()
	p, err := options(t, ports{1, 2, 3, 4, 5}).place()
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:4", "http://127.0.0.1:1", "http://127.0.0.1:3", "http://127.0.0.1:5"},
		slices.Sorted(slices.Values([]string{p.Temporal, p.Starter, p.LiveKit, p.UI})))
}
