package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheNamesOfStepsAreKeptInHistories(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"announce", "verify", "webhook-1", "announce-archive", "verify-part-2-corrected"}, []string{
		egress.StepAnnounce, egress.StepVerify, egress.WebhookStep(0), egress.ConsumerStep("archive"), egress.StepVerify + egress.PartSuffix(2) + egress.CorrectedSuffix,
	})
}

func TestAConsumerIsNotCalledLikeAPartOrACorrection(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"announce", "corrected", "part-", "part-1", "part-x", "a-part-2", "a-part-23", "a-corrected", "part-1-corrected"} {
		require.True(t, egress.ReservedConsumerName(name), name)
	}
	for _, name := range []string{"announcement", "announce-a", "verify", "webhook-1", "part", "apart-1", "a-part-", "a-part-x", "a-part-2b", "corrected-a", "uncorrected"} {
		require.False(t, egress.ReservedConsumerName(name), name)
	}
}

func TestAStepOfThePipelineIsNotCalledLikeOneOfOurs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"announce", "announce-", "announce-a", "webhook-", "webhook-1", "webhook-a", "verify", "verify-part-", "verify-part-1-corrected"} {
		require.True(t, egress.ReservedStepName(name), name)
	}
	for _, name := range []string{"announcement", "webhook", "webhooks", "verify-text", "verify-part", "verifying", "a-part-1", "corrected", "my-announce"} {
		require.False(t, egress.ReservedStepName(name), name)
	}
}
