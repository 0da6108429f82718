package egress

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"
)

// Duration is a time.Duration that JSON holds as Go writes it ("3h", "250ms"); a bare number would
// leave its unit to guesswork.
type Duration time.Duration

// D returns the duration as Go's own type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String returns the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a duration string such as "90s" or "3h".
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf(`want a duration such as "3h", got %s`, b)
	}
	return d.UnmarshalText([]byte(s))
}

// UnmarshalText reads a duration from a setting.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%s, got %q", WantDuration(string(b)), b)
	}
	*d = Duration(v)
	return nil
}

// LongestDuration is the longest that Go can hold, some 292 years, in whole hours.
const LongestDuration = "2562047h"

var durationText = regexp.MustCompile(`^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$`)

// TooLong reports whether a text that time.ParseDuration refuses is a duration all the same.
func TooLong(refused string) bool { return durationText.MatchString(refused) }

// WantDuration says what should stand in place of a text that time.ParseDuration refuses.
func WantDuration(refused string) string {
	if TooLong(refused) {
		return "want a duration of at most " + LongestDuration
	}
	return `want a duration such as "3h"`
}
