package storage

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/livekit/protocol/livekit"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Names as Azure allows them. They become part of a URL, so nothing else may.
var (
	accountName   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	containerName = regexp.MustCompile(`^[a-z0-9$][a-z0-9-]{1,62}$`)
)

func (s *Stores) openAzure(ctx context.Context, field string, u *livekit.AzureBlobUpload) (*blob.Bucket, error) {
	switch {
	case !accountName.MatchString(u.GetAccountName()):
		return nil, egress.Invalidf(field+".account_name", "is not a valid storage account name")
	case !containerName.MatchString(u.GetContainerName()):
		return nil, egress.Invalidf(field+".container_name", "is not a valid container name")
	}
	at := "https://" + u.GetAccountName() + ".blob.core.windows.net/" + u.GetContainerName()
	client, err := s.containerOf(at, field, u)
	if err != nil {
		return nil, err
	}
	return azureblob.OpenBucket(ctx, client, nil)
}

// containerOf opens the container with the request's key, or with the worker's own identity.
func (s *Stores) containerOf(at, field string, u *livekit.AzureBlobUpload) (*container.Client, error) {
	opts := &container.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:       s.client(nil),
		Retry:           policy.RetryOptions{MaxRetries: -1}, // Temporal retries
		PerCallPolicies: []policy.Policy{ownNames{}},         // before a request is signed
	}}
	if u.GetAccountKey() != "" {
		key, err := azblob.NewSharedKeyCredential(u.GetAccountName(), u.GetAccountKey())
		if err != nil {
			return nil, egress.Invalidf(field+".account_key", "is not a storage account key") // not shown: it may be one
		}
		return container.NewClientWithSharedKeyCredential(at, key, opts)
	}
	own, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, &egress.Error{Reason: egress.Denied, Field: field + ".account_key", Message: "is missing, and the worker has no identity of its own", Err: err}
	}
	return container.NewClient(at, own, opts)
}

// ownNames asks for blobs by the names that LiveKit gave them. go-cloud's driver writes some
// characters of a name in hexadecimal, such as the # of a room, so that it would look for Team
// __0x23__1 instead of Team #1.
type ownNames struct{}

var hexadecimal = regexp.MustCompile(`__0x([0-9a-f]{1,6})__`)

// Do restores the request's path, and the prefix of a list.
func (ownNames) Do(req *policy.Request) (*http.Response, error) {
	u := req.Raw().URL
	u.RawPath = hexadecimal.ReplaceAllStringFunc(u.EscapedPath(), func(s string) string { return url.PathEscape(plain(s)) })
	var err error
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, err
	}
	if query := u.Query(); hexadecimal.MatchString(query.Get("prefix")) {
		query.Set("prefix", hexadecimal.ReplaceAllStringFunc(query.Get("prefix"), plain))
		u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // Azure signs a + as it is
	}
	return req.Next()
}

// plain returns the character that is written in hexadecimal.
func plain(s string) string {
	c, err := strconv.ParseInt(hexadecimal.FindStringSubmatch(s)[1], 16, 32)
	if err != nil {
		return s
	}
	return string(rune(c))
}

// ownName returns the name of a listed object: from Azure the blob's own, since go-cloud's driver reads
// what looks like hexadecimal in it.
func ownName(o *blob.ListObject) string {
	var item container.BlobItem
	if o.As(&item) && item.Name != nil {
		return *item.Name
	}
	return o.Key
}
