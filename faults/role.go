package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// roleVariable names, in the environment of a process of its own, which part other than
// the command this binary is, and what that part is like.
const roleVariable = "REELKEEPER_FAULTS_ROLE"

// role is what the binary is in a process of its own: one of these parts.
type role struct {
	LiveKit *livekitConfig `json:",omitempty"`
	Step    *stepConfig    `json:",omitempty"`
}

// environ is the role as written into that variable.
func (r role) environ() (string, error) {
	b, err := json.Marshal(r)
	return roleVariable + "=" + string(b), err
}

// play is that process. It returns its exit status.
func play(ctx context.Context, config string, stderr io.Writer) int {
	var r role
	err := json.Unmarshal([]byte(config), &r)
	switch {
	case err != nil:
	case r.LiveKit != nil:
		err = r.LiveKit.serve(ctx)
	case r.Step != nil:
		err = r.Step.serve(ctx, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "faults:", err)
		return 1
	}
	return 0
}
