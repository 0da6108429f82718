package catalogue

import "github.com/reelkeeper/reelkeeper/egress"

// steps reads the user's own steps, in the order of the file.
func (v value) steps() ([]egress.Step, error) {
	return unique(v, value.step, func(s egress.Step) string { return s.Name })
}

func (v value) step() (egress.Step, error) {
	var s egress.Step
	err := v.fields(fields{
		"name":       func(v value) error { return v.stepName(&s.Name) },
		"activity":   func(v value) error { return v.text(&s.Activity) },
		"task_queue": func(v value) error { return v.taskQueue(&s.TaskQueue) },
		"when":       func(v value) error { return v.ends(&s.When) },
		"timeout":    func(v value) error { return v.duration(&s.Timeout) },
		"heartbeat":  func(v value) error { return v.duration(&s.Heartbeat) },
		"attempts":   func(v value) error { return v.count(&s.Attempts) },
		"for":        func(v value) error { return v.duration(&s.For) },
		"backoff":    func(v value) error { return v.backoff(&s.Backoff) },
		"clear":      func(v value) error { return v.flag(&s.Clear) },
		"with":       func(v value) error { return v.anything(&s.With) },
	})
	if err != nil {
		return s, err
	}
	for _, need := range []struct{ name, value string }{{"name", s.Name}, {"activity", s.Activity}, {"task_queue", s.TaskQueue}} {
		if need.value == "" {
			return s, v.field(need.name).fail("is missing")
		}
	}
	s = s.WithDefaults()
	switch {
	case s.Timeout > s.For:
		return s, v.field("timeout").fail("one attempt may take %s, longer than all attempts together (for: %s)", s.Timeout, s.For)
	case s.Heartbeat > s.Timeout:
		return s, v.field("heartbeat").fail("is %s, more than an attempt may take (timeout: %s)", s.Heartbeat, s.Timeout)
	case s.Backoff.First > s.Backoff.Max:
		return s, v.field("backoff").fail("first is %s, more than max: %s", s.Backoff.First, s.Backoff.Max)
	}
	return s, nil
}

func (v value) backoff(into *egress.Backoff) error {
	return v.fields(fields{
		"first": func(v value) error { return v.duration(&into.First) },
		"max":   func(v value) error { return v.duration(&into.Max) },
	})
}

func (v value) stepName(into *string) error {
	if err := v.name(into); err != nil {
		return err
	}
	if egress.ReservedStepName(*into) {
		return v.fail("%s is one of Reelkeeper's own steps, or may become one: use a name other than announce, announce-…, webhook-…, verify and verify-part-…", *into)
	}
	return nil
}

// taskQueue rejects our own queues: their workers do not have the user's activities, and would fail
// each attempt of a step.
func (v value) taskQueue(into *string) error {
	if err := v.text(into); err != nil {
		return err
	}
	if *into == egress.TaskQueue || *into == egress.PollQueue {
		return v.fail("%s is a queue of Reelkeeper's own workers, which do not have your activities: use a queue of your own", *into)
	}
	return nil
}
