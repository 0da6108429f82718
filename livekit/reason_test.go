package livekit_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// codes holds every code of Twirp's, and what it means for a start and for a stop. All other calls
// are read like a start.
var codes = []struct {
	code        twirp.ErrorCode
	start, stop egress.Reason
}{
	{twirp.InvalidArgument, egress.Refused, egress.Refused},
	{twirp.Malformed, egress.Refused, egress.Refused},
	{twirp.OutOfRange, egress.Refused, egress.Refused},
	{twirp.AlreadyExists, egress.Ambiguous, egress.Ambiguous},
	{twirp.Unimplemented, egress.Refused, egress.Refused},
	{twirp.BadRoute, egress.Refused, egress.Refused},
	{twirp.FailedPrecondition, egress.Refused, egress.AlreadyOver},
	{twirp.Unauthenticated, egress.Denied, egress.Denied},
	{twirp.PermissionDenied, egress.Denied, egress.Denied},
	{twirp.NotFound, egress.NotFound, egress.NotFound},
	{twirp.ResourceExhausted, egress.RateLimited, egress.RateLimited},
	{twirp.DeadlineExceeded, egress.Ambiguous, egress.Unanswered},
	{twirp.Canceled, egress.Ambiguous, egress.Ambiguous},
	{twirp.Unknown, egress.Ambiguous, egress.Ambiguous},
	{twirp.Aborted, egress.Ambiguous, egress.Ambiguous},
	{twirp.Internal, egress.Ambiguous, egress.Ambiguous},
	{twirp.Unavailable, egress.Ambiguous, egress.Ambiguous},
	{twirp.DataLoss, egress.Ambiguous, egress.Ambiguous},
}

func TestEveryCodeOfTwirpHasAReason(t *testing.T) {
	t.Parallel()
	const message = "what LiveKit said"
	for _, tc := range codes {
		t.Run(string(tc.code), func(t *testing.T) {
			t.Parallel()
			require.True(t, twirp.IsValidErrorCode(tc.code))
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = twirp.WriteError(w, twirp.NewError(tc.code, message)) // the caller is gone
			}))
			c := at(s.url)
			for call, got := range map[string]struct {
				err  error
				want egress.Reason
			}{
				"start": {second(c.Start(t.Context(), request())), tc.start},
				"stop":  {second(c.Stop(t.Context(), "EG_1")), tc.stop},
				"ask":   {c.Answers(t.Context(), "EG_1"), tc.stop},
				"get":   {second(c.Get(t.Context(), "EG_1")), tc.start},
				"list":  {second(c.InRoom(t.Context(), "standup")), tc.start},
				"share": {second(c.Active(t.Context())), tc.start},
				"rooms": {second(c.Room(t.Context(), "standup", "")), tc.start},
			} {
				e := failure(t, got.err)
				require.Equal(t, got.want, e.Reason, call)
				require.Equal(t, string(tc.code), e.Code, call)
				require.Equal(t, message, e.Message, call)
				require.ErrorAs(t, got.err, new(twirp.Error), call)
			}
			require.EqualValues(t, 7, s.calls.Load(), "no call is repeated")
		})
	}
}

// livekit-server passes on what psrpc says; before 1.9.1, to a stop as well.
func TestAWorkerThatDoesNotAnswerIsKnownByItsWords(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"no response from servers", "twirp error unknown: no response from servers"} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = twirp.WriteError(w, twirp.NewError(twirp.Unavailable, words))
		}))
		c := at(s.url)
		require.Equal(t, egress.Unanswered, failure(t, second(c.Stop(t.Context(), "EG_1"))).Reason)
		require.Equal(t, egress.Unanswered, failure(t, c.Answers(t.Context(), "EG_1")).Reason)
		require.Equal(t, egress.Ambiguous, failure(t, second(c.Start(t.Context(), request()))).Reason)
	}
}

// Only the worker knows whether there are streams.
func TestAWorkerWithoutStreamsAnswersByItsWords(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]egress.Reason{
		"UpdateStream called on non-streaming egress":                      "",
		"twirp error unknown: UpdateStream called on non-streaming egress": "",
		"nothing to add or remove":                                         egress.Refused, // anybody may say so
	} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = twirp.WriteError(w, twirp.NewError(twirp.InvalidArgument, said))
		}))
		require.Equal(t, want, egress.ReasonOf(at(s.url).Answers(t.Context(), "EG_1")))
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

func TestTheTableOfCodesIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[twirp.ErrorCode]bool{}
	for _, tc := range codes {
		require.False(t, seen[tc.code], "%s is there twice", tc.code)
		seen[tc.code] = true
	}
	require.Len(t, seen, 18, "Twirp has 18 codes")
}

func TestACodeThatTwirpDoesNotKnowIsAmbiguous(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusTeapot, "application/json", `{"code":"teapot","msg":"short and stout"}`))
	require.Equal(t, egress.Ambiguous, failure(t, second(at(s.url).Start(t.Context(), request()))).Reason)
}

func TestARefusalIsQuotedWithoutTheKeyOfAStream(t *testing.T) {
	t.Parallel()
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = twirp.WriteError(w, twirp.NewError(twirp.InvalidArgument, "invalid url rtmps://a.example/k3y: rtmp urls must be of format")) // the caller is gone
	}))
	e := failure(t, second(at(s.url).Start(t.Context(), request())))
	require.Equal(t, "invalid url rtmps://a.example/{redacted} rtmp urls must be of format", e.Message)
	require.NotContains(t, e.Error(), "k3y")
}
