package storage

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"

	"github.com/reelkeeper/reelkeeper/egress"
)

// longestReply is the longest reply that a client reads whole, in bytes: any reply except media. A
// page of 1,000 objects with the longest names is some 2 MB at Amazon, and more at Azure.
const longestReply = 4 << 20

// passedOn marks the context of a call whose reply is streamed to the caller.
type passedOn struct{}

// client returns a client that bounds a store's replies: a host that a request names could list
// endlessly, and fill the worker's memory.
func (s *Stores) client(proxy *url.URL) *http.Client {
	c := *s.cfg.Client(proxy)
	c.Transport = capped{cmp.Or(c.Transport, http.DefaultTransport)}
	return &c
}

// capped bounds all replies except those that are streamed to the caller.
type capped struct{ next http.RoundTripper }

// RoundTrip bounds the reply of the underlying transport.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err == nil && r.Context().Value(passedOn{}) == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, longestReply)
	}
	return res, err
}

// readable turns a client's panic into an error: an answer that its authors did not expect, such
// as a list of objects without times, must not end the process.
func readable(field string, err *error) {
	if p := recover(); p != nil {
		*err = &egress.Error{Reason: egress.Invalid, Field: field, Message: "the store's answer cannot be read", Err: fmt.Errorf("panic: %v", p)}
	}
}
