package egress

import "slices"

// Consumer returns the pipeline's consumer that a delivery step tells, or nil for another step.
func (p Pipeline) Consumer(step string) *Consumer {
	i := slices.IndexFunc(p.Consumers, func(c Consumer) bool { return ConsumerStep(c.Name) == step })
	if i < 0 {
		return nil
	}
	return &p.Consumers[i]
}

// Tells returns the delivery steps that announce an end, in order: Steps, then those of the
// pipeline's consumers. It leaves out the caller's own webhooks if LiveKit serves them, as after a
// start that the front door sent past Temporal: the same end must not be announced twice under two
// event IDs.
func (s *State) Tells() []string {
	steps := slices.Clone(s.Steps)
	for _, c := range s.Pipeline.Consumers {
		steps = append(steps, ConsumerStep(c.Name))
	}
	if len(Webhooks(s.Latest.Proto())) > 0 {
		steps = slices.DeleteFunc(steps, func(step string) bool { _, webhook := StepWebhook(step); return webhook })
	}
	return steps
}

// among reports whether s is one of the named statuses; if none is named, any is.
func (s Status) among(when []Status) bool { return len(when) == 0 || slices.Contains(when, s) }
