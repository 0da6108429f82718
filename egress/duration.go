package egress

import (
	"encoding/json"
	"fmt"
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
		return fmt.Errorf(`want a duration such as "3h", got %q`, b)
	}
	*d = Duration(v)
	return nil
}
