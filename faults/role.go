package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// roleVariable is the environment variable that makes this binary, in a process of its own, one of
// the other parts, and configures it.
const roleVariable = "REELKEEPER_FAULTS_ROLE"

// role is what the binary is in a process of its own: one of these parts.
type role struct {
	LiveKit *livekitConfig `json:",omitempty"`
	Step    *stepConfig    `json:",omitempty"`
	Store   *storeConfig   `json:",omitempty"`
}

// environ returns the role as written into that variable.
func (r role) environ() (string, error) {
	b, err := json.Marshal(r)
	return roleVariable + "=" + string(b), err
}

// play runs as that process. It returns the exit status.
func play(ctx context.Context, config string, stderr io.Writer) int {
	var r role
	err := json.Unmarshal([]byte(config), &r)
	switch {
	case err != nil:
	case r.LiveKit != nil:
		err = r.LiveKit.serve(ctx)
	case r.Step != nil:
		err = r.Step.serve(ctx, stderr)
	case r.Store != nil:
		err = r.Store.serve(ctx)
	}
	if err != nil {
		fmt.Fprintln(stderr, "faults:", err)
		return 1
	}
	return 0
}
