package devtemporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// namespaceInterval spares the server: each new namespace is polled until it is known.
const namespaceInterval = 500 * time.Millisecond

// MakeNamespaces creates namespaces with their search attributes, name to type, and returns once both are
// known, which takes up to ten seconds for a new one. It uses the API for what `temporal operator` would
// do: that CLI cannot be built from its module.
func (c *Cluster) MakeNamespaces(ctx context.Context, attributes map[string]string, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, clusterLimit)
	defer cancel()
	t, err := dial(ctx, c.Address, "temporal-system")
	if err != nil {
		return err
	}
	defer t.Close()
	for _, name := range names {
		_, err := t.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(minRetention),
		})
		var there *serviceerror.NamespaceAlreadyExists
		if err != nil && !errors.As(err, &there) {
			return fmt.Errorf("make namespace %s: %w", name, err)
		}
	}
	for _, name := range names { // One after the other: they share a version, over which they would conflict.
		err := pollEvery(ctx, namespaceInterval, func() error {
			return addSearchAttributes(ctx, t, Options{Namespace: name, SearchAttributes: attributes})
		})
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
	}
	return nil
}
