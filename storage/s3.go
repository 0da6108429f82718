package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/livekit/protocol/livekit"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/reelkeeper/reelkeeper/egress"
)

// anyRegion is used if none is named: stores other than Amazon's accept any.
const anyRegion = "us-east-1"

func (s *Stores) openS3(ctx context.Context, field string, u *livekit.S3Upload) (*blob.Bucket, error) {
	if u.GetBucket() == "" {
		return nil, egress.Invalidf(field+".bucket", "is missing")
	}
	endpoint, err := endpointOf(field, u.GetEndpoint())
	if err != nil {
		return nil, err
	}
	proxy, err := proxyOf(field, u.GetProxy().GetUrl(), u.GetProxy().GetUsername(), u.GetProxy().GetPassword())
	if err != nil {
		return nil, err
	}
	client := s.client(proxy)
	cfg := aws.Config{HTTPClient: client}
	if cfg.Credentials, err = credentialsOf(ctx, field, u); err != nil {
		return nil, err
	}
	if cfg.Region, err = regionOf(ctx, field, client, u); err != nil {
		return nil, err
	}
	if role := u.GetAssumeRoleArn(); role != "" {
		cfg.BaseEndpoint = endpoint // LiveKit, too, asks there for the role: MinIO and Ceph give out their own
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role, func(o *stscreds.AssumeRoleOptions) {
			if id := u.GetAssumeRoleExternalId(); id != "" {
				o.ExternalID = &id
			}
		}))
	}
	return s3blob.OpenBucket(ctx, s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.BaseEndpoint = endpoint
		o.UsePathStyle = u.GetForcePathStyle()
		o.RetryMaxAttempts = 1 // Temporal retries
		o.RequestChecksumCalculation = checksums(u)
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}), u.GetBucket(), &s3blob.Options{RequestChecksumCalculation: checksums(u)})
}

// checksums says when an upload has a checksum: always for Amazon, whose buckets with a default
// retention take no other, and only where it must for stores that merely speak the protocol, not all
// of which know Amazon's new ones.
func checksums(u *livekit.S3Upload) aws.RequestChecksumCalculation {
	if e := u.GetEndpoint(); e == "" || strings.Contains(e, ".amazonaws.com") {
		return aws.RequestChecksumCalculationWhenSupported
	}
	return aws.RequestChecksumCalculationWhenRequired
}

// endpointOf returns the endpoint of a store other than Amazon's, nil for Amazon's.
func endpointOf(field, endpoint string) (*string, error) {
	if endpoint == "" {
		return nil, nil //nolint:nilnil // Amazon's own has none
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, egress.Invalidf(field+".endpoint", "is not the URL of a store")
	}
	return &endpoint, nil
}

// credentialsOf returns the request's key, or the worker's own as Amazon's tools find it. The
// worker's key is used only with Amazon: a host that a request names must not see what is signed
// with it.
func credentialsOf(ctx context.Context, field string, u *livekit.S3Upload) (aws.CredentialsProvider, error) {
	switch {
	case u.GetAccessKey() != "" && u.GetSecret() == "":
		return nil, &egress.Error{Reason: egress.Denied, Field: field + ".secret", Message: "is missing although access_key is set, and LiveKit's own key is not known here"}
	case u.GetAccessKey() != "":
		return credentials.NewStaticCredentialsProvider(u.GetAccessKey(), u.GetSecret(), u.GetSessionToken()), nil
	case u.GetEndpoint() != "":
		return nil, &egress.Error{Reason: egress.Denied, Field: field + ".access_key", Message: "is missing, and the worker's own key is only for Amazon"}
	}
	own, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, noKey(field, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := own.Credentials.Retrieve(ctx); err != nil {
		// The machine's metadata are asked last: there is no key elsewhere, and none there.
		last, ok := errors.AsType[*smithy.OperationError](err)
		if ok && last.ServiceID == "ec2imds" && !busy(err) && ctx.Err() == nil {
			err = noKey(field, err)
		}
		return nil, err
	}
	return own.Credentials, nil
}

// busy reports whether an answer is temporary.
func busy(err error) bool {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && (answer.HTTPStatusCode() == http.StatusTooManyRequests || answer.HTTPStatusCode() >= http.StatusInternalServerError)
}

func noKey(field string, err error) error {
	return &egress.Error{Reason: egress.Denied, Field: field + ".access_key", Message: "is missing, and the worker has no key of its own", Err: err}
}

// regionOf returns the region of a bucket. Amazon tells it to anybody.
func regionOf(ctx context.Context, field string, client *http.Client, u *livekit.S3Upload) (string, error) {
	switch {
	case u.GetRegion() != "":
		return u.GetRegion(), nil
	case u.GetEndpoint() != "":
		return anyRegion, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://s3.amazonaws.com/"+url.PathEscape(u.GetBucket()), nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	switch region := res.Header.Get("X-Amz-Bucket-Region"); {
	case region != "":
		return region, nil
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= http.StatusInternalServerError:
		return "", &egress.Error{Reason: egress.Unreachable, Field: field + ".region", Message: fmt.Sprintf("is not set, and Amazon answers %d when asked for it", res.StatusCode)}
	}
	return anyRegion, nil // no such bucket: the first call will say so
}
