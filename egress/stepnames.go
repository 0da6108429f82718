package egress

import (
	"regexp"
	"strconv"
	"strings"
)

// The names of delivery steps. A step of an earlier part of a recording ends in the number of that
// part. One that corrects what was announced for that part also ends in CorrectedSuffix, once for
// each correction: announce-archive-part-2-corrected.

const (
	// StepAnnounce is the delivery step that tells the consumer in the settings.
	StepAnnounce = "announce"
	// StepVerify is the delivery step that continues after the announcement if the store could not
	// be reached before it.
	StepVerify = "verify"
	// CorrectedSuffix ends the name of a step that corrects what the step without it announced.
	CorrectedSuffix = "-corrected"

	stepWebhook = "webhook-" // begins the name of a step that tells one of the caller's own webhooks
	partSuffix  = "-part-"   // precedes the number of an earlier part
)

// WebhookStep returns the delivery step that tells the caller's nth webhook, counted from 0.
func WebhookStep(n int) string { return stepWebhook + strconv.Itoa(n+1) }

// StepWebhook is the inverse of WebhookStep. It reports false for another step.
func StepWebhook(step string) (n int, ok bool) {
	number, found := strings.CutPrefix(step, stepWebhook)
	n, err := strconv.Atoi(number)
	return n - 1, found && err == nil && n > 0
}

// ConsumerStep returns the delivery step that tells the pipeline's consumer of that name.
func ConsumerStep(name string) string { return StepAnnounce + "-" + name }

// PartSuffix returns the suffix of the names of an earlier part's delivery steps.
func PartSuffix(n int) string { return partSuffix + strconv.Itoa(n) }

var endsInPart = regexp.MustCompile(partSuffix + `[0-9]+$`)

// ReservedConsumerName reports whether a consumer of the pipeline must not have that name, because
// its step would be taken for one of an earlier part or of a correction. A consumer called
// announce would be taken for the consumer in the settings, whose standard-webhooks secret has
// that name.
func ReservedConsumerName(name string) bool {
	end := "-" + name
	return name == StepAnnounce || strings.HasPrefix(end, partSuffix) || strings.HasSuffix(end, CorrectedSuffix) || endsInPart.MatchString(end)
}

// ReservedStepName reports whether a step of the pipeline must not have that name, because a retry
// or skip of it would be taken for one of our own steps.
func ReservedStepName(name string) bool {
	return name == StepAnnounce || strings.HasPrefix(name, ConsumerStep("")) || strings.HasPrefix(name, stepWebhook) ||
		name == StepVerify || strings.HasPrefix(name, StepVerify+partSuffix)
}
