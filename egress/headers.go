package egress

import (
	"strconv"
	"strings"
	"time"
)

// The headers that an announcement has beyond LiveKit's webhook. What LiveKit has no word for
// appears only in them, so that a consumer written for LiveKit notices nothing. Consumers read
// them: a name or a unit never changes.
const (
	HeaderRequestID = "X-Reelkeeper-Request-Id"
	HeaderVerdict   = "X-Reelkeeper-Verdict"  // Status, including LOST
	HeaderSource    = "X-Reelkeeper-Source"   // Source
	HeaderLag       = "X-Reelkeeper-Lag"      // seconds from the end to when we learned it, with three decimals; absent for a loss
	HeaderMedia     = "X-Reelkeeper-Media"    // Media
	HeaderMissed    = "X-Reelkeeper-Missed"   // Missed; present if LiveKit's webhook did not come
	HeaderCorrects  = "X-Reelkeeper-Corrects" // the Status announced before; present if that was wrong
	HeaderPart      = "X-Reelkeeper-Part"     // number of the part, from 1; present if a recording has, or may have, several parts
)

// Headers returns the headers that an announcement of a settled egress has beyond LiveKit's own.
// Those that do not apply are left out.
func (s *State) Headers(requestID string) map[string]string {
	v := s.Verdict(requestID, Summary{})
	h := map[string]string{
		HeaderRequestID: v.RequestID,
		HeaderVerdict:   headerValue(string(v.Status)),
		HeaderSource:    string(v.EndedBy),
		HeaderMedia:     string(v.Media),
	}
	if v.Status != Lost { // nobody knows when a lost egress ended
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

// headerValue drops characters that no header may hold: a newer LiveKit's status can be any text,
// and a rejected value would never be delivered.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
