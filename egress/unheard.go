package egress

import (
	"fmt"
	"slices"
	"time"
)

// LiveKit's answer to our start or stop may report the end. Whether its webhook is on its way or
// lost, nobody knows yet.

// unheard reports whether we learned of the end from LiveKit's answer to our start or stop, and
// its webhook has not come.
func (s *State) unheard() bool {
	return (s.EndedBy == FromStart || s.EndedBy == FromStop) && len(s.Event) == 0
}

// WebhookDue returns until when to wait for the webhook of the end before telling a consumer that
// is told only what LiveKit did not tell. It is zero if that is already known.
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
