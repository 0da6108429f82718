package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	gcs "cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/reelkeeper/reelkeeper/egress"
)

// callTimeout bounds one call except a read of media. Some clients would retry forever.
const callTimeout = 20 * time.Second

// Bucket is one opened store. Paths are those of LiveKit's results. All errors are
// *egress.Error and hold no credential:
//
//	NotFound     there is no such object, or no such bucket
//	Denied       the store says no to the credentials
//	Invalid      the store says no to the request; Field names the configuration
//	Unreachable  the store does not answer, or not now
type Bucket struct {
	field   string
	local   string // the directory of local files
	renames bool   // its driver asks for some objects by another name
	blobs   *blob.Bucket
}

// Close releases what Open acquired.
func (b *Bucket) Close() error { return b.blobs.Close() }

// Stat returns an object's size and when it was written.
func (b *Bucket) Stat(ctx context.Context, path string) (o egress.Object, err error) {
	defer readable(b.field, &err)
	key, err := b.key(path)
	if err != nil {
		return egress.Object{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	attrs, err := b.blobs.Attributes(ctx, key)
	if err != nil {
		return egress.Object{}, explain(b.field, "look at the object", err)
	}
	return egress.Object{Path: path, Size: attrs.Size, Modified: written(attrs.ModTime, attrs.As)}, nil
}

// written returns when an object was written. At Google, the time of the last change is also that of
// a change to metadata, or of the storage class by a lifecycle rule, while each overwrite is a
// creation. At Azure, what is overwritten keeps its time of creation, so the last change counts.
func written(changed time.Time, as func(any) bool) time.Time {
	var attrs gcs.ObjectAttrs
	if as(&attrs) {
		return attrs.Created
	}
	return changed
}

// longestNames bounds the names of one list, in bytes, since its pages may go on without an end. Of
// 50,000 objects, each may have 167.
const longestNames = 8 << 20

// List returns at most limit objects whose path begins with a prefix, ordered by name. If their
// names are longer than longestNames in all, or one is longer than any store's, the error has
// reason Invalid.
func (b *Bucket) List(ctx context.Context, prefix string, limit int) ([]egress.Object, error) {
	key, err := b.key(prefix)
	if err != nil {
		return nil, err
	}
	if key == "./" || key == "." {
		key = ""
	}
	var objects []egress.Object
	named := 0
	for it := b.blobs.List(&blob.ListOptions{Prefix: key, BeforeList: listFields}); len(objects) < limit; {
		next, err := b.next(ctx, it)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, explain(b.field, "list", err)
		}
		name := ownName(next)
		if named += len(name); len(name) > longestKey*utf8.UTFMax || named > longestNames {
			return nil, egress.Invalidf(b.field, "cannot list: the store's names are longer than %d bytes, or %d in all", longestKey*utf8.UTFMax, longestNames)
		}
		objects = append(objects, egress.Object{Path: b.path(name, prefix), Size: next.Size, Modified: written(next.ModTime, next.As)})
	}
	return objects, nil
}

func (b *Bucket) next(ctx context.Context, it *blob.ListIterator) (o *blob.ListObject, err error) {
	defer readable(b.field, &err)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return it.Next(ctx)
}

// Read returns an object's bytes from an offset on. The caller closes the reader.
func (b *Bucket) Read(ctx context.Context, path string, offset int64) (media io.ReadCloser, err error) {
	defer readable(b.field, &err)
	key, err := b.key(path)
	if err != nil {
		return nil, err
	}
	r, err := b.blobs.NewRangeReader(context.WithValue(ctx, passedOn{}, true), key, offset, -1, nil)
	if err != nil {
		return nil, explain(b.field, "read", err)
	}
	return r, nil
}

// Create writes a new object. An existing one stays as it is, and the error has reason Conflict.
func (b *Bucket) Create(ctx context.Context, path, contentType string, data []byte) (err error) {
	defer readable(b.field, &err)
	key, err := b.key(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if there, err := b.blobs.Exists(ctx, key); err != nil {
		return explain(b.field, "look at the object", err)
	} else if there {
		return &egress.Error{Reason: egress.Conflict, Field: b.field, Message: "the object already exists"}
	}
	err = write(ctx, b.blobs, key, data, blob.WriterOptions{ContentType: contentType, IfNotExist: true})
	if status, _ := answerOf(err); status == http.StatusNotImplemented { // it rejects the condition, and the object was not there just now
		err = write(ctx, b.blobs, key, data, blob.WriterOptions{ContentType: contentType})
	}
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return &egress.Error{Reason: egress.Conflict, Field: b.field, Message: "the object already exists"}
	}
	return explain(b.field, "write", err)
}

// write writes an object in one request. It does not use WriteAll, which goes through a pipe whose
// end Azure's driver may close after a refusal has already removed it, which panics (go-cloud's
// azureblob up to 0.48; s3blob's was fixed by its pull request 3480).
func write(ctx context.Context, to *blob.Bucket, key string, data []byte, o blob.WriterOptions) error {
	o.DisableContentTypeDetection = true
	return to.Upload(ctx, key, bytes.NewReader(data), &o)
}
