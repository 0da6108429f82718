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

// Probe writes a small object beside a destination's output and deletes it and its version. It
// needs no rights beyond those of a recording and that of deletion. If the store refuses, the
// error has the field at fault; for any result except egress.ProbeGood and egress.ProbeUnchecked
// it says what could not be done. It holds no credential.
func (s *Stores) Probe(ctx context.Context, d egress.Destination, name string) (found egress.Probed, err error) {
	found = egress.ProbeUnreachable //nolint:wastedassign // not where the client panics
	defer readable(d.Field, &err)
	if !d.Upload.HasKeys() || d.Upload.Store() == egress.StoreAliOSS {
		return egress.ProbeUnchecked, nil
	}
	if e := d.Upload.S3.GetEndpoint(); e != "" && !strings.Contains(e, "://") { // we would add it, but LiveKit's uploader does not
		return egress.ProbeRefused, egress.Invalidf(d.Field+".endpoint", "must begin with https:// or http://: LiveKit's egress service cannot upload without it")
	}
	b, err := s.Open(ctx, d)
	if err != nil {
		return opening(d, err)
	}
	defer func() { _ = b.Close() }() // nothing is buffered
	path := d.ProbePath(name)
	remove, err := put(ctx, b.blobs, d, path, []byte("Written by Reelkeeper to see whether a recording can be. It may be deleted.\n"))
	if err != nil {
		return refusal(d, path, err)
	}
	if err := remove(ctx); err != nil {
		return egress.ProbeUndeleted, explain(d.Field, "delete "+path, err)
	}
	return egress.ProbeGood, nil
}

// opening returns the result for a store that could not even be opened. A configuration fault will
// fail LiveKit as well.
func opening(d egress.Destination, err error) (egress.Probed, error) {
	e, ok := errors.AsType[*egress.Error](err)
	if ok && e.Reason == egress.Invalid && strings.HasPrefix(e.Field, d.Field+".") {
		return egress.ProbeRefused, err
	}
	return egress.ProbeUnreachable, err
}

// refusal names the path where the result is not conclusive: the store may have taken the object,
// and only its answer was lost.
func refusal(d egress.Destination, path string, err error) (egress.Probed, error) {
	status, code := answerOf(err)
	if otherClock(err) {
		status, code = 0, "" // what LiveKit signs may well be accepted
	}
	if code == egress.NoToken && status != http.StatusBadRequest && status != http.StatusUnauthorized {
		code, status = "", 0 // the token server may be down as well as refuse
	}
	if e := d.Fault(status, code); e != nil {
		return egress.ProbeRefused, e
	}
	return egress.ProbeUnreachable, explain(d.Field, "write "+path, err)
}

// mostSkew is within what Google and Azure tolerate of a clock: Azure 15 min according to its
// documentation.
const mostSkew = 5 * time.Minute

// otherClock reports whether our clock may be why a store refused: Google's tokens and Azure's
// signatures carry a time, and are refused like a wrong key if it is off. Amazon has a code of its
// own for that.
func otherClock(err error) bool {
	_, at := refusedToken(err)
	if azure, ok := errors.AsType[*azcore.ResponseError](err); ok && azure.RawResponse != nil {
		at = azure.RawResponse.Header.Get("Date")
	}
	theirs, err := http.ParseTime(at)
	return err == nil && time.Since(theirs).Abs() > mostSkew
}
