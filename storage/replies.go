package storage

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/reelkeeper/reelkeeper/egress"
)

// longestReply is how long a reply may be that a client keeps whole, in bytes: any but media.
// A page of 1,000 objects with the longest names is some 2 MB with Amazon, and more with Azure.
const longestReply = 4 << 20

// passedOn marks the context of a call whose reply is passed on as it comes.
type passedOn struct{}

func passOn(ctx context.Context) context.Context {
	return context.WithValue(ctx, passedOn{}, true)
}

// client reaches a store whose replies are bounded: a host that a request names could list
// without an end, and fill the worker's memory.
func (s *Stores) client(proxy *url.URL) *http.Client {
	c := *s.cfg.Client(proxy)
	c.Transport = brief{cmp.Or(c.Transport, http.DefaultTransport)}
	return &c
}

// brief bounds all replies but those that are passed on.
type brief struct{ next http.RoundTripper }

// RoundTrip bounds the reply of the transport behind it.
func (b brief) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil && r.Context().Value(passedOn{}) == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, longestReply)
	}
	return res, err
}

// readable makes an error of a client's panic: an answer that its authors did not expect, such
// as a list of objects without their times, must end no process.
func readable(field string, err *error) {
	if p := recover(); p != nil {
		*err = &egress.Error{Reason: egress.Invalid, Field: field, Message: "the store's answer cannot be read", Err: fmt.Errorf("panic: %v", p)}
	}
}
