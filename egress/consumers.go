package egress

import "slices"

// Consumer is the pipeline's consumer that a delivery step tells, nil for another step.
func (p Pipeline) Consumer(step string) *Consumer {
	i := slices.IndexFunc(p.Consumers, func(c Consumer) bool { return ConsumerStep(c.Name) == step })
	if i < 0 {
		return nil
	}
	return &p.Consumers[i]
}

// Tells are the delivery steps that tell somebody of an end, in their order: Steps, then those
// of the pipeline's consumers. Those of the caller's own webhooks are not among them where
// LiveKit serves these: a start that the door sent past Temporal still had them, and the same
// end must not be told twice under two event IDs.
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

// among reports whether an end is one of those that are named; none named are all.
func (s Status) among(when []Status) bool { return len(when) == 0 || slices.Contains(when, s) }
