package egress

import (
	"fmt"
	"slices"
	"time"
)

// The end may be in LiveKit's answer to our start or stop. Its webhook is on its way then,
// or lost: nobody knows yet.

// unheard reports whether the end was learned from LiveKit's answer to our start or stop, and
// its webhook has not come.
func (s *State) unheard() bool {
	return (s.EndedBy == FromStart || s.EndedBy == FromStop) && len(s.Event) == 0
}

// WebhookDue is until when the webhook of the end may come before a consumer that is told
// only of what LiveKit did not tell is told. It is zero where that is known by now.
func (s *State) WebhookDue() time.Time {
	if missed, _ := s.missed(); s.Phase != Settled || !s.MissedOnly || !slices.Contains(s.Tells(), StepAnnounce) || !s.unheard() || missed != "" {
		return time.Time{}
	}
	return s.NewsAt.Add(webhookBudget + webhookMargin)
}

// WebhookMissed notes that the webhook of the end did not come by WebhookDue.
func (s *State) WebhookMissed() {
	s.MissedWhy = MissedUnclassified
	s.MissedBecause = fmt.Sprintf("LiveKit said the end in an answer to us, and its webhook did not come within %s", webhookBudget+webhookMargin)
}
