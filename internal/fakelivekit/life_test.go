package fakelivekit_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func readAll(t *testing.T, r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil { // called from a handler, not from the test's goroutine
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

func TestARecordingEndsWithItsCall(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{Call: 2 * time.Second})
	id := f.record("daily")
	got := f.ended(id).EgressInfo
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, got.Status)
	require.Equal(t, "End reason: Source closed", got.Details)
}
