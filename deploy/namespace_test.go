package deploy_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// The job runs at each `up`, so it must accept what it has created before.
func TestTheNamespaceJobMakesWhatIsNeeded(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("temporal"); err != nil {
		t.Skip("the temporal CLI, which the job calls, is not installed here")
	}
	server, err := devtemporal.Start(t.Context(), devtemporal.Options{Headless: true, Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	const namespace = "recordings"
	for range 2 {
		job := exec.CommandContext(t.Context(), "sh", "temporal-namespace.sh")
		job.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+server.Address, "TEMPORAL_NAMESPACE="+namespace, "RETENTION=240h")
		out, err := job.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}

	c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	require.NoError(t, err)
	require.Equal(t, 240*time.Hour, described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	listed, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	require.NoError(t, err)
	made := map[string]string{}
	for name, kind := range listed.GetCustomAttributes() {
		made[name] = kind.String()
	}
	want := map[string]string{}
	for name, kind := range egress.Attributes() {
		k, err := enumspb.IndexedValueTypeFromString(kind)
		require.NoError(t, err)
		want[name] = k.String()
	}
	require.Subset(t, made, want)
}
