package egress

import (
	"strconv"
	"strings"
	"time"
)

// The headers of an announcement that LiveKit's webhook does not have. What LiveKit has
// no word for is said in them alone, so that a consumer written for LiveKit notices
// nothing. Consumers read them: a name or a unit never changes.
const (
	HeaderRequestID = "X-Reelkeeper-Request-Id"
	HeaderVerdict   = "X-Reelkeeper-Verdict"  // Status, LOST included
	HeaderSource    = "X-Reelkeeper-Source"   // Source
	HeaderLag       = "X-Reelkeeper-Lag"      // seconds from the end to when we heard of it, with three decimals; not of a loss
	HeaderMedia     = "X-Reelkeeper-Media"    // Media
	HeaderMissed    = "X-Reelkeeper-Missed"   // Missed; where LiveKit's webhook was
	HeaderCorrects  = "X-Reelkeeper-Corrects" // the Status that was told before; where it was wrong
	HeaderPart      = "X-Reelkeeper-Part"     // number of the part, from 1; where a recording may go on in parts, or has
)

// Headers are what an announcement of a settled egress says beside LiveKit's own. Those
// that do not apply are left out.
func (s *State) Headers(requestID string) map[string]string {
	v := s.Verdict(requestID, Summary{})
	h := map[string]string{
		HeaderRequestID: v.RequestID,
		HeaderVerdict:   headerValue(string(v.Status)),
		HeaderSource:    string(v.EndedBy),
		HeaderMedia:     string(v.Media),
	}
	if v.Status != Lost { // nobody knows when that ended
		h[HeaderLag] = inSeconds(v.Late.D())
	}
	if v.Missed != "" {
		h[HeaderMissed] = string(v.Missed)
	}
	if v.Corrects != "" {
		h[HeaderCorrects] = headerValue(string(v.Corrects))
	}
	if s.Part > 1 || s.Recover > 0 {
		h[HeaderPart] = strconv.Itoa(s.Part)
	}
	return h
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// headerValue leaves out what no header may hold: a status of a newer LiveKit is
// somebody else's text, and a value that is refused would never be delivered.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
