package devtemporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

// minRetention is how long a closed workflow stays readable: reports look back a week. Our devserver
// sets it itself; the Temporal CLI creates namespaces that keep one day.
const minRetention = 7 * 24 * time.Hour

// awaitReady returns when the server is usable, or as soon as it no longer can be.
func (s *Server) awaitReady(ctx context.Context, opts Options) error {
	return s.awaitUp(ctx, func(ctx context.Context) error { return s.prepare(ctx, opts) })
}

// prepare waits for the namespace and completes it through the public API. With our devserver there
// is nothing to complete; the CLI ignores search attribute flags if the file exists.
func (s *Server) prepare(ctx context.Context, opts Options) error {
	c, err := dial(ctx, s.Address, opts.Namespace)
	if err != nil {
		return err
	}
	defer c.Close()
	var described *workflowservice.DescribeNamespaceResponse
	err = poll(ctx, func() (err error) {
		described, err = c.WorkflowService().DescribeNamespace(ctx,
			&workflowservice.DescribeNamespaceRequest{Namespace: opts.Namespace})
		return err
	})
	if err != nil {
		return fmt.Errorf("describe namespace %s: %w", opts.Namespace, err)
	}
	if described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() < minRetention {
		if err := keepLonger(ctx, c, opts.Namespace); err != nil {
			return err
		}
	}
	return addSearchAttributes(ctx, c, opts)
}

// dial waits for the port first: after one refused attempt, a gRPC connection waits a second.
func dial(ctx context.Context, address, namespace string) (client.Client, error) {
	err := poll(ctx, func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return nil, err
	}
	var c client.Client
	err = poll(ctx, func() (err error) {
		c, err = client.DialContext(ctx, client.Options{
			HostPort:  address,
			Namespace: namespace,
			Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		})
		return err
	})
	return c, err
}

func keepLonger(ctx context.Context, c client.Client, namespace string) error {
	_, err := c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: namespace,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(minRetention)},
	})
	if err != nil {
		return fmt.Errorf("set the retention of namespace %s: %w", namespace, err)
	}
	return nil
}

// addSearchAttributes adds those that the namespace lacks, and waits until the server shows them.
func addSearchAttributes(ctx context.Context, c client.Client, opts Options) error {
	missing, err := missingAttributes(ctx, c, opts)
	if err != nil || len(missing) == 0 {
		return err
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: opts.Namespace, SearchAttributes: missing,
	})
	if err != nil {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return poll(ctx, func() error {
		missing, err := missingAttributes(ctx, c, opts)
		if err == nil && len(missing) > 0 {
			err = errors.New("search attributes were added but are not visible")
		}
		return err
	})
}

// missingAttributes returns the wanted search attributes that the namespace lacks.
func missingAttributes(ctx context.Context, c client.Client, opts Options) (map[string]enumspb.IndexedValueType, error) {
	reply, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: opts.Namespace})
	if err != nil {
		return nil, fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, typeName := range opts.SearchAttributes {
		want, err := enumspb.IndexedValueTypeFromString(typeName)
		if err != nil {
			return nil, fmt.Errorf("search attribute %s: %w", name, err)
		}
		have, exists := reply.CustomAttributes[name]
		if exists && have != want {
			return nil, fmt.Errorf("search attribute %s is %s already, not %s", name, have, want)
		}
		if !exists {
			missing[name] = want
		}
	}
	return missing, nil
}
