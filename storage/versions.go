package storage

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	gcs "cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"

	"github.com/reelkeeper/reelkeeper/egress"
)

// remover deletes an object that was written, and its version: an object deleted by its path alone
// stays in a bucket that keeps versions. It does not first check whether the object is there,
// which would need one more right.
type remover func(context.Context) error

const textPlain = "text/plain"

// put writes an object, and returns how to delete it again.
func put(ctx context.Context, b *blob.Bucket, d egress.Destination, path string, data []byte) (remover, error) {
	var amazon *s3.Client
	var azure *container.Client
	switch {
	case b.As(&amazon):
		return putS3(ctx, amazon, d, path, data)
	case b.As(&azure):
		return putAzure(ctx, b, azure, path, data)
	default:
		return putGoogle(ctx, b, path, data)
	}
}

// putS3 gives an object the same tags and metadata as LiveKit's uploads: a bucket may accept
// nothing without some tag. It writes past the driver, which does not report the version.
func putS3(ctx context.Context, client *s3.Client, d egress.Destination, path string, data []byte) (remover, error) {
	u := d.Upload.S3
	in := &transfermanager.UploadObjectInput{
		Bucket: &u.Bucket, Key: &path, Body: bytes.NewReader(data), ContentType: aws.String(textPlain), Metadata: u.GetMetadata(),
	}
	if u.GetTagging() != "" {
		in.Tagging = &u.Tagging
	}
	if u.GetContentDisposition() != "" {
		in.ContentDisposition = &u.ContentDisposition
	}
	out, err := transfermanager.New(client, func(o *transfermanager.Options) {
		o.RequestChecksumCalculation = checksums(u)
	}).UploadObject(ctx, in)
	if err != nil {
		return nil, err
	}
	at := s3.DeleteObjectInput{Bucket: in.Bucket, Key: in.Key}
	return func(ctx context.Context) error { return removeS3(ctx, client, d.Field, at, out.VersionID) }, nil
}

// removeS3 deletes a version. If the store does not allow that, or knows no versions, it deletes
// the object by its path, which in a bucket that keeps versions only hides it.
func removeS3(ctx context.Context, client *s3.Client, field string, at s3.DeleteObjectInput, version *string) error {
	byPath := at
	at.VersionId = version
	_, err := client.DeleteObject(ctx, &at)
	if status, _ := answerOf(err); version == nil || status == 0 { // deleted, or nobody answered
		return err
	}
	out, hiding := client.DeleteObject(ctx, &byPath)
	if hiding == nil && !aws.ToBool(out.DeleteMarker) {
		return nil // it reports versions, and keeps none
	}
	return explain(field, "delete the version of "+*at.Key, errors.Join(err, hiding))
}

func putGoogle(ctx context.Context, b *blob.Bucket, path string, data []byte) (remover, error) {
	var w *gcs.Writer
	err := write(ctx, b, path, data, blob.WriterOptions{ContentType: textPlain, BeforeWrite: func(as func(any) bool) error {
		as(&w)
		return nil
	}})
	return func(ctx context.Context) error {
		return b.DeleteWithOptions(ctx, path, &blob.DeleteOptions{BeforeDelete: func(as func(any) bool) error {
			var object **gcs.ObjectHandle
			if w != nil && as(&object) { // with a generation it would retry until the context ends
				*object = (*object).Generation(w.Attrs().Generation).Retryer(gcs.WithPolicy(gcs.RetryNever))
			}
			return nil
		}})
	}, err
}

// putAzure deletes in two steps: the current version cannot be deleted as such.
func putAzure(ctx context.Context, b *blob.Bucket, client *container.Client, path string, data []byte) (remover, error) {
	var answer *http.Response
	err := write(policy.WithCaptureResponse(ctx, &answer), b, path, data, blob.WriterOptions{ContentType: textPlain})
	return func(ctx context.Context) error {
		err := b.Delete(ctx, path)
		if answer == nil || answer.Header.Get("X-Ms-Version-Id") == "" || err != nil {
			return err
		}
		version, err := client.NewBlobClient(path).WithVersionID(answer.Header.Get("X-Ms-Version-Id"))
		if err != nil {
			return err
		}
		_, err = version.Delete(ctx, nil)
		return err
	}, err
}
