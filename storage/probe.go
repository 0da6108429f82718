package storage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/livekit/protocol/livekit"
	"gocloud.dev/blob"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Probe writes a small object beside a destination's output and deletes it again, with
// nothing but the rights that a recording needs, and that of deletion. The error has
// the field at fault where the store refuses, and says what could not be done where
// anything but egress.ProbeGood or egress.ProbeUnchecked is found. It holds no credential.
func (s *Stores) Probe(ctx context.Context, d egress.Destination, name string) (found egress.Probed, err error) {
	found = egress.ProbeUnreachable //nolint:wastedassign // not where the client panics
	defer readable(d.Field, &err)
	if !d.Upload.HasKeys() || d.Upload.Store() == egress.StoreAliOSS {
		return egress.ProbeUnchecked, nil
	}
	b, err := s.Open(ctx, d)
	if err != nil {
		return opening(d, err)
	}
	defer func() { _ = b.Close() }() // nothing is buffered
	path := d.ProbePath(name)
	err = write(ctx, b.blobs, path, []byte("Written by Reelkeeper to see whether a recording can be. It may be deleted.\n"), asUploaded(d.Upload.S3))
	if err != nil {
		return refusal(d, err)
	}
	if err := remove(ctx, b.blobs, d.Upload.S3.GetBucket(), path); err != nil {
		return egress.ProbeUndeleted, explain(d.Field, "delete "+path, err)
	}
	return egress.ProbeGood, nil
}

// asUploaded has an object carry what LiveKit's uploads do: a bucket may take nothing without
// some tag.
func asUploaded(u *livekit.S3Upload) blob.WriterOptions {
	o := blob.WriterOptions{ContentType: "text/plain", Metadata: u.GetMetadata(), ContentDisposition: u.GetContentDisposition()}
	o.BeforeWrite = func(as func(any) bool) error {
		var in *transfermanager.UploadObjectInput
		if tags := u.GetTagging(); tags != "" && as(&in) {
			in.Tagging = &tags
		}
		return nil
	}
	return o
}

// remove deletes an object, and does not look first whether it is there: that would need
// a right more.
func remove(ctx context.Context, b *blob.Bucket, name, path string) error {
	var client *s3.Client
	if !b.As(&client) {
		return b.Delete(ctx, path)
	}
	_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: &path})
	return err
}

// opening is what became of a store that could not even be opened. A fault of its
// configuration is LiveKit's to find as well.
func opening(d egress.Destination, err error) (egress.Probed, error) {
	e, ok := errors.AsType[*egress.Error](err)
	if ok && e.Reason == egress.Invalid && strings.HasPrefix(e.Field, d.Field+".") {
		return egress.ProbeRefused, err
	}
	return egress.ProbeUnreachable, err
}

func refusal(d egress.Destination, err error) (egress.Probed, error) {
	status, code := answerOf(err)
	if otherClock(err) {
		status, code = 0, "" // what LiveKit signs may well be taken
	}
	if code == noToken { // whoever gives out tokens may be away as well as say no
		code = ""
		if status != http.StatusBadRequest && status != http.StatusUnauthorized {
			status = 0
		}
	}
	if e := d.Fault(status, code); e != nil {
		return egress.ProbeRefused, e
	}
	return egress.ProbeUnreachable, explain(d.Field, "write", err)
}

// mostSkew is within what Google and Azure forgive a clock: Azure 15 min by its documents.
const mostSkew = 5 * time.Minute

// otherClock reports whether a refusal may be of our clock: Google's tokens and Azure's
// signatures are of a time, and refused as a wrong key is when it is not theirs. Amazon has a
// code of its own for that.
func otherClock(err error) bool {
	_, at := refusedToken(err)
	if azure, ok := errors.AsType[*azcore.ResponseError](err); ok && azure.RawResponse != nil {
		at = azure.RawResponse.Header.Get("Date")
	}
	theirs, err := http.ParseTime(at)
	return err == nil && time.Since(theirs).Abs() > mostSkew
}
