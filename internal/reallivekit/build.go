package reallivekit

import (
	"context"
	"io"

	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

const folder = "e2e/livekit"

// The two binaries; the module's go.mod pins the version of livekit-server.
var (
	serverBinary = devtemporal.Binary{
		Folder: folder, Package: "github.com/livekit/livekit-server/cmd/server", Name: "livekit-server", Title: "livekit-server for tests",
		About: "This is done once and takes about 4 minutes on two cores.",
	}
	rolesBinary = devtemporal.Binary{
		Folder: folder, Name: "livekit-roles", Title: "what livekit-server needs around it in tests",
		About: "This is done once and takes about a minute on two cores.",
	}
)

// Binaries are the paths of what [Start] runs.
type Binaries struct{ server, roles string }

// Build finds both binaries in the user's cache folder or builds them, once for each version of their source, which takes
// minutes; progress receives a line every few seconds. It fails without the source tree, without Go, or if the modules are
// not available.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	server, err := devtemporal.Built(ctx, serverBinary, progress)
	if err != nil {
		return Binaries{}, err
	}
	roles, err := devtemporal.Built(ctx, rolesBinary, progress)
	return Binaries{server, roles}, err
}
