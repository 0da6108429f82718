package fakelivekit

import "time"

// line holds the events of one egress that a fault keeps back, in order. The courier's mutex guards it; a line exists only
// while something waits in it.
type line struct {
	waiting []held
	swapped *letter // waits for its successor
	timer   *time.Timer
}

// held is a letter that must not be sent before its time; without an event it is the deadline of a swapped
// one.
type held struct {
	letter
	until time.Time
}

// stop clears the line.
func (l *line) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// enqueue sends a letter in its line: after those waiting there, and not before its own delay.
func (c *courier) enqueue(l letter, delay time.Duration, swap bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	ln := c.lines[l.key]
	if ln == nil {
		ln = &line{}
		c.lines[l.key] = ln
	}
	now := time.Now()
	switch {
	case ln.swapped != nil:
		first := *ln.swapped
		ln.swapped = nil
		ln.waiting = append(ln.waiting, held{l, now.Add(delay)}, held{first, now.Add(delay)})
	case swap:
		// There may be no successor: then it is merely late.
		ln.swapped = &l
		ln.waiting = append(ln.waiting, held{letter{}, now.Add(c.late)})
	default:
		ln.waiting = append(ln.waiting, held{l, now.Add(delay)})
	}
	c.advance(l.key, ln, now)
}

// advance sends what is due at the head of a line, and waits for the rest.
func (c *courier) advance(key string, ln *line, now time.Time) {
	for len(ln.waiting) > 0 {
		head := ln.waiting[0]
		switch {
		case head.event == nil && ln.swapped == nil:
			// Its successor has arrived: the deadline of a swapped letter is void.
		case head.event == nil && !head.until.After(now):
			c.post(*ln.swapped)
			ln.swapped = nil
		case head.until.After(now):
			ln.stop()
			ln.timer = time.AfterFunc(head.until.Sub(now), func() { c.resume(key, ln) })
			return
		default:
			c.post(head.letter)
		}
		ln.waiting = ln.waiting[1:]
	}
	if ln.swapped == nil {
		ln.stop()
		delete(c.lines, key)
	}
}

// resume continues a line when its first letter is due.
func (c *courier) resume(key string, ln *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.lines[key] == ln {
		c.advance(key, ln, time.Now())
	}
}
