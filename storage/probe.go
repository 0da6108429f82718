package storage

import (
	"context"
	"errors"
	"strings"

	"gocloud.dev/blob"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Probe writes a small object beside a destination's output and deletes it again, with
// nothing but the rights that a recording needs, and that of deletion. The error has
// the field at fault where the store refuses, and says what could not be done where
// anything but egress.ProbeGood or egress.ProbeUnchecked is found. It holds no credential.
func (s *Stores) Probe(ctx context.Context, d egress.Destination, name string) (egress.Probed, error) {
	if !d.Upload.HasKeys() || d.Upload.Store() == egress.StoreAliOSS {
		return egress.ProbeUnchecked, nil
	}
	b, err := s.Open(ctx, d)
	if err != nil {
		return opening(d, err)
	}
	defer func() { _ = b.Close() }() // nothing is buffered
	path := d.ProbePath(name)
	err = b.blobs.WriteAll(ctx, path, []byte("Written by Reelkeeper to see whether a recording can be. It may be deleted.\n"), &blob.WriterOptions{
		ContentType: "text/plain", DisableContentTypeDetection: true,
	})
	if err != nil {
		return refusal(d, err)
	}
	if err := b.blobs.Delete(ctx, path); err != nil {
		return egress.ProbeUndeleted, explain(d.Field, "delete "+path, err)
	}
	return egress.ProbeGood, nil
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
	if e := d.Fault(answerOf(err)); e != nil {
		return egress.ProbeRefused, e
	}
	return egress.ProbeUnreachable, explain(d.Field, "write", err)
}
