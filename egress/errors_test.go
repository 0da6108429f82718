package egress_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAnErrorSaysFirstWhatIsAtFault(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*egress.Error{
		"id: is wrong":                 {Reason: egress.Invalid, Field: "id", Code: "invalid_argument", Message: "is wrong"},
		"not_found: no such room":      {Reason: egress.NotFound, Code: "not_found", Message: "no such room"},
		"no connection":                {Reason: egress.Unreachable, Message: "no connection"},
		"EOF":                          {Reason: egress.Ambiguous, Err: io.EOF},
		"unavailable: EOF":             {Reason: egress.Ambiguous, Code: "unavailable", Err: io.EOF},
		"the message before its cause": {Reason: egress.Ambiguous, Message: "the message before its cause", Err: io.EOF},
	} {
		require.EqualError(t, e, want)
	}
}

func TestAnErrorShowsItsCause(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, fmt.Errorf("start egress: %w", &egress.Error{Err: io.EOF}), io.EOF)
	require.NoError(t, errors.Unwrap(&egress.Error{}))
}

func TestEveryErrorHasAReasonAndNoErrorHasNone(t *testing.T) {
	t.Parallel()
	require.Empty(t, egress.ReasonOf(nil))
	require.Equal(t, egress.Internal, egress.ReasonOf(io.EOF))
	require.Equal(t, egress.NoEcho, egress.ReasonOf(fmt.Errorf("start egress: %w", &egress.Error{Reason: egress.NoEcho})))
}

func TestNothingWasSentOnlyWhereThereWasNoConnection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"no connection":              {&net.OpError{Op: "dial", Err: io.EOF}, true},
		"no connection to the proxy": {&net.OpError{Op: "proxyconnect", Err: &net.OpError{Op: "dial", Err: io.EOF}}, true},
		"wrapped":                    {fmt.Errorf("start egress: %w", &net.OpError{Op: "dial", Err: io.EOF}), true},
		"cut while sending":          {&net.OpError{Op: "write", Err: io.EOF}, false},
		"cut before the answer":      {&net.OpError{Op: "read", Err: io.EOF}, false},
		"no answer":                  {io.EOF, false},
		"no error":                   {nil, false},
	} {
		require.Equal(t, tc.want, egress.NotConnected(tc.err), name)
	}
}

func TestAnIDThatAnotherRequestHasIsAConflictWithIt(t *testing.T) {
	t.Parallel()
	err := egress.IDTaken("standup-1")
	require.Equal(t, egress.Conflict, egress.ReasonOf(err))
	require.EqualError(t, err, `already_exists: another request already has the ID "standup-1"`)
}
