package needs

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Executable writes a program for a test to run. No process is forked meanwhile: a child with the
// file open for writing, too, would keep it from being run ("text file busy").
func Executable(t *testing.T, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
}
