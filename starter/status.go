package main

import (
	"errors"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Exit statuses of all our commands.
const (
	exitFailure = 1
	exitUsage   = 2
	exitDrift   = 3
)

// driftError says that a recording is not as it should be: we did our part.
type driftError struct{ what string }

// Error says what drifted.
func (e driftError) Error() string { return e.what }

// statusOf is 2 for what the caller can set right, LiveKit's refusals included.
func statusOf(err error) int {
	if _, ok := errors.AsType[driftError](err); ok {
		return exitDrift
	}
	var e *egress.Error
	if !errors.As(err, &e) {
		return exitFailure
	}
	switch e.Reason {
	case egress.Invalid, egress.Refused, egress.Denied, egress.NotFound, egress.Conflict, egress.AlreadyOver:
		return exitUsage
	default:
		return exitFailure
	}
}

// oneLine keeps an error on the one line that it is given.
func oneLine(err error) string {
	return visible(strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " "))
}
