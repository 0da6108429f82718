package config

import (
	"fmt"
	"strings"
	"time"
)

// DurationOrOff is a positive duration, or Off. Its zero value is neither: it is a setting that has
// not been read.
type DurationOrOff time.Duration

// Off disables what the duration bounds. It is written as "off".
const Off DurationOrOff = -1

// D returns the duration, zero for Off.
func (d DurationOrOff) D() time.Duration { return max(0, time.Duration(d)) }

// String returns the duration as a person writes it, or "off".
func (d DurationOrOff) String() string {
	if d.D() == 0 {
		return "off"
	}
	return short(d.D())
}

// UnmarshalText reads a duration such as "2s", or "off".
func (d *DurationOrOff) UnmarshalText(b []byte) error {
	if strings.EqualFold(string(b), "off") {
		*d = Off
		return nil
	}
	v, err := time.ParseDuration(string(b))
	switch {
	case err != nil:
		return fmt.Errorf(`want a duration such as "2s", or "off", got %q`, b)
	case v <= 0:
		return fmt.Errorf(`must be positive, or "off", got %s`, v)
	}
	*d = DurationOrOff(v)
	return nil
}
