package activities

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The vector is from the standard's own documentation.
func TestASignatureIsTheOneThatTheStandardGives(t *testing.T) {
	t.Parallel()
	signers, err := standardSigners(map[string][]string{"a": {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}})
	require.NoError(t, err)
	h := http.Header{}
	require.NoError(t, signers["a"].sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)))
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", h.Get("webhook-signature"))
	require.Equal(t, "msg_p5jXN8AQM9LWM0D4loKWxJek", h.Get("webhook-id"))
	require.Equal(t, "1614265330", h.Get("webhook-timestamp"))
}
