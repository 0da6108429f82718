package storage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Probe writes a small object beside a destination's output and deletes it again, and its
// version, with nothing but the rights that a recording needs, and that of deletion. The error has
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
	remove, err := put(ctx, b.blobs, d, path, []byte("Written by Reelkeeper to see whether a recording can be. It may be deleted.\n"))
	if err != nil {
		return refusal(d, err)
	}
	if err := remove(ctx); err != nil {
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
