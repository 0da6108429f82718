package storage_test

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/needs"
	"github.com/reelkeeper/reelkeeper/storage"
)

const azureAccount = "recorder"

var (
	azureKey  = base64.StdEncoding.EncodeToString([]byte("a key that Azurite is told of"))
	listensAt = regexp.MustCompile(`listens on http://(\S+)`)
)

// emulator is Azurite, once for all tests of this process.
var emulator struct {
	once sync.Once
	cmd  *exec.Cmd
	addr string
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if emulator.cmd != nil {
		_ = emulator.cmd.Process.Kill() // it has nothing to lose
	}
	os.Exit(status)
}

// startEmulator runs Azurite from what npm fetched, until the process ends.
func startEmulator(modules string) (at string, err error) {
	// Azure's SDK speaks a newer version of the protocol than this Azurite.
	cmd := exec.Command("node", filepath.Join(modules, "azurite", "dist", "src", "blob", "main.js"),
		"--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--silent")
	cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+azureAccount+":"+azureKey)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	emulator.cmd = cmd
	for said := bufio.NewScanner(out); said.Scan(); {
		if at := listensAt.FindStringSubmatch(said.Text()); at != nil {
			return at[1], nil
		}
	}
	return "", errors.New("Azurite does not listen")
}

// azure returns Microsoft's emulator of Azure Blob Storage, with a container of the test's own. It
// finds the account by the request's Host, as Azure does, and checks its signature.
func azure(t *testing.T) (storage.Config, *livekit.AzureBlobUpload) {
	t.Helper()
	modules := needs.NodeModules(t, filepath.Join("testdata", "azurite"))
	emulator.once.Do(func() { emulator.addr, emulator.err = startEmulator(modules) })
	require.NoError(t, emulator.err)
	cfg := storage.Config{Client: through(redirect{emulator.addr})}
	u := &livekit.AzureBlobUpload{AccountName: azureAccount, AccountKey: azureKey, ContainerName: strings.ToLower(rand.Text())}

	credential, err := azblob.NewSharedKeyCredential(azureAccount, azureKey)
	require.NoError(t, err)
	client, err := azblob.NewClientWithSharedKeyCredential("https://"+azureAccount+".blob.core.windows.net", credential, clientOf(cfg))
	require.NoError(t, err)
	_, err = client.CreateContainer(t.Context(), u.GetContainerName(), nil)
	require.NoError(t, err)
	return cfg, u
}

// clientOf returns the options with which Azure's own client reaches the emulator.
func clientOf(cfg storage.Config) *azblob.ClientOptions {
	return &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: cfg.Client(nil)}}
}

func TestAzuresAnswersNameTheField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*livekit.AzureBlobUpload)
		found  egress.Probed
		want   string
	}{
		"good":         {func(*livekit.AzureBlobUpload) {}, egress.ProbeGood, ""},
		"no container": {func(u *livekit.AzureBlobUpload) { u.ContainerName = "nothing" }, egress.ProbeRefused, "out.azure.container_name: there is no such container (the store answers ContainerNotFound)"},
		// Azure itself answers AuthenticationFailed. This code may be about the place that we ask
		// from.
		"another key": {func(u *livekit.AzureBlobUpload) { u.AccountKey = "b3RoZXI=" }, egress.ProbeUnreachable, "out.azure: cannot write .reelkeeper-probe-x: the store answers 403 AuthorizationFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, there := azure(t)
			u := proto.CloneOf(there)
			tc.change(u)
			found, err := storage.New(cfg).Probe(t.Context(), egress.Destination{Field: "out.azure", Path: "a.mp4", Upload: egress.Upload{Azure: u}}, "x")
			require.Equal(t, tc.found, found, "%v", err)
			if tc.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tc.want)
			}
			left, err := open(t, cfg, egress.Upload{Azure: there}).List(t.Context(), "", 10)
			require.NoError(t, err)
			require.Empty(t, left, "no probe stays")
		})
	}
}

func TestAContainerThatIsNotThereIsNotAnObjectThatIsNot(t *testing.T) {
	t.Parallel()
	cfg, upload := azure(t)
	upload.ContainerName = "nothing"
	_, err := open(t, cfg, egress.Upload{Azure: upload}).Stat(t.Context(), "a.mp4")
	requireReason(t, err, egress.NotFound, "out: there is no such bucket")
}
