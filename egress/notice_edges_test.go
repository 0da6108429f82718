package egress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestANoticeOfAMissedWebhookHasItsEvidenceWhereThereIsAny(t *testing.T) {
	t.Parallel()
	for because, want := range map[string]int{"": 0, "the endpoint was away": 1} {
		text := egress.Notice{Concern: egress.ConcernMissed, RequestID: "standup-1", Because: because}.Text()
		require.Equal(t, want, strings.Count(text, "\nEvidence: the endpoint was away.\n"))
		require.Equal(t, want, strings.Count(text, "Evidence"))
		require.True(t, strings.HasSuffix(text, "is the webhook endpoint up, fast and reachable from LiveKit?"))
	}
}

func TestAReasonIsCutForANotice(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Notify, s.Stuck = true, strings.Repeat("x", 2001)
	n, due := s.Notice(egress.ConcernStuck, 0, "standup-1", egress.Summary{})
	require.True(t, due)
	require.Equal(t, s.Stuck[:900], n.Because)
}
