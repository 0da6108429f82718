package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// maxAnswer caps what is read of LiveKit's answer, in bytes. The answer to a start has a few KiB,
// and so has each egress of a list, which covers a day.
const maxAnswer = 64 << 20

// upstream is LiveKit, called with the caller's own token, so that what LiveKit allows and lists is
// what the caller would have got without us.
type upstream struct {
	base   string
	client *http.Client
	egress livekit.Egress
}

// bare returns a URL without its user and query, which may hold a secret.
func bare(u *url.URL) *url.URL {
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
}

func newUpstream(at *url.URL) upstream {
	// Like the proxy, it follows no redirect: that would carry the token elsewhere.
	client := &http.Client{Transport: transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	base := strings.TrimSuffix(at.String(), "/")
	return upstream{base: base, client: client, egress: livekit.NewEgressProtobufClient(base, client)}
}

// list requests LiveKit's list.
func (u upstream) list(ctx context.Context, token string, r *livekit.ListEgressRequest) (*livekit.ListEgressResponse, error) {
	list, err := u.egress.ListEgress(as(ctx, token), r)
	return list, sent(err)
}

// as returns a context in which the generated client calls in somebody's name.
func as(ctx context.Context, token string) context.Context {
	ctx, _ = twirp.WithHTTPRequestHeaders(ctx, http.Header{"Authorization": {bearer + token}}) // it refuses only Twirp's own headers
	return ctx
}

// reply is what LiveKit answered.
type reply struct {
	status      int
	contentType string
	body        []byte
}

// post sends a JSON body as it is.
func (u upstream) post(ctx context.Context, token, method string, body []byte) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.base+livekit.EgressPathPrefix+method, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("forward: %w", err)
	}
	r.Header.Set("Authorization", bearer+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := u.client.Do(r)
	if err != nil {
		return reply{}, posted(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return reply{}, posted(err)
	}
	if len(answer) > maxAnswer {
		return reply{}, &egress.Error{Reason: egress.Ambiguous, Message: fmt.Sprintf("LiveKit's answer has over %d bytes", maxAnswer)}
	}
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), answer}, nil
}

// refusal is the error in an answer that is one.
func (r reply) refusal() twirp.Error {
	var said struct {
		Code twirp.ErrorCode `json:"code"`
		Msg  string          `json:"msg"`
	}
	if json.Unmarshal(r.body, &said) == nil && said.Code != twirp.NoError && twirp.IsValidErrorCode(said.Code) {
		return twirp.NewError(said.Code, said.Msg)
	}
	return twirp.NewError(twirp.Unknown, fmt.Sprintf("HTTP status %d", r.status))
}

// posted classifies a start without an answer: LiveKit may have done it, unless there was no
// connection.
func posted(err error) error {
	if egress.NotConnected(err) {
		return &egress.Error{Reason: egress.Unavailable, Message: notSent, Err: err}
	}
	return &egress.Error{Reason: egress.Ambiguous, Message: notSent, Err: err}
}

// sent distinguishes a call that got no answer from one that LiveKit answered with an error.
func sent(err error) error {
	var lost *url.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, io.ErrUnexpectedEOF):
		return &egress.Error{Reason: egress.Ambiguous, Message: notSent, Err: err}
	case errors.As(err, &lost):
		return &egress.Error{Reason: egress.Unavailable, Message: notSent, Err: err}
	}
	return err
}
