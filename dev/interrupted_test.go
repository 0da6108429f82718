package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// interrupting ends a context once a text is written.
type interrupting struct {
	at   string
	stop context.CancelFunc
}

func (w interrupting) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.at) {
		w.stop()
	}
	return len(b), nil
}

// This does not break the promise.
func TestADemoThatIsInterruptedSaysSo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	ctx, stop := context.WithCancel(t.Context())
	d := demo{egresses: 2, seed: 7, stdout: io.Discard, stderr: interrupting{" is recording", stop}}
	require.EqualError(t, d.run(ctx, ""), "interrupted with 0 of 2 settled, so the promise was not checked (seed 7)")
	var out bytes.Buffer
	d = demo{egresses: 2, stdout: &out, stderr: io.Discard}
	require.EqualError(t, d.run(ctx, ""), "interrupted before anything was recorded")
	require.Empty(t, out.String())
}
