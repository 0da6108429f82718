package recordings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestARoundIsToldWhatVisibilityShowsOfAWorkflow(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	closed := began.Add(time.Hour)
	row := Row{RequestID: "r", EgressID: "EG_1", Room: "standup", StartedAt: began, Status: "EGRESS_ACTIVE"}
	want := egress.Ours{RequestID: "r", EgressID: "EG_1", Room: "standup", StartedAt: began, Status: "EGRESS_ACTIVE"}
	require.Equal(t, want, oursOf(row))

	row.EndedBy, want.Over = egress.FromPoll, true
	require.Equal(t, want, oursOf(row))

	row.ClosedAt, want.ClosedAt = &closed, closed
	require.Equal(t, want, oursOf(row))
	row.EndedBy = ""
	require.Equal(t, want, oursOf(row))
}
