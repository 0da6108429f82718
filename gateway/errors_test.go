package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAStartThatGotNoConnectionBeganNothing(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]egress.Reason{
		"dial": egress.Unavailable, "proxyconnect": egress.Unavailable, "write": egress.Ambiguous, "read": egress.Ambiguous,
	} {
		err := posted(&url.Error{Op: "Post", URL: "https://x", Err: &net.OpError{Op: op, Net: "tcp", Err: io.EOF}})
		require.Equal(t, want, egress.ReasonOf(err), op)
	}
}

func TestEveryReasonHasACodeThatSaysWhatTheCallerCanDo(t *testing.T) {
	t.Parallel()
	want := map[egress.Reason]twirp.ErrorCode{
		egress.Refused: twirp.InvalidArgument, egress.Denied: twirp.Unauthenticated, egress.NotFound: twirp.NotFound,
		egress.AlreadyOver: twirp.FailedPrecondition, egress.Unanswered: twirp.DeadlineExceeded, egress.Unreachable: twirp.Unavailable,
		egress.RateLimited: twirp.ResourceExhausted, egress.Unavailable: twirp.Unavailable, egress.Ambiguous: twirp.DeadlineExceeded,
		egress.NoEcho: twirp.FailedPrecondition, egress.TooLate: twirp.Unavailable, egress.HandedBack: twirp.Unavailable, egress.Invalid: twirp.InvalidArgument,
		egress.Conflict: twirp.AlreadyExists, egress.Sealed: twirp.Internal, egress.StillGoing: twirp.Internal,
		egress.ConsumerFailed: twirp.Internal, egress.HeldBack: twirp.Internal, egress.Internal: twirp.Internal,
	}
	require.Len(t, want, len(egress.Reasons()))
	for _, reason := range egress.Reasons() {
		e := toTwirp(fmt.Errorf("start: %w", &egress.Error{Reason: reason, Message: "why"}))
		require.Equal(t, want[reason], e.Code(), reason)
		require.Equal(t, "why", e.Msg(), reason)
		require.GreaterOrEqual(t, twirp.ServerHTTPStatusFromErrorCode(e.Code()), 400, "an error is never a 200: %s", reason)
	}
}

func TestWhatACallerHearsOfAnError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		code twirp.ErrorCode
		msg  string
	}{
		"LiveKit's own words":           {&egress.Error{Reason: egress.Refused, Code: "out_of_range", Message: "said LiveKit"}, twirp.OutOfRange, "said LiveKit"},
		"a code that is none":           {&egress.Error{Reason: egress.NotFound, Code: "no_such_code", Message: "why"}, twirp.NotFound, "why"},
		"a field of ours":               {&egress.Error{Reason: egress.Invalid, Field: "id", Message: "is wrong"}, twirp.InvalidArgument, "id: is wrong"},
		"a reason without words":        {&egress.Error{Reason: egress.Conflict}, twirp.AlreadyExists, "conflict"},
		"an ID that another one has":    {egress.IDTaken("call-7"), twirp.AlreadyExists, `another request already has the ID "call-7"`},
		"Twirp's own of a redirect":     {twirp.NewError(twirp.Internal, "unexpected HTTP status code 301 received"+whereto+`"https://10.0.0.1/"`), twirp.Internal, "unexpected HTTP status code 301 received"},
		"Twirp's own":                   {twirp.NewError(twirp.NotFound, "no room"), twirp.NotFound, "no room"},
		"Temporal's words stay here":    {fmt.Errorf("%w: %w", egress.ErrTemporal, &egress.Error{Reason: egress.Unavailable, Message: "dial 10.0.0.1"}), twirp.Unavailable, "Temporal does not answer"},
		"but for what it does not know": {&egress.Error{Reason: egress.NotFound, Message: "no recording has the ID", Err: egress.ErrTemporal}, twirp.NotFound, "no recording has the ID"},
		"Temporal took too long":        {fmt.Errorf("%w: %w", egress.ErrTemporal, &egress.Error{Reason: egress.Ambiguous, Message: "x"}), twirp.DeadlineExceeded, "Temporal does not answer"},
		"an address of LiveKit's":       {&egress.Error{Reason: egress.Unreachable, Message: notSent + ": dial 10.0.0.1"}, twirp.Unavailable, "LiveKit not reached"},
		"a call that our time cut":      {&egress.Error{Reason: egress.Ambiguous, Code: "internal", Message: notSent + ": context deadline exceeded"}, twirp.DeadlineExceeded, "no answer in time"},
		"where LiveKit's redirects to":  {&egress.Error{Reason: egress.Refused, Code: "internal", Message: `unexpected HTTP status code 301 "Moved Permanently" received` + whereto + `"https://10.0.0.1/"`}, twirp.Internal, `unexpected HTTP status code 301 "Moved Permanently" received`},
		"the time is up":                {context.DeadlineExceeded, twirp.DeadlineExceeded, "no answer in time"},
		"what should not have happened": {errors.New("secret thing"), twirp.Internal, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := toTwirp(tc.err)
			require.Equal(t, tc.code, e.Code())
			require.Equal(t, tc.msg, e.Msg())
		})
	}
}
