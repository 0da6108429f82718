package egress

import (
	"regexp"
	"strconv"
	"strings"
)

// The names of delivery steps. A step of an earlier part of a recording has the number of that
// part behind its name, and one that corrects what that part was told as, CorrectedSuffix behind
// that, once for each time: announce-archive-part-2-corrected.

const (
	// StepAnnounce is the delivery step that tells the consumer of the settings.
	StepAnnounce = "announce"
	// StepVerify is the delivery step that goes on behind the announcement where the store
	// could not be reached before it.
	StepVerify = "verify"
	// CorrectedSuffix ends the name of a step that corrects what the one without it has told.
	CorrectedSuffix = "-corrected"

	stepWebhook = "webhook-" // begins the name of a step that tells one of the caller's own webhooks
	partSuffix  = "-part-"   // stands before the number of an earlier part
)

// WebhookStep is the delivery step that tells the caller's nth webhook, from 0 on.
func WebhookStep(n int) string { return stepWebhook + strconv.Itoa(n+1) }

// StepWebhook is the inverse of WebhookStep. It reports false for another step.
func StepWebhook(step string) (n int, ok bool) {
	number, found := strings.CutPrefix(step, stepWebhook)
	n, err := strconv.Atoi(number)
	return n - 1, found && err == nil && n > 0
}

// ConsumerStep is the delivery step that tells the pipeline's consumer of that name.
func ConsumerStep(name string) string { return StepAnnounce + "-" + name }

// PartSuffix ends the names of the delivery steps of an earlier part.
func PartSuffix(n int) string { return partSuffix + strconv.Itoa(n) }

var endsInPart = regexp.MustCompile(partSuffix + `[0-9]+$`)

// ReservedConsumerName reports whether a consumer of the pipeline must not have that name, since
// its step would be taken for one of an earlier part or of a correction. One that is called
// announce would be taken for the consumer of the settings, whose standard-webhooks secret has
// that name.
func ReservedConsumerName(name string) bool {
	end := "-" + name
	return name == StepAnnounce || strings.HasPrefix(end, partSuffix) || strings.HasSuffix(end, CorrectedSuffix) || endsInPart.MatchString(end)
}

// ReservedStepName reports whether a step of the pipeline must not have that name, since a
// person's word about it would be taken for one about a step of ours.
func ReservedStepName(name string) bool {
	return name == StepAnnounce || strings.HasPrefix(name, ConsumerStep("")) || strings.HasPrefix(name, stepWebhook) ||
		name == StepVerify || strings.HasPrefix(name, StepVerify+partSuffix)
}
