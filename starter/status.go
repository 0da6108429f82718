package main

import (
	"errors"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Exit statuses of starter.
const (
	exitFailure = 1
	exitUsage   = 2
	exitDrift   = 3
)

// driftError reports that a recording is not as it should be, although we did our part.
type driftError struct{ what string }

// Error says what is not as it should be.
func (e driftError) Error() string { return e.what }

// statusOf returns 2 for what the caller can correct, including LiveKit's refusals.
func statusOf(err error) int {
	if _, ok := errors.AsType[driftError](err); ok {
		return exitDrift
	}
	switch egress.ReasonOf(err) {
	case egress.Invalid, egress.Refused, egress.Denied, egress.NotFound, egress.Conflict, egress.AlreadyOver:
		return exitUsage
	default:
		return exitFailure
	}
}

// oneLine puts an error on a single line.
func oneLine(err error) string {
	return visible(strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " "))
}
