package recordings

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// maxTitle is Temporal's limit for a summary, in bytes.
const maxTitle = 400

// attributesAtStart returns the attributes that cost nothing at the start; set later, they cost an
// event.
func attributesAtStart(s egress.Summary, status string) temporal.SearchAttributes {
	list := []temporal.SearchAttributeUpdate{
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeKind).ValueSet(string(s.Kind)),
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus).ValueSet(status),
		temporal.NewSearchAttributeKeyBool(egress.AttributeStuck).ValueSet(false),
	}
	if s.Room != "" {
		list = append(list, temporal.NewSearchAttributeKeyKeyword(egress.AttributeRoom).ValueSet(egress.Keyword(s.Room)))
	}
	return temporal.NewSearchAttributes(list...)
}

// attribute is a search attribute that a namespace must have.
type attribute struct {
	name   string
	kind   enumspb.IndexedValueType
	sample string // a value of its type, in query syntax
}

func attributes() []attribute {
	samples := map[string]string{"Keyword": "''", "Bool": "true"}
	types := egress.Attributes()
	var list []attribute
	for _, name := range slices.Sorted(maps.Keys(types)) {
		list = append(list, attribute{name, enumspb.IndexedValueType(enumspb.IndexedValueType_shorthandValue[types[name]]), samples[types[name]]})
	}
	return list
}

// EnsureSearchAttributes creates the search attributes that the namespace lacks, and returns their
// names. If the server does not allow it (Temporal Cloud), the error has reason Invalid and holds
// the command that creates them.
func (c *Client) EnsureSearchAttributes(ctx context.Context) ([]string, error) {
	missing, err := c.lacking(ctx)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	var names []string
	add := map[string]enumspb.IndexedValueType{}
	for _, a := range missing {
		names = append(names, a.name)
		add[a.name] = a.kind
	}
	_, err = c.cfg.Temporal.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: c.cfg.Namespace, SearchAttributes: add,
	})
	switch {
	case notAllowed(err):
		return names, &egress.Error{
			Reason: egress.Invalid, Field: "TEMPORAL_NAMESPACE", Err: err,
			Message: fmt.Sprintf("%q lacks search attributes that we are not allowed to add; run: %s", c.cfg.Namespace, c.command(missing)),
		}
	case err != nil && !is[*serviceerror.AlreadyExists](err): // which means that another worker was faster
		return names, errorOf(ctx, "add search attributes", err)
	}
	return names, c.awaitAttributes(ctx)
}

// awaitAttributes waits until the server knows the new attributes: its caches lag. Any that it
// still does not know may exist with another type: the server does not complain when such a one is
// added.
func (c *Client) awaitAttributes(ctx context.Context) error {
	for by := time.Now().Add(c.cfg.AttributesFor); ; {
		missing, err := c.lacking(ctx)
		switch {
		case err != nil || len(missing) == 0:
			return err
		case time.Now().After(by):
			return egress.Invalidf("TEMPORAL_NAMESPACE", "%q does not know the search attribute %s as %s, %s after it was added: check whether it has another type there", c.cfg.Namespace, missing[0].name, missing[0].kind, c.cfg.AttributesFor)
		case !c.pause(ctx):
			return errorOf(ctx, "add search attributes", ctx.Err())
		}
	}
}

// lacking sends a query for each attribute, which any server answers, even without an operator
// service: a query with an unknown name is an invalid argument.
func (c *Client) lacking(ctx context.Context) ([]attribute, error) {
	var missing []attribute
	for _, a := range attributes() {
		_, err := c.count(ctx, a.name+" = "+a.sample)
		switch {
		case is[*serviceerror.InvalidArgument](err):
			missing = append(missing, a)
		case err != nil:
			return nil, errorOf(ctx, "look for search attributes", err)
		}
	}
	return missing, nil
}

func notAllowed(err error) bool {
	return is[*serviceerror.PermissionDenied](err) || is[*serviceerror.Unimplemented](err)
}

// command returns the command that creates the attributes by hand; Temporal Cloud has its own.
func (c *Client) command(missing []attribute) string {
	var own, cloud strings.Builder
	for _, a := range missing {
		fmt.Fprintf(&own, " --name %s --type %s", a.name, a.kind)
		fmt.Fprintf(&cloud, " --search-attribute %s=%s", a.name, a.kind)
	}
	return fmt.Sprintf("temporal operator search-attribute create --namespace %s%s (in Temporal Cloud: tcld namespace search-attributes add --namespace %[1]s%[3]s)",
		c.cfg.Namespace, &own, &cloud)
}
